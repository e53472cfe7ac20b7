"""OME-Zarr of both versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import zarr

from prestige.data.slides.images import image_of
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError

from .phantoms import halved, picture

Version = Literal[2, 3]


def written(
    folder: Path,
    *levels: np.ndarray,
    version: Version = 3,
    axes: str = "cyx",
    labels: tuple[str, ...] = (),
    unit: str | None = "micrometer",
    um: float = 0.5,
    **how: Any,
) -> Path:
    """Write an image of levels whose axes are those named, with the chunks of 32 px."""
    group = zarr.open_group(folder, mode="w", zarr_format=version)
    for number, level in enumerate(levels):
        chunks = tuple(32 if axis in "yx" else 1 for axis in axes)
        group.create_array(str(number), data=level, **{"chunks": chunks, **how})
    named = [{"name": axis, **({"unit": unit} if axis in "yx" and unit else {})} for axis in axes]
    scale = [um if axis in "yx" else 1.0 for axis in axes]
    datasets = [
        {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        for number in range(len(levels))
    ]
    said: dict[str, Any] = {"multiscales": [{"axes": named, "datasets": datasets}]}
    if labels:
        said["omero"] = {"channels": [{"label": label} for label in labels]}
    group.attrs.update(said if version == 2 else {"ome": {"version": "0.5", **said}})
    return folder


PIXELS = picture(70, 100)
CYX = np.ascontiguousarray(PIXELS.transpose(2, 0, 1))


def decoded(folder: Path) -> np.ndarray:
    target = folder.with_name("slide")
    image_of(folder).write(target)
    return np.array(open_pixels(target))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["cyx", "yxc", "tczyx", "zycx"])
def test_axes_are_taken_by_their_names(tmp_path: Path, version: Version, axes: str) -> None:
    order = ["yxc".find(axis) for axis in axes if axis in "yxc"]
    content = PIXELS.transpose(order)
    for place, axis in enumerate(axes):
        if axis in "tz":
            content = np.expand_dims(content, place)
    folder = written(tmp_path / "a.zarr", np.ascontiguousarray(content), version=version, axes=axes)
    np.testing.assert_array_equal(decoded(folder), PIXELS)
    image = image_of(folder)
    assert (image.height_px, image.width_px, image.notes) == (70, 100, ())
    assert image.stated_um() == pytest.approx({"scale": 0.5})
    np.testing.assert_array_equal(image.read(0, 40, 20, 50, 30), PIXELS[20:50, 40:90])


def test_colours_are_taken_by_their_names(tmp_path: Path) -> None:
    folder = written(tmp_path / "a.zarr", CYX[::-1].copy(), labels=("Blue", "Green", "Red"))
    np.testing.assert_array_equal(decoded(folder), PIXELS)


def test_a_fourth_channel_that_is_called_alpha_is_put_on_white(tmp_path: Path) -> None:
    alpha = np.full((1, 70, 100), 255, np.uint8)
    alpha[:, :30] = 0
    rgba = np.concatenate([CYX, alpha])
    found = decoded(written(tmp_path / "a.zarr", rgba, labels=("r", "g", "b", "a")))
    assert (found[:30] == 255).all()
    np.testing.assert_array_equal(found[30:], PIXELS[30:])
    with pytest.raises(DataError, match="the image has 4 channels"):
        image_of(written(tmp_path / "b.zarr", rgba))


def test_levels_are_by_their_shapes_in_whichever_order(tmp_path: Path) -> None:
    half = np.ascontiguousarray(halved(PIXELS, 2).transpose(2, 0, 1))
    odd = np.zeros((3, 70, 20), np.uint8)
    image = image_of(written(tmp_path / "a.zarr", half, CYX, odd))
    assert [(one.height_px, one.width_px, one.downsample) for one in image.levels] == [
        (70, 100, 1),
        (35, 50, 2),
    ]
    np.testing.assert_array_equal(image.read(1, 3, 4, 9, 8), halved(PIXELS, 2)[4:12, 3:12])


def test_the_largest_image_of_rgb_is_the_slide(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    written(tmp_path / "a.zarr" / "0", np.zeros((3, 40, 40), np.uint8), version=2)
    written(tmp_path / "a.zarr" / "1", CYX, version=2)
    written(tmp_path / "a.zarr" / "2", np.zeros((1, 400, 400), np.uint8), version=2)
    image = image_of(tmp_path / "a.zarr")
    assert (image.height_px, image.width_px) == (70, 100)
    assert image.notes == (
        "image 1 of a.zarr (100 x 70 px) was read, the largest that is no label or macro image; 2 lie beside "
        "it",
    )
    written(tmp_path / "a.zarr" / "3", CYX, version=2)
    with pytest.raises(
        DataError, match=r"2 images have the most pixels: 1, 3.*name the one that is meant \(a.zarr/1\)"
    ):
        image_of(tmp_path / "a.zarr")
    np.testing.assert_array_equal(decoded(tmp_path / "a.zarr" / "1"), PIXELS)


@pytest.mark.parametrize("shards", [None, (3, 64, 64)])
def test_chunks_that_are_not_stored_are_white_and_told(
    tmp_path: Path, shards: tuple[int, ...] | None
) -> None:
    image = CYX.copy()
    image[:, :64, 64:] = 0
    chunks = (3, 32, 32)
    folder = written(
        tmp_path / "a.zarr", image, chunks=chunks, shards=shards, config={"write_empty_chunks": False}
    )
    opened = image_of(folder)
    expected = PIXELS.copy()
    expected[:64, 64:] = 255
    np.testing.assert_array_equal(decoded(folder), expected)
    assert opened.notes == ("4 of 12 chunks of a.zarr are not stored: they were filled with white",)
    blank, words = opened.on_no_pixels(np.array([[63.0, 3.0], [64.0, 3.0], [99.0, 63.4], [99.0, 64.0]]))
    assert (blank.tolist(), words) == ([1, 2], "4 of 12 chunks are not stored")


def test_smaller_levels_are_white_there_too_or_left_out(tmp_path: Path) -> None:
    """One that lost more than the largest would hide tissue."""
    image = CYX.copy()
    image[:, :64, 64:] = 0
    small = np.ascontiguousarray(halved(image.transpose(1, 2, 0), 2).transpose(2, 0, 1))
    small[:, :32, 32:] = 0
    how: dict[str, Any] = {"chunks": (3, 32, 32), "config": {"write_empty_chunks": False}}
    opened = image_of(written(tmp_path / "a.zarr", image, small, **how))
    assert (opened.read(1, 32, 0, 18, 32) == 255).all()
    np.testing.assert_array_equal(opened.read(1, 0, 0, 32, 35), small[:, :, :32].transpose(1, 2, 0))
    assert len(image_of(written(tmp_path / "b.zarr", CYX, small, **how)).levels) == 1


@pytest.mark.parametrize("version", [2, 3])
def test_a_shape_far_beyond_what_is_stored_is_refused(tmp_path: Path, version: Version) -> None:
    folder = written(tmp_path / "a.zarr", CYX, version=version)
    file = folder / "0" / (".zarray" if version == 2 else "zarr.json")
    file.write_text(json.dumps({**json.loads(file.read_text()), "shape": [3, 3_000_000, 100]}))
    with pytest.raises(DataError, match="but 36 of its 1,125,000 chunks are stored; expected a whole image"):
        image_of(folder)


def test_one_colour_that_is_not_stored_is_black_in_that_colour(tmp_path: Path) -> None:
    image = CYX.copy()
    image[1] = 0
    folder = written(tmp_path / "a.zarr", image, config={"write_empty_chunks": False})
    assert image_of(folder).notes == ()
    np.testing.assert_array_equal(image_of(folder).read(0, 0, 0, 100, 70), image.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("levels", "how", "said"),
    [
        ([CYX.astype(np.uint16)], {}, "the image is 16 bit"),
        ([CYX[:2].copy()], {}, "the image has 2 channels"),
        ([np.stack([CYX, CYX])], {"axes": "zcyx"}, "the image has 2 focal planes"),
        ([np.stack([CYX, CYX])], {"axes": "tcyx"}, "the image has 2 points in time"),
        ([CYX[0].copy()], {"axes": "yx"}, "has the axes y, x"),
    ],
)
def test_what_is_no_slide_is_refused(
    tmp_path: Path, levels: list[np.ndarray], how: dict[str, Any], said: str
) -> None:
    with pytest.raises(DataError, match=rf"a\.zarr: {said}"):
        image_of(written(tmp_path / "a.zarr", *levels, **how))


def test_a_width_needs_a_unit_of_length_and_square_pixels(tmp_path: Path) -> None:
    assert image_of(written(tmp_path / "a.zarr", CYX, unit=None)).stated_um() == {}
    assert image_of(written(tmp_path / "b.zarr", CYX, unit="unit")).stated_um() == {}
    for number, unit in enumerate(("um", "\u00b5m", "micron", "micrometre")):
        image = image_of(written(tmp_path / f"{number}.zarr", CYX, unit=unit, um=0.25))
        assert image.stated_um() == pytest.approx({"scale": 0.25})
    found = image_of(written(tmp_path / "c.zarr", CYX, unit="millimeter", um=0.00025)).stated_um()
    assert found == pytest.approx({"scale": 0.25})


def test_stores_of_many_images_ask_for_one(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
    root.attrs["spatialdata_attrs"] = {"version": "0.2"}
    written(tmp_path / "a.zarr" / "images" / "he", CYX)
    with pytest.raises(DataError, match=r"is a store, and no image.*name the image in it \(images/he\)"):
        image_of(tmp_path / "a.zarr")
    np.testing.assert_array_equal(decoded(tmp_path / "a.zarr" / "images" / "he"), PIXELS)
    plate = zarr.open_group(tmp_path / "b.zarr", mode="w", zarr_format=2)
    plate.attrs["plate"] = {}
    with pytest.raises(DataError, match="is a plate of many images"):
        image_of(tmp_path / "b.zarr")


def test_a_level_that_is_missing_or_a_chunk_that_is_cut_off_is_told(tmp_path: Path) -> None:
    folder = written(tmp_path / "a.zarr", CYX, chunks=(3, 32, 32))
    chunk = folder / "0" / "c" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match=r"a\.zarr"):
        image_of(folder).write(tmp_path / "slide")
    (folder / "0" / "zarr.json").unlink()
    with pytest.raises(DataError, match="its largest level is not there"):
        image_of(folder)


@pytest.mark.parametrize("how", [{"name": "label image"}, {"unit": None}])
def test_a_larger_image_beside_the_slide_is_not_taken_for_it(
    tmp_path: Path, how: dict[str, str | None]
) -> None:
    folder = tmp_path / "a.zarr"
    zarr.open_group(folder, mode="w").attrs["ome"] = {"bioformats2raw.layout": 3}
    written(folder / "0", CYX)
    beside = np.ascontiguousarray(picture(90, 120).transpose(2, 0, 1))
    written(folder / "1", beside, unit=how.get("unit", "micrometer"))
    group = zarr.open_group(folder / "1", mode="r+")
    said = group.attrs.asdict()
    said["ome"]["multiscales"][0]["name"] = how.get("name", "")
    group.attrs.update(said)
    assert (image_of(folder).width_px, image_of(folder).height_px) == (100, 70)


@pytest.mark.parametrize(
    ("labels", "colours", "order"),
    [
        (("Channel 0", "Channel 1", "Channel 2"), ("0000FF", "00ff00", "FF0000"), (2, 1, 0)),
        (("Red", "Green", "Blue"), ("0000FF", "00FF00", "FF0000"), (0, 1, 2)),
        (("", "", ""), ("0000FF", "00FF00", "FFFFFF"), (0, 1, 2)),
    ],
)
def test_channels_without_names_are_told_by_how_they_are_shown(
    tmp_path: Path, labels: tuple[str, ...], colours: tuple[str, ...], order: tuple[int, ...]
) -> None:
    folder = written(tmp_path / "a.zarr", CYX)
    group = zarr.open_group(folder, mode="r+")
    said = group.attrs.asdict()
    said["ome"]["omero"] = {
        "channels": [{"label": label, "color": colour} for label, colour in zip(labels, colours, strict=True)]
    }
    group.attrs.update(said)
    np.testing.assert_array_equal(decoded(folder), PIXELS[..., list(order)])
