"""Centres of a store's cells: what the mask, its type and its transformations say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.stores.labels import labels_in, read_centres
from prestige.data.stores.zarrs import element, level0
from prestige.errors import DataError

IMAGE, MASK = "images/HE_original", "images/HE_nuc_original"
IDS = np.array([7, 3, 11, 5])
CENTRES = np.array([[15.5, 10.5], [5, 3], [59, 39], [20.5, 24.5]])


def centres(store: Any, path: Path, zarr_format: int = 2) -> tuple[np.ndarray, list[str]]:
    if not path.exists():
        store.write(path, zarr_format)
    return read_centres(path, MASK, IMAGE, IDS, store.image)


def scales(path: Path, element: str, zarr_format: int = 2, **changed: Any) -> None:
    """Change what an image says of its scales."""
    file = path / element / (".zattrs" if zarr_format == 2 else "zarr.json")
    content = json.loads(file.read_text())
    image = content if zarr_format == 2 else content["attributes"]["ome"]
    image["multiscales"][0].update(changed)
    file.write_text(json.dumps(content))


def to(kind: str, system: str = "global", **values: Any) -> dict[str, Any]:
    return {"type": kind, "output": {"name": system}, **values}


def test_the_centres_and_nothing_to_say(store: Any, tmp_path: Path) -> None:
    xy_px, notes = centres(store, tmp_path / "s.zarr")
    np.testing.assert_array_equal(xy_px, CENTRES)
    assert notes == []


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.int64, np.uint64, np.uint8])
def test_masks_of_any_whole_numbers(store: Any, tmp_path: Path, dtype: Any) -> None:
    background = -1 if np.issubdtype(dtype, np.signedinteger) else 0
    store.mask = np.where(store.mask == 0, background, store.mask).astype(dtype)
    np.testing.assert_array_equal(centres(store, tmp_path / "s.zarr")[0], CENTRES)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_are_read_where_they_are_stored(store: Any, tmp_path: Path, zarr_format: int) -> None:
    """A shape that is far larger than the files are says nothing of how long they take."""
    path = store.write(tmp_path / "s.zarr", zarr_format)
    for element_ in (IMAGE, MASK):
        file = path / element_ / "0" / (".zarray" if zarr_format == 2 else "zarr.json")
        content = json.loads(file.read_text())
        content["shape"] = [content["shape"][0], 1 << 23, content["shape"][2]]
        file.write_text(json.dumps(content))
    ids = labels_in(path, MASK, ("c", "y", "x"))
    np.testing.assert_array_equal(ids, np.unique(store.mask[store.mask > 0]))
    with pytest.raises(DataError, match=f"{IMAGE}: declares .* chunks"):
        read_centres(path, MASK, IMAGE, IDS, store.image)


def test_a_label_in_two_places_is_noted(store: Any, tmp_path: Path) -> None:
    store.mask[36:40, 40:44] = 3
    notes = centres(store, tmp_path / "s.zarr")[1]
    assert len(notes) == 1
    assert "two places" in notes[0]
    assert notes[0].endswith("1 (3)")


@pytest.mark.parametrize(
    ("mask", "ids", "said"),
    [
        (lambda m: m.astype(np.float32), IDS, "1 channel of float32; .*write the labels as uint32"),
        (lambda m: m > 0, IDS, "1 channel of bool"),
        (lambda m: m.astype(np.uint8), [3, 300], "labels of uint8 end at 255 and begin again at 0"),
        (lambda m: m, [3, 8], "take these cells off the tables"),
        (lambda m: m, [100, 101], "check that the ids of the table are the labels of this mask"),
        (lambda m: m[:30], [3], "is 60 x 30 px, the image 60 x 40"),
    ],
)
def test_a_mask_that_does_not_fit_gets_a_remedy_that_works(
    store: Any, tmp_path: Path, mask: Any, ids: Any, said: str
) -> None:
    store.mask = mask(store.mask)
    path = store.write(tmp_path / "s.zarr", 2)
    with pytest.raises(DataError, match=said):
        read_centres(path, MASK, IMAGE, np.array(ids), store.image)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_the_same_transformation_of_both_is_none(store: Any, tmp_path: Path, zarr_format: int) -> None:
    path = store.write(tmp_path / "s.zarr", zarr_format)
    for name in (IMAGE, MASK):
        scales(path, name, zarr_format, coordinateTransformations=[to("scale", scale=[1, 0.2, 0.2])])
    xy_px, notes = centres(store, path)
    np.testing.assert_array_equal(xy_px, CENTRES)
    assert notes == []


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_that_are_shifted_are_moved_onto_the_image(
    store: Any, tmp_path: Path, zarr_format: int
) -> None:
    path = store.write(tmp_path / "s.zarr", zarr_format)
    scales(path, IMAGE, zarr_format, coordinateTransformations=[to("identity")])
    shift = to("translation", translation=[0, -2, -3])
    scales(path, MASK, zarr_format, coordinateTransformations=[shift, to("identity", "other")])
    xy_px, notes = centres(store, path)
    np.testing.assert_allclose(xy_px, CENTRES - [3, 2])
    assert ["another frame" in note for note in notes] == [True]


def test_labels_of_another_resolution_are_brought_to_the_image_by_their_scale(
    store: Any, tmp_path: Path
) -> None:
    """A label that covers image pixels 6 to 9 in x and 4 to 7 in y has its centre at 7.5, 5.5."""
    store.mask = np.zeros((20, 30), dtype=np.uint32)
    store.mask[2:4, 3:5] = 3
    path = store.write(tmp_path / "s.zarr", 2)
    with pytest.raises(DataError, match=r"is 30 x 20 px, the image 60 x 40; .*or a transformation"):
        read_centres(path, MASK, IMAGE, np.array([3]), store.image)
    scales(path, IMAGE, coordinateTransformations=[to("identity")])
    scales(path, MASK, coordinateTransformations=[to("scale", scale=[1, 2, 2])])
    xy_px, _ = read_centres(path, MASK, IMAGE, np.array([3]), store.image)
    np.testing.assert_allclose(xy_px, [[7.5, 5.5]])


def test_two_frames_that_do_not_meet_are_refused(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    scales(path, IMAGE, coordinateTransformations=[to("identity", "he")])
    scales(path, MASK, coordinateTransformations=[to("identity", "dapi")])
    with pytest.raises(DataError, match="lies in dapi, the image in he"):
        centres(store, path)
    scales(path, MASK, coordinateTransformations=[to("displacements", "he")])
    with pytest.raises(DataError, match="a transformation of the kind 'displacements'"):
        centres(store, path)


def level(path: str, width: float) -> dict[str, Any]:
    return {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [1.0, width, width]}]}


def test_the_largest_level_is_taken_wherever_it_stands(store: Any, tmp_path: Path) -> None:
    import zarr

    path = store.write(tmp_path / "s.zarr", 2)
    group = zarr.open_group(path / MASK, mode="a")
    group.create_array("half", data=np.ascontiguousarray(store.mask[None, ::2, ::2]))
    for datasets in ([level("half", 2), level("0", 1)], [level("0", 1), level("half", 2)]):
        scales(path, MASK, datasets=datasets)
        np.testing.assert_array_equal(centres(store, path)[0], CENTRES)
    scales(path, MASK, datasets=[level("half", 2), level("gone", 1)])
    with pytest.raises(DataError, match="the level of full resolution is not there"):
        centres(store, path)
    scales(path, MASK, datasets=[level("0", 1), level("gone", 4)])  # a smaller one is not missed
    np.testing.assert_array_equal(centres(store, path)[0], CENTRES)


@pytest.mark.parametrize(
    ("names", "order"),
    [("bgr", [2, 1, 0]), (("Red", "Green", "Blue"), [0, 1, 2]), ((0, 1, 2), [0, 1, 2]), ((), [0, 1, 2])],
)
def test_channels_have_the_colours_of_their_names(
    store: Any, tmp_path: Path, names: Any, order: list[int]
) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    file = path / IMAGE / ".zattrs"
    content = json.loads(file.read_text())
    if names:
        content["omero"] = {"channels": [{"label": name} for name in names]}
    file.write_text(json.dumps(content))
    with element(path, IMAGE) as group:
        assert level0(group, "a").rgb == order


def test_ids_are_compared_to_the_last_digit(store: Any, tmp_path: Path) -> None:
    ids = np.array([2**53 + 1, 2**53])
    store.mask = np.where(store.mask == 3, ids[0], np.where(store.mask == 7, ids[1], 0)).astype(np.int64)
    path = store.write(tmp_path / "s.zarr", 3)
    xy_px, _ = read_centres(path, MASK, IMAGE, ids, store.image)
    np.testing.assert_array_equal(xy_px, CENTRES[[1, 0]])
    assert pd.Index(ids).is_unique
