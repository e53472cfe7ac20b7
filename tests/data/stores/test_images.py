"""The image of a store: what may be H&E, and what of it is on the disk."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from prestige.data.stores.images import damaged_colours, is_bright, picture, stored_in, write_image
from prestige.data.stores.on_disk import StoredChunks
from prestige.data.stores.zarrs import element, level0
from prestige.errors import DataError

NAME = "images/HE"


def write(path: Path, pixels: np.ndarray, zarr_format: Any = 3, **layout: Any) -> Path:
    group = zarr.open_group(path / NAME, mode="w", zarr_format=zarr_format)
    group.create_array("0", data=pixels, **layout)
    scales = {"multiscales": [{"axes": [{"name": a} for a in "cyx"], "datasets": [{"path": "0"}]}]}
    group.attrs.update(scales if zarr_format == 2 else {"ome": scales})
    return path


def stored(path: Path) -> StoredChunks:
    with element(path, NAME, whole=False) as group:
        return stored_in(path, NAME, level0(group, "image"))


def lost(path: Path) -> list[list[int]]:
    """Return row and column of the chunks that are not stored."""
    return np.argwhere(~stored(path).there).tolist()


def pixels(dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 200, (3, 40, 50)).astype(dtype)


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ({"chunks": (3, 16, 16)}, [[1, 3]]),
        ({"chunks": (1, 16, 16)}, [[1, 3]]),
        ({"chunks": (3, 8, 8), "shards": (3, 16, 16)}, [[2, 6], [3, 6]]),
    ],
)
def test_files_that_are_not_there(tmp_path: Path, layout: dict[str, Any], expected: list[list[int]]) -> None:
    path = write(tmp_path, pixels(), **layout)
    assert lost(path) == []
    (path / NAME / "0/c/0/1/3").unlink()
    assert lost(path) == expected
    places = np.array([[48, 16], [47.4, 16], [49, 31.4], [49, 32], [np.nan, 20], [60, 20], [-9, 20]])
    found = stored(path).under(places)
    np.testing.assert_array_equal(found, [True, False, True, False, False, False, False])
    write_image(path, NAME, tmp_path / "slide", stored=stored(path))
    made, shown = np.load(tmp_path / "slide"), pixels().transpose(1, 2, 0)
    shown[16:32, 48:] = 255
    np.testing.assert_array_equal(made, shown)


@pytest.mark.parametrize("chunks", [(3, 8, 8), (1, 8, 8)])
def test_chunks_that_a_shard_does_not_hold(tmp_path: Path, chunks: tuple[int, ...]) -> None:
    """Two of a shard's four chunks hold the fill value alone and are left out; nothing else is."""
    image = pixels()
    image[:, 16:24, 24:32] = 0
    image[:, 24:32, 16:24] = 0
    path = write(tmp_path, image, chunks=chunks, shards=(3, 16, 16), config={"write_empty_chunks": False})
    assert lost(path) == [[2, 3], [3, 2]]
    places = np.array([[24, 16], [23.4, 16], [31.4, 23.4], [32, 23], [20, 30], [20, 20]])
    np.testing.assert_array_equal(stored(path).under(places), [True, False, True, False, True, False])
    write_image(path, NAME, tmp_path / "slide", stored=stored(path))
    shown = image.transpose(1, 2, 0)
    shown[16:24, 24:32] = shown[24:32, 16:24] = 255
    np.testing.assert_array_equal(np.load(tmp_path / "slide"), shown)
    assert is_bright(path, NAME)


def test_a_colour_that_was_not_copied_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, pixels(), chunks=(1, 16, 16))
    shutil.rmtree(path / NAME / "0/c/2")
    with pytest.raises(DataError, match=f"{path}, {NAME}: the image has no blue"):
        write_image(path, NAME, tmp_path / "slide", stored=stored(path))


def test_chunks_that_are_left_out_may_be_filled_with_white(tmp_path: Path) -> None:
    image = pixels()
    image[:, 16:32, 16:32] = 255
    path = write(tmp_path, image, chunks=(3, 16, 16), fill_value=255, config={"write_empty_chunks": False})
    assert not (path / NAME / "0/c/0/1/1").exists()
    assert lost(path) == []
    write_image(path, NAME, tmp_path / "slide", stored=stored(path))
    np.testing.assert_array_equal(np.load(tmp_path / "slide"), image.transpose(1, 2, 0))


def test_files_of_the_second_format(tmp_path: Path) -> None:
    path = write(tmp_path, pixels(), 2, chunks=(3, 16, 16))
    (path / NAME / "0" / "0.2.0").unlink()
    assert lost(path) == [[2, 0]]


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
    write_image(path, NAME, tmp_path / "slide", stored=stored(path))
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
