"""Which chunks of an image are on the disk, whatever its axes and however they are kept in files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st
from zarr.codecs import BytesCodec, ShardingCodec

from prestige.data.stores.on_disk import StoredChunks, stored_chunks, stored_windows
from prestige.errors import DataError

SHAPE, CHUNKS, SHARDS = {"c": 3, "y": 20, "x": 26, "z": 1}, {"y": 4, "x": 8}, {"y": 8, "x": 16}


def array_of(
    folder: Path, axes: str, *, content: np.ndarray | None = None, sharded: bool = True, **how: Any
) -> Any:
    group = zarr.open_group(folder, mode="w", zarr_format=3)
    shape = tuple(SHAPE[axis] for axis in axes)
    layout: Any = {"chunks": tuple(CHUNKS.get(axis, 1) for axis in axes)}
    if sharded:
        layout["shards"] = tuple(SHARDS.get(axis, SHAPE[axis]) for axis in axes)
    content = np.ones(shape, np.uint8) if content is None else content
    return group.create_array("0", data=content, config={"write_empty_chunks": False}, **layout, **how)


def there(folder: Path, array: Any, axes: str) -> np.ndarray:
    return stored_chunks(array, folder, tuple(axes), "an image").there


@pytest.mark.parametrize("axes", ["cyx", "yxc", "xyc", "czyx"])
@pytest.mark.parametrize("sharded", [True, False])
def test_what_is_left_out_is_found_along_all_axes(tmp_path: Path, axes: str, sharded: bool) -> None:
    content = np.ones([SHAPE[axis] for axis in "czyx"], np.uint8)
    content[:, :, 4:8, 8:16] = 0
    content[:, :, 16:, 24:] = 0
    content = content.transpose(["czyx".index(axis) for axis in (axes if "z" in axes else f"{axes}z")])
    content = np.ascontiguousarray(content if "z" in axes else content[..., 0])
    array = array_of(tmp_path, axes, content=content, sharded=sharded)
    expected = np.ones((5, 4), dtype=bool)
    expected[1, 1] = expected[4, 3] = False
    np.testing.assert_array_equal(there(tmp_path, array, axes), expected)


def test_an_index_without_checksum(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    content = np.ones((3, 16, 32), np.uint8)
    content[:, 4:8, 8:16] = 0
    shards = ShardingCodec(chunk_shape=(3, 4, 8), index_codecs=[BytesCodec()])
    how: Any = {"serializer": shards, "compressors": None, "config": {"write_empty_chunks": False}}
    array = group.create_array("0", data=content, chunks=(3, 16, 32), **how)
    assert np.argwhere(~there(tmp_path, array, "cyx")).tolist() == [[1, 1]]


def test_one_colour_that_is_left_out(tmp_path: Path) -> None:
    """Of a colour that is stored nowhere nothing is missing; of one that is stored elsewhere it is."""
    content = np.ones((3, 20, 26), np.uint8)
    content[1] = 0
    assert there(tmp_path, array_of(tmp_path, "cyx", content=content), "cyx").all()
    content[2, :4, :8] = 0
    found = there(tmp_path, array_of(tmp_path, "cyx", content=content), "cyx")
    assert np.argwhere(~found).tolist() == [[0, 0]]
    assert not there(tmp_path, array_of(tmp_path, "cyx", content=0 * content), "cyx").any()


def test_another_fill_value_is_as_good_as_stored(tmp_path: Path) -> None:
    array = array_of(tmp_path, "cyx", content=np.full((3, 20, 26), 255, np.uint8), fill_value=255)
    assert not list(tmp_path.rglob("c/*"))
    assert there(tmp_path, array, "cyx").all()


def test_a_shard_that_is_cut_off_is_told(tmp_path: Path) -> None:
    array = array_of(tmp_path, "cyx")
    (tmp_path / "0/c/0/1/1").write_bytes(b"1234")
    with pytest.raises(DataError, match=r"an image: cannot be read \(a shard is cut off\)"):
        there(tmp_path, array, "cyx")


def test_each_index_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = array_of(tmp_path, "cyx")
    real, opened = Path.open, []

    def spied(path: Path, *given: Any, **named: Any) -> Any:
        opened.append(path.relative_to(tmp_path).as_posix())
        return real(path, *given, **named)

    monkeypatch.setattr(Path, "open", spied)
    stored_chunks(array, tmp_path, tuple("cyx"), "an image")
    assert sorted(opened) == [f"0/c/0/{y}/{x}" for y in range(3) for x in range(2)]


def test_more_chunks_than_any_image_has_are_refused(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    layout: Any = {"shape": (3, 1 << 14, 1 << 14), "chunks": (3, 1, 1), "shards": (3, 1 << 11, 1 << 11)}
    array = group.create_array("0", dtype=np.uint8, **layout)
    with pytest.raises(DataError, match="declares 268,435,456 chunks; expected at most 67,108,864"):
        there(tmp_path, array, "cyx")


@pytest.mark.parametrize("fill", [0, 255])
@pytest.mark.parametrize(
    ("shape", "chunks"), [((3, 1_000_000, 128), (1, 64, 64)), ((3, 1 << 18, 1 << 18), (3, 1 << 11, 1 << 11))]
)
def test_a_shape_far_beyond_what_is_stored_is_refused(
    tmp_path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], fill: int
) -> None:
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    array = group.create_array("0", shape=shape, chunks=chunks, dtype=np.uint8, fill_value=fill)
    array[:, :64, :128] = 7
    sizes = [-(-size // chunk) for size, chunk in zip(shape, chunks, strict=True)]
    stored, declared = (6 if chunks[0] == 1 else 1), int(np.prod(sizes))
    said = f"an image: declares .* but {stored} of its {declared:,} chunks are stored"
    with pytest.raises(DataError, match=said):
        there(tmp_path, array, "cyx")


def test_what_is_sparse_is_not_refused(tmp_path: Path) -> None:
    """A biopsy on a whole slide: one chunk in 400 is stored."""
    group = zarr.open_group(tmp_path, mode="w", zarr_format=2)
    array = group.create_array("0", shape=(3, 12800, 12800), chunks=(3, 128, 128), dtype=np.uint8)
    array[:, 1280:1408, :3200] = 7
    found = there(tmp_path, array, "cyx")
    assert (found.sum(), found.shape) == (25, (100, 100))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (8, 16)])
def test_files_that_are_there_are_the_windows(tmp_path: Path, zarr_format: Any, shards: Any) -> None:
    """However large the declared shape is."""
    if shards and zarr_format == 2:
        pytest.skip("the second format has no shards")
    group = zarr.open_group(tmp_path, mode="w", zarr_format=zarr_format)
    layout: Any = {"shape": (1 << 40, 100), "chunks": (4, 8), "shards": shards, "dtype": np.uint32}
    array = group.create_array("0", **layout)
    array[(1 << 39) + 5, 97] = array[2, 17] = 1
    (tmp_path / "0" / "1.notes").write_text("")
    (tmp_path / "0" / "99.99").write_text("")
    rows, columns = shards or (4, 8)
    far = ((1 << 39) + 5) // rows * rows
    assert stored_windows(array, tmp_path, ("y", "x"), "labels") == [
        (slice(0, rows), slice(16, 16 + columns)),
        (slice(far, far + rows), slice(96, 100)),
    ]


def test_all_windows_where_the_fill_value_is_not_0(tmp_path: Path) -> None:
    group = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    layout: Any = {"chunks": (4, 8), "dtype": np.uint32, "fill_value": 7}
    array = group.create_array("0", shape=(6, 8), **layout)
    whole = [(slice(0, 4), slice(0, 8)), (slice(4, 6), slice(0, 8))]
    assert stored_windows(array, tmp_path, ("y", "x"), "labels") == whole
    array = group.create_array("1", shape=(1 << 40, 8), **layout)
    with pytest.raises(DataError, match=r"labels: declares 1,099,511,627,776 x 8 values, but 0 of its"):
        stored_windows(array, tmp_path, ("y", "x"), "labels")


@given(st.data())
def test_places_and_parts_lie_on_the_chunk_of_their_pixel(data: st.DataObject) -> None:
    kept = np.array(data.draw(st.lists(st.booleans(), min_size=20, max_size=20))).reshape(5, 4)
    chunks = StoredChunks(kept, 4, 8, 20, 26)
    of_pixel = kept.repeat(4, axis=0).repeat(8, axis=1)[:20, :26]
    x, y = data.draw(st.integers(-3, 28)), data.draw(st.integers(-3, 22))
    inside = 0 <= x < 26 and 0 <= y < 20
    found = chunks.under(np.array([[x + 0.3, y - 0.4], [np.nan, y]]))
    assert found.tolist() == [inside and not of_pixel[y, x], False]
    left, top = data.draw(st.integers(0, 25)), data.draw(st.integers(0, 19))
    at = slice(top, data.draw(st.integers(top + 1, 20))), slice(left, data.draw(st.integers(left + 1, 26)))
    part = np.full((20, 26, 3), 7, np.uint8)[at]
    expected = np.where(of_pixel[at][..., None], part, 255)
    np.testing.assert_array_equal(chunks.on_white(part, *at), expected)
    assert chunks.lost == 20 - kept.sum()
