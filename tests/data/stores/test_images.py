"""The image of a store: what may be H&E, and what of it is on the disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from prestige.data.stores.images import damaged_colours, is_bright, not_stored, picture, under, write_image
from prestige.data.stores.zarrs import element, level0
from prestige.errors import DataError

NAME = "images/HE"


def write(path: Path, pixels: np.ndarray, zarr_format: Any = 3, **layout: Any) -> Path:
    group = zarr.open_group(path / NAME, mode="w", zarr_format=zarr_format)
    group.create_array("0", data=pixels, **layout)
    scales = {"multiscales": [{"axes": [{"name": a} for a in "cyx"], "datasets": [{"path": "0"}]}]}
    group.attrs.update(scales if zarr_format == 2 else {"ome": scales})
    return path


def pixels(dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 200, (3, 40, 50)).astype(dtype)


@pytest.mark.parametrize(
    "layout",
    [{"chunks": (3, 16, 16)}, {"chunks": (1, 16, 16)}, {"chunks": (3, 8, 8), "shards": (3, 16, 16)}],
)
def test_files_that_are_not_there(tmp_path: Path, layout: dict[str, Any]) -> None:
    path = write(tmp_path, pixels(), **layout)

    def lost() -> list[tuple[slice, slice]]:
        with element(path, NAME, whole=False) as group:
            return not_stored(path, NAME, level0(group, "image"))

    assert lost() == []
    (path / NAME / "0/c/0/1/3").unlink()
    windows = lost()
    assert windows == [(slice(16, 32), slice(48, 50))]
    places = np.array([[48, 16], [47.4, 16], [49, 31.4], [49, 32], [np.nan, 20], [60, 20], [-9, 20]])
    with element(path, NAME, whole=False) as group:
        found = under(level0(group, "image"), windows, places)
    np.testing.assert_array_equal(found, [True, False, True, False, False, False, False])
    write_image(path, NAME, tmp_path / "slide", of_any_kind=True)
    made, expected = np.load(tmp_path / "slide"), pixels().transpose(1, 2, 0)
    expected[16:32, 48:] = 255
    np.testing.assert_array_equal(made, expected)


def test_files_of_the_second_format(tmp_path: Path) -> None:
    path = write(tmp_path, pixels(), 2, chunks=(3, 16, 16))
    (path / NAME / "0" / "0.2.0").unlink()
    with element(path, NAME, whole=False) as group:
        assert not_stored(path, NAME, level0(group, "image")) == [(slice(32, 40), slice(0, 16))]


def test_a_channel_of_opacity_puts_pixels_on_white(tmp_path: Path) -> None:
    bright = 120 + pixels() // 2
    opaque = np.where(np.arange(50) < 20, 255, 0).astype(np.uint8)[None, None].repeat(40, axis=1)
    path = write(tmp_path, np.concatenate([opaque, bright[::-1]]), chunks=(4, 16, 16))
    assert str(picture(path, NAME).why_not).startswith(f"{path}, {NAME}: the image has 4 channels")
    group = zarr.open_group(path / NAME, mode="a")
    ome: Any = group.attrs["ome"]
    group.attrs["ome"] = {**ome, "omero": {"channels": [{"label": name} for name in "abgr"]}}
    assert picture(path, NAME).why_not is None
    assert is_bright(path, NAME)
    write_image(path, NAME, tmp_path / "slide", of_any_kind=True)
    made = np.load(tmp_path / "slide")
    np.testing.assert_array_equal(made[:, :20], bright.transpose(1, 2, 0)[:, :20])
    assert (made[:, 20:] == 255).all()


def test_what_may_be_histology(tmp_path: Path) -> None:
    assert picture(write(tmp_path / "a", pixels()), NAME).why_not is None
    other = picture(write(tmp_path / "b", pixels(np.uint16)), NAME)
    assert str(other) == "images/HE (3 channels of uint16)"
    assert isinstance(other.why_not, DataError)
    lost = picture(write(tmp_path / "c", pixels()[:1]), NAME)
    assert str(lost) == "images/HE (1 channel of uint8)"


def test_white_that_was_decoded_as_if_it_were_ycbcr_is_noted() -> None:
    sound = pixels().transpose(1, 2, 0)
    assert damaged_colours(sound, NAME) == []
    damaged = sound.copy()
    damaged[:10] = (255, 121, 255)
    assert "25% of the image is (255, 121, 255)" in damaged_colours(damaged, NAME)[0]
    assert "the colours of HE were probably damaged" in damaged_colours(damaged, NAME)[0]
