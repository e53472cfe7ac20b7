"""What is said of the image of an export; the choice itself is tested with the readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prestige.data.platforms.space_ranger.folder import Folder
from prestige.data.platforms.space_ranger.pictures import Picture, named_picture, notes_on, picture_in
from prestige.data.platforms.space_ranger.scales import Scales
from prestige.data.slides.images import image_of
from prestige.errors import DataError

from ....small_space_ranger import SCALES, VISIUM, write_full, write_pictures

NONE = Scales(None, None, None, None, None)
BOTH = Scales(SCALES["hires"], SCALES["lowres"], None, None, None)


def test_a_coarse_image_is_told_with_the_widths_it_serves(tmp_path: Path) -> None:
    picture = Picture(image_of(write_full(tmp_path / "a.tif", VISIUM)), 1.0, ("chosen",))
    assert notes_on(picture, [("pitch", 4.7), ("fiducials", 4.8)]) == (
        "chosen",
        "4.7 um/px: patches of 32 px are 150 um wide; below that the network sees blur",
    )
    assert notes_on(picture, [("pitch", 0.5)]) == notes_on(picture, []) == ("chosen",)


def test_places_are_scaled_and_have_to_lie_inside(tmp_path: Path) -> None:
    picture = Picture(image_of(write_full(tmp_path / "a.tif", VISIUM)), 0.5)
    width, height = VISIUM.size_px
    inside = np.array([[0.0, 0.0], [2.0 * width - 2, 2.0 * height - 2]])
    # Pixels 0 and 1 of the full image become pixel 0, whose centre lies between them, at 0.5.
    placed = [[-0.25, -0.25], [width - 1.25, height - 1.25]]
    np.testing.assert_array_equal(picture.xy_px(inside, ["a", "b"], where="s"), placed)
    with pytest.raises(DataError, match=r"1 of 2 are outside \(b\); .* as image: of s"):
        picture.xy_px(inside + [[0.0, 0.0], [2.0, 0.0]], ["a", "b"], where="s")


def test_an_image_without_anything_to_check_it_by_is_said(tmp_path: Path) -> None:
    image = write_full(tmp_path / "a.tif", VISIUM)
    found = named_picture(image, Folder(tmp_path, "S1"), NONE)
    assert found.notes == ("the folder holds no picture by which the size of the image could be checked",)
    write_pictures(tmp_path, VISIUM)
    assert named_picture(image, Folder(tmp_path, "S1"), BOTH).notes == ()
    with pytest.raises(DataError, match=r"no scale factor of tissue_hires_image.png; .* copy that file from"):
        picture_in(Folder(tmp_path, "S1"), NONE)


def test_a_picture_that_is_packed_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "GSM1_S1_tissue_hires_image.png.gz").touch()
    with pytest.raises(DataError, match=r"; unpack 'GSM1_S1_tissue_hires_image.png.gz' there, or name the"):
        picture_in(Folder(tmp_path, "S1"), BOTH)
