"""Images that a table holds."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from prestige.data.platforms.held_image import HeldImage, read_image
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

PIXELS = np.random.default_rng(0).integers(90, 255, (12, 20, 3), dtype=np.uint8)


def test_bytes_and_numbers_from_0_to_1_are_one_image(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["bytes"], file["shares"] = PIXELS, (PIXELS / 255).astype(np.float32)
        for name in ("bytes", "shares"):
            np.testing.assert_array_equal(read_image(file, name, where="a.h5"), PIXELS)


@pytest.mark.parametrize("divided", [1, 255])
def test_what_is_transparent_is_laid_on_white(tmp_path: Path, divided: int) -> None:
    alpha = np.full((12, 20, 1), 255, np.uint8)
    alpha[:4], alpha[4:8] = 0, 51  # a fifth opaque
    stored = np.concatenate([PIXELS, alpha], axis=2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = stored if divided == 1 else (stored / np.float32(divided)).astype(np.float32)
        found = read_image(file, "x", where="a.h5").astype(int)
    assert (found[:4] == 255).all()
    assert np.abs(found[4:8] - (PIXELS[4:8] * 0.2 + 255 * 0.8)).max() <= 0.51
    np.testing.assert_array_equal(found[8:], PIXELS[8:])


def test_it_is_written_as_a_slide(tmp_path: Path) -> None:
    image = HeldImage(tmp_path / "a.h5", PIXELS, ("a note",))
    image.write(tmp_path / "slide")
    np.testing.assert_array_equal(open_pixels(tmp_path / "slide"), PIXELS)
    assert (image.height_px, image.width_px, image.notes, image.stated_um()) == (12, 20, ("a note",), {})


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((4, 4)), "is no image"),
        (np.zeros((4, 4, 2), np.uint8), "is no image"),
        (np.full((4, 4, 3), 2.0), "values outside 0 to 1"),
        (np.full((4, 4, 3), np.nan), "values outside 0 to 1"),
        (np.zeros((4, 4, 3), np.uint16), "16 bit"),
        (None, "has no 'x'"),
    ],
)
def test_what_is_no_image_is_a_line(tmp_path: Path, values: np.ndarray | None, words: str) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        if values is not None:
            file["x"] = values
        with pytest.raises(DataError, match=words):
            read_image(file, "x", where="a.h5")
