"""The file of a slide."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from prestige.data.slide import checked_image, new_pixels, open_pixels
from prestige.errors import DataError


def test_pixels_come_back_read_only(tmp_path: Path) -> None:
    wanted = np.random.default_rng(0).integers(0, 255, (7, 5, 3), dtype=np.uint8)
    with new_pixels(tmp_path / "s.npy", 7, 5) as pixels:
        pixels[:] = wanted
    found = open_pixels(tmp_path / "s.npy")
    np.testing.assert_array_equal(found, wanted)
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match=r"read-only"):
        found[0] = 0


def test_room_is_claimed_before_pixels_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space"), new_pixels(tmp_path / "s.npy", 7, 5):
        raise AssertionError("pixels were given out")


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"holds uint8 of shape \(4, 4\)"):
        open_pixels(tmp_path / "a.npy")
    np.save(tmp_path / "b.npy", np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "b.npy").write_bytes((tmp_path / "b.npy").read_bytes()[:999])
    with pytest.raises(DataError, match=r"cannot be read"):
        open_pixels(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"cannot be read"):
        open_pixels(tmp_path / "c.npy")


def test_empty_images_are_refused() -> None:
    assert checked_image((4, 5, 3), np.dtype(np.uint8), where="x") == (4, 5)
    with pytest.raises(DataError, match=r"x: the image is empty"):
        checked_image((0, 5, 3), np.dtype(np.uint8), where="x")
