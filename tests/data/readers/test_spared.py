"""Tables of SpaRED: one slide of several."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pytest
import tifffile

from prestige.data.dataset import open_sample
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.errors import DataError

from ... import small_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_sources.spared(tmp_path)
    return tmp_path


def opened(folder: Path, **more: Any) -> Sample:
    given = {"id": "S", "source": "spared", "path": folder / "adata_1", "slide": "A", "um_per_px": 2}
    return open_sample(
        SampleSpec.model_validate({**given, "patient": "P1", **more}), cache_dir=folder / "cache"
    )


def table_of(folder: Path) -> anndata.AnnData:
    return anndata.read_h5ad(folder / "adata_1" / "adata.h5ad")


def edit(folder: Path, change: Callable[[anndata.AnnData], object]) -> None:
    table = table_of(folder)
    change(table)
    table.write_h5ad(folder / "adata_1" / "adata.h5ad")


@pytest.mark.parametrize(("slide", "rows"), [("A", slice(0, 7)), ("B", slice(7, 12))])
def test_a_slide_is_its_rows_on_its_own_image(folder: Path, slide: str, rows: slice) -> None:
    table = table_of(folder)
    sample = opened(folder, slide=slide)
    np.testing.assert_array_equal(sample.counts.toarray(), table.layers["counts"][rows])
    np.testing.assert_allclose(sample.xy_px, (table.obsm["spatial"][rows] + 0.5) / 2 - 0.5)
    assert list(sample.genes) == ["EPCAM", "PTPRC", "ACTA2"]
    assert list(sample.obs.index) == list(table.obs_names[rows])
    hires = table.uns["spatial"][slide]["images"]["hires"]
    np.testing.assert_array_equal(sample.slide.pixels, hires)
    words = "the image is the table's own, 0.5 of the full one in width (image: names the full one)"
    assert words in sample.notes
    assert ("the patient of slide B is P2 by obs['patient']" in sample.notes) == (slide == "B")


def test_slides_of_one_table_have_pixels_of_their_own(folder: Path) -> None:
    def other(table: anndata.AnnData) -> None:
        table.uns["spatial"]["B"] = {
            "images": {"hires": np.full((20, 30, 3), 0.75)},
            "scalefactors": {"tissue_hires_scalef": 0.5},
        }

    edit(folder, other)
    one, two = opened(folder), opened(folder, slide="B", patient="P2")
    assert (np.asarray(two.slide.pixels) == 191).all()
    assert one.slide.fingerprint != two.slide.fingerprint


def test_the_full_image_may_be_named(folder: Path) -> None:
    tifffile.imwrite(folder / "full.tif", np.full((40, 60, 3), 200, np.uint8), photometric="rgb")
    sample = opened(folder, image=folder / "full.tif")
    np.testing.assert_allclose(sample.xy_px, table_of(folder).obsm["spatial"][:7])
    assert sample.slide.width_px == 60


def no_counts(table: anndata.AnnData) -> None:
    del table.layers["counts"]


def no_slides(table: anndata.AnnData) -> None:
    del table.obs["slide_id"]


def no_image(table: anndata.AnnData) -> None:
    del table.uns["spatial"]["A"]["images"]


def bad_scale(table: anndata.AnnData) -> None:
    table.uns["spatial"]["A"]["scalefactors"]["tissue_hires_scalef"] = 12.0


def bad_image(table: anndata.AnnData) -> None:
    table.uns["spatial"]["A"]["images"]["hires"] = np.full((20, 30, 3), 7.5)


def log_counts(table: anndata.AnnData) -> None:
    table.layers["counts"] = np.log1p(table.layers["counts"])


def nothing(table: anndata.AnnData) -> None:
    pass


@pytest.mark.parametrize(
    ("change", "more", "words"),
    [
        (nothing, {"slide": "C"}, r"no slide 'C'; expected slide: one of 2 \(A, B\)"),
        (nothing, {"slide": None}, r"holds several slides; .*slide: one of 2 \(A, B\)"),
        (nothing, {"um_per_px": None}, "no pixel size; .*write um_per_px:"),
        (no_counts, {}, r"has no layers\['counts'\], and X may hold any"),
        (no_slides, {}, "obs has no column 'slide_id'.*write source: anndata"),
        (no_image, {}, r"has no 'uns/spatial/A/images/hires'; .*name an image file \(image:\)"),
        (bad_scale, {}, "tissue_hires_scalef' is 12; expected a number above 0"),
        (bad_image, {}, "has values outside 0 to 1"),
        (log_counts, {}, "holds no counts: .* fractions"),
    ],
)
def test_what_is_wrong_is_a_line(folder: Path, change: Any, more: Any, words: str) -> None:
    edit(folder, change)
    with pytest.raises(DataError, match=words):
        opened(folder, **more)


def test_a_folder_without_a_table_is_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"holds 0 \.h5ad files"):
        opened(folder, path=folder)
