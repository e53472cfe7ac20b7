"""Tables and images that lie about become samples, and what is left over is said."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
import tifffile

from prestige.data.readers import sample_reader
from prestige.data.spec import SampleSpec
from prestige.errors import DataError
from prestige.start.samples import samples_in

from ..small_space_ranger import VISIUM, Visium, write_full


def picture(path: Path, side: int = 300) -> None:
    pixels = np.random.default_rng(0).integers(150, 255, (side, side, 3), dtype=np.uint8)
    tifffile.imwrite(
        path, pixels, photometric="rgb", metadata=None, resolution=(20_000, 20_000), resolutionunit=3
    )


def counts(path: Path) -> None:
    rng = np.random.default_rng(0)
    table = anndata.AnnData(
        rng.poisson(2.0, (30, 4)).astype(np.float32),
        obs=pd.DataFrame({"patient": "P7"}, index=[f"c{i}" for i in range(30)]),
        var=pd.DataFrame(index=["EPCAM", "PTPRC", "ACTA2", "CD3E"]),
        obsm={"spatial": rng.uniform(20, 280, (30, 2))},
    )
    table.write_h5ad(path)


def test_a_table_and_the_image_of_its_name_are_a_sample(tmp_path: Path) -> None:
    counts(tmp_path / "S1.h5ad")
    picture(tmp_path / "S1.tif")
    found, _ = samples_in([tmp_path])
    (one,) = found
    assert (one.id, one.source, one.patient) == ("S1", "anndata", "P7")
    assert one.keys["image"] == tmp_path / "S1.tif"


def test_an_image_alone_is_a_slide_and_a_small_picture_none(tmp_path: Path) -> None:
    picture(tmp_path / "slide.tif")
    picture(tmp_path / "icon.tif", 64)
    found, left_out = samples_in([tmp_path])
    assert [(one.id, one.source) for one in found] == [("slide", "slide")]
    assert list(left_out) == [tmp_path / "icon.tif"]


def test_places_beside_an_image_are_named_and_pixels_that_are_not_square_are_told(tmp_path: Path) -> None:
    picture(tmp_path / "S1.tif")
    for name in ("S1.csv", "S1_cells.geojson", "S10.csv", "S1.txt", "._S1.csv"):
        (tmp_path / name).write_text("x,y\n1,2\n")
    pixels = np.full((300, 300, 3), 200, np.uint8)
    tifffile.imwrite(
        tmp_path / "oblong.tif", pixels, photometric="rgb", resolution=(40_000, 20_000), resolutionunit=3
    )
    found, left_out = samples_in([tmp_path])
    (one,) = found
    assert one.to_write["points"].startswith(
        "grid, spots, or a file of places (S1.csv, S1_cells.geojson, say);"
    )
    assert left_out[tmp_path / "oblong.tif"].startswith("its pixels are not square: 0.25 x 0.5 um")


def test_the_full_image_may_lie_in_the_folder_of_space_ranger(tmp_path: Path) -> None:
    Visium(version=2).write(tmp_path / "S1" / "outs")
    write_full(tmp_path / "S1" / "microscope.tif", VISIUM)
    (one,) = samples_in([tmp_path])[0]
    assert one.keys["image"] == tmp_path / "S1" / "microscope.tif"


def test_folders_have_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        samples_in([tmp_path / "none"])
    assert samples_in([tmp_path]) == ([], {})


def test_samples_of_visium_beside_each_other_are_told_apart_by_their_prefix(tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("GSM1_S1", "GSM2_S10", "GSM3_S2"):
        root = Visium(prefix=f"{name}_").write(tmp_path / name)
        for path in [*root.glob("*.h5"), *(root / "spatial").iterdir()]:
            path.rename(flat / path.name)
    (flat / "GSM3_S2_filtered_feature_bc_matrix.h5").unlink()
    found, _ = samples_in([flat])
    assert [(one.id, one.source, one.path) for one in found if one.source == "visium"] == [
        ("GSM1_S1", "visium", flat),
        ("GSM2_S10", "visium", flat),
    ]
    for one in found:
        if one.source == "visium":
            spec = SampleSpec(id=one.id, source="visium", path=one.path, patient="P")
            assert sample_reader("visium")(spec, tmp_path / "cache").table.platform.startswith("Visium")
