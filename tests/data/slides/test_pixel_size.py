"""The width of a pixel: what may be one, and what an image file says of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from prestige.data.slides.pixel_size import checked_um, settled_um, tagged_um
from prestige.data.slides.tiff.pages import Level0, level0
from prestige.errors import DataError


def written(folder: Path, **how: Any) -> Level0:
    pixels = np.zeros((16, 24, 3), np.uint8)
    tifffile.imwrite(folder / "a.tif", pixels, **{"photometric": "rgb", "metadata": None, **how})
    return level0(folder / "a.tif")


@pytest.mark.parametrize("value", [0.0, -0.5, 1e300, 1e-300, math.nan, math.inf, 1001.0])
def test_no_width(value: float) -> None:
    with pytest.raises(DataError, match=r"S1.json: pixel_size_um is .*; expected micrometres"):
        checked_um(value, where="S1.json", what="pixel_size_um")


def test_a_width() -> None:
    assert checked_um(0.2523, where="") == 0.2523


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({"resolution": (20000, 20000), "resolutionunit": "CENTIMETER"}, {"resolution tags": 0.5}),
        ({"resolution": (50800, 50800), "resolutionunit": "INCH"}, {"resolution tags": 0.5}),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, {}),
        ({"resolution": (1, 1), "resolutionunit": "CENTIMETER"}, {}),
        ({"resolution": (20000, 20000), "resolutionunit": "NONE"}, {}),
        ({"description": "Aperio v1\r\n24x16|AppMag = 40|MPP = 0.2523"}, {"Aperio description": 0.2523}),
        ({"description": "Aperio v1\r\n24x16|AppMag = 40|MPP = 0,2523|x"}, {"Aperio description": 0.2523}),
        ({"description": "Aperio v1\r\n24x16|MPP = .5"}, {"Aperio description": 0.5}),
        ({"description": "Aperio v1\r\n24x16|MPP = 1.;"}, {"Aperio description": 1.0}),
        ({"description": "Aperio v1\r\n24x16|MPP = |x"}, {}),
        ({"description": "Aperio v1\r\n24x16|MPP = ."}, {}),
        ({"description": "Aperio v1\r\n24x16|MPP = 0.2.5"}, {}),
        ({"description": "MPP = 0.2523"}, {}),
        (
            {"description": "ImageJ=1.53\nunit=mm\n", "resolution": (4000, 4000), "resolutionunit": "NONE"},
            {"resolution tags": 0.25},
        ),
        (
            {"description": "ImageJ=1.53\nunit=micron\n", "resolution": (4, 4), "resolutionunit": "NONE"},
            {"resolution tags": 0.25},
        ),
        (
            {"description": "ImageJ=1.53\nunit=\\u00B5m\n", "resolution": (4, 4), "resolutionunit": "NONE"},
            {"resolution tags": 0.25},
        ),
        ({}, {}),
    ],
)
def test_what_a_file_says(tmp_path: Path, how: dict[str, Any], wanted: dict[str, float]) -> None:
    assert tagged_um(written(tmp_path, **how)) == pytest.approx(wanted)


def test_the_ome_xml_counts(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}
    level = written(tmp_path, ome=True, metadata={"axes": "YXS", **sizes})
    assert tagged_um(level) == {"OME-XML": 0.325}


def test_the_size_is_that_of_the_page_that_is_read(tmp_path: Path) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        more: dict[str, Any] = {"photometric": "rgb", "resolutionunit": "CENTIMETER", "metadata": None}
        file.write(pixels[::2, ::2], resolution=(10000, 10000), **more)
        file.write(pixels, resolution=(20000, 20000), **more)
    assert tagged_um(level0(tmp_path / "a.tif")) == {"resolution tags": 0.5}


@pytest.mark.parametrize("y", [10000, 20300])
def test_pixels_that_are_not_square_are_refused(tmp_path: Path, y: int) -> None:
    level = written(tmp_path, resolution=(20000, y), resolutionunit="CENTIMETER")
    with pytest.raises(DataError, match=r"pixels are not square: 0\.5 x .* um by its resolution tags"):
        tagged_um(level)


def test_pixels_that_are_nearly_square_are_read(tmp_path: Path) -> None:
    level = written(tmp_path, resolution=(20000, 20100), resolutionunit="CENTIMETER")
    assert tagged_um(level) == pytest.approx({"resolution tags": 0.5})


def test_the_first_statement_is_taken_and_others_have_to_agree() -> None:
    assert settled_um([("dataset.yaml", 0.5), ("tags", 0.505)], where="S") == (0.5, ())
    um, notes = settled_um([("the alignment", 0.5), ("tags", 0.52)], where="S")
    assert um == 0.5
    assert notes == ("pixels of 0.5 um by the alignment and 0.52 um by tags: the former was taken",)
    for other in (0.25, 0.53, 0.475, 1.0):
        with pytest.raises(DataError, match=rf"S: pixels of 0.5 um by dataset.yaml, of {other:g} um by tags"):
            settled_um([("dataset.yaml", 0.5), ("tags", other)], where="S")
        um, notes = settled_um([("dataset.yaml", 0.5), ("tags", other)], where="S", trusted=True)
        assert um == 0.5
        assert len(notes) == 1


def test_no_statement_or_one_that_no_width_can_be_is_refused() -> None:
    with pytest.raises(DataError, match=r"S: no pixel size.*write um_per_px: in dataset\.yaml"):
        settled_um([], where="S")
    with pytest.raises(DataError, match=r"the width of a pixel \(tags\) is 5000"):
        settled_um([("tags", 5000.0)], where="S")
