"""The file of a slide."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from prestige.data.slides.slide import (
    checked_image,
    new_pixels,
    open_pixels,
    pixels_under,
)
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
    with pytest.raises(DataError, match=r"b.npy: has 999 bytes, and 4,928 by its head"):
        open_pixels(tmp_path / "b.npy")
    with pytest.raises(DataError, match=r"c.npy: no such file"):
        open_pixels(tmp_path / "c.npy")


def _with_head(path: Path, head: str) -> Path:
    text = head.ljust(117).encode() + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(48))
    return path


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("{'descr': '|u1', 'fortran_order': True, 'shape': (4, 4, 3), }", "column by column"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000, 1000000, 3), }", "by its head"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, -4, 3), }", "holds uint8 of shape"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (4, 4, 3), }", "holds object"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4.5, 3), }", "cannot be read"),
        ("{'descr': '|u1', 'fortran_order': False, 'shape': (4, 4, 3)", "cannot be read"),
        ("[" * 100, "cannot be read"),
    ],
)
def test_the_head_of_a_slide_is_looked_at_before_it_is_mapped(tmp_path: Path, head: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_pixels(_with_head(tmp_path / "s.npy", head))


def test_a_slide_that_is_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", a=np.zeros(3))
    with pytest.raises(DataError, match=r"cannot be read"):
        open_pixels(tmp_path / "s.npz")
    with pytest.raises(DataError, match=r"is a folder"):
        open_pixels(tmp_path)


def test_empty_images_are_refused() -> None:
    assert checked_image((4, 5, 3), np.dtype(np.uint8), where="x") == (4, 5)
    with pytest.raises(DataError, match=r"x: the image is empty"):
        checked_image((0, 5, 3), np.dtype(np.uint8), where="x")


def test_the_pixel_under_a_place() -> None:
    """Its centre has whole coordinates: an image of 3 x 2 pixels reaches from -0.5 to 2.5 and 1.5."""
    places = np.array([[-0.5, -0.5], [2.49, 1.49], [1.4, 0.6], [2.5, 0], [0, 1.5], [-0.51, 0], [np.nan, 0]])
    inside, x, y = pixels_under(places, 3, 2)
    assert (inside.tolist(), x.tolist(), y.tolist()) == ([0, 1, 2], [0, 2, 1], [0, 1, 1])
