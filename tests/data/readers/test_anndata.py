"""A table of anndata and an image beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest

from prestige.data.dataset import open_sample
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError

from ... import small_sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_sources.of_anndata(tmp_path)
    return tmp_path


def opened(folder: Path, name: str = "section.h5ad", **more: Any) -> Sample:
    given = {"id": "S", "source": "anndata", "path": folder / name, "image": folder / "section.tif"}
    spec = SampleSpec.model_validate({**given, "patient": "P", **more})
    return open_sample(spec, cache_dir=folder / "cache")


def edit(folder: Path, change: Callable[[anndata.AnnData], object]) -> None:
    table = anndata.read_h5ad(folder / "section.h5ad")
    change(table)
    table.write_h5ad(folder / "section.h5ad")


@pytest.mark.parametrize("name", ["section.h5ad", "section.zarr"])
def test_file_and_store_give_one_sample(folder: Path, name: str) -> None:
    sample, table = opened(folder, name), anndata.read_h5ad(folder / "section.h5ad")
    np.testing.assert_array_equal(sample.counts.toarray(), table.X)
    np.testing.assert_array_equal(sample.xy_px, table.obsm["spatial"])
    assert list(sample.obs.index) == list(table.obs_names)
    assert list(sample.genes) == list(table.var_names)
    assert sample.um_per_px == pytest.approx(0.5)


def test_counts_of_a_layer_go_before_x(folder: Path) -> None:
    def normalised(table: anndata.AnnData) -> None:
        table.layers["counts"] = table.X.copy()
        table.X = np.log1p(table.X)

    plain = opened(folder).counts.toarray()
    edit(folder, normalised)
    np.testing.assert_array_equal(opened(folder).counts.toarray(), plain)


def outside(table: anndata.AnnData) -> None:
    table.obsm["spatial"][0] = [100, 3]


def unplaced(table: anndata.AnnData) -> None:
    table.obsm["spatial"][1] = np.nan


def renamed(table: anndata.AnnData) -> None:
    table.obsm["X_spatial"] = table.obsm["spatial"]
    del table.obsm["spatial"]


def logged(table: anndata.AnnData) -> None:
    table.X = np.log1p(table.X)


def micrometres(table: anndata.AnnData) -> None:
    table.obsm["spatial"] = pd.DataFrame(
        table.obsm["spatial"], columns=["x_um", "y_um"], index=table.obs_names
    )


def from_obs(*names: str) -> Callable[[anndata.AnnData], None]:
    def change(table: anndata.AnnData) -> None:
        for axis, name in enumerate(names):
            table.obs[name] = table.obsm["spatial"][:, axis]
        del table.obsm["spatial"]

    return change


def numbered(table: anndata.AnnData) -> None:
    table.var_names = [str(place) for place in range(table.n_vars)]


def of_xenium(table: anndata.AnnData) -> None:
    table.obsm["spatial"] = table.obsm["spatial"] / 2
    table.obs["x_centroid"], table.obs["y_centroid"] = table.obsm["spatial"].T


PICTURES = {"images": {"hires": np.zeros((2, 2, 3), np.uint8)}, "scalefactors": {"tissue_hires_scalef": 0.5}}


def of_slides(*names: str) -> Callable[[anndata.AnnData], None]:
    def change(table: anndata.AnnData) -> None:
        table.obs["batch"] = pd.Categorical(["A"] + [names[-1]] * (len(table) - 1))
        table.uns["spatial"] = dict.fromkeys("AB", PICTURES) | {"is_single": True}

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (outside, r"outside the image of 60 x 40 px: 1 \(s0\)"),
        (unplaced, r"no place \(NaN\) for 1 \(s1\)"),
        (
            renamed,
            r"has no obsm\['spatial'\], but 'X_spatial'; .* write obsm\['spatial'\] = obsm\['X_spatial'\]",
        ),
        (logged, "holds no counts: .* fractions"),
        (micrometres, "micrometres, by their names"),
        (
            from_obs("x_centroid", "y_centroid"),
            r"no obsm\['spatial'\], but obs\['x_centroid'\] and obs\['y_centroid'\]; .*\(\) / um_per_px$",
        ),
        (from_obs("x", "y"), r"obs\[\['x', 'y'\]\].to_numpy\(\) if these are pixels of the image$"),
        (of_xenium, r"obsm\['spatial'\] holds obs\['x_centroid'\] and obs\['y_centroid'\]: micrometres"),
        (
            of_slides("A", "B"),
            r"rows of 2 slides \(A, B\) by obs\['batch'\], .*table.obs\['batch'\] == 'A'\]",
        ),
    ],
)
def test_what_is_wrong_is_a_line(folder: Path, change: Any, words: str) -> None:
    edit(folder, change)
    with pytest.raises(DataError, match=words):
        opened(folder)


def test_files_that_are_none_are_told(folder: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        opened(folder, "absent.h5ad")
    with pytest.raises(DataError, match="no such file"):
        opened(folder, image=folder / "absent.tif")
    with pytest.raises(DataError, match="it has no 'obs'"):
        opened(folder, ".")
    (folder / "store.zarr" / "tables").mkdir(parents=True)
    with pytest.raises(DataError, match=r"a store that holds some.*source: spatialdata"):
        opened(folder, "store.zarr")
    with pytest.raises(PrestigeError, match="'image' is missing, and source: anndata needs it"):
        opened(folder, image=None)


def test_a_normalised_table_of_squidpy_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "exports" / "anndata" / "squidpy_visium"
    given = {"id": "S", "source": "anndata", "patient": "P", "um_per_px": 0.5}
    spec = SampleSpec.model_validate(
        {**given, "path": folder / "test_data.h5ad", "image": folder / "test_img.jpg"}
    )
    with pytest.raises(DataError, match="holds no counts: 100% of the counts are fractions"):
        open_sample(spec, cache_dir=tmp_path / "cache")


def test_rows_of_one_of_several_slides_are_read(folder: Path) -> None:
    edit(folder, of_slides("A"))
    assert not [note for note in opened(folder).notes if "slides" in note]
    edit(folder, lambda table: table.obs.drop(columns="batch", inplace=True))
    assert "uns['spatial'] names several slides: all rows were taken as of this image" in opened(folder).notes
