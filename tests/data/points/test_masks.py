"""Centres of labels in masks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from prestige.data.points.masks import centres_of
from prestige.errors import DataError

LAYOUTS: list[dict[str, Any]] = [
    {},
    {"tile": (16, 32), "compression": "deflate", "predictor": True},
    {"rowsperstrip": 7, "compression": "lzw"},
    {"bigtiff": True, "tile": (64, 64), "byteorder": ">"},
]


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.sampled_from(["u1", "u2", "u4", "i4"]), st.sampled_from([None, *LAYOUTS])
)
def test_centres_are_those_of_scipy(
    tmp_path_factory: pytest.TempPathFactory, seed: int, kind: str, layout: dict[str, Any] | None
) -> None:
    rng = np.random.default_rng(seed)
    mask = np.kron(rng.integers(0, 40, (9, 7)), np.ones((7, 11), int)).astype(kind)
    path = tmp_path_factory.mktemp("mask") / "mask"
    if layout is None:
        path = path.with_suffix(".npy")
        np.save(path, mask)
    else:
        tifffile.imwrite(path, mask, **layout)
    xy, labels, _ = centres_of(path, is_numpy=layout is None, height=63, width=77)
    expected = np.unique(mask[mask > 0])
    np.testing.assert_array_equal(labels, expected)
    yx = np.array(ndimage.center_of_mass(np.ones(mask.shape), mask, expected))
    np.testing.assert_allclose(xy, yx[:, ::-1])


def test_one_object_that_is_drawn_out_is_an_object(tmp_path: Path) -> None:
    mask = np.zeros((40, 600), np.uint8)
    mask[20, 10:510] = 3
    tifffile.imwrite(tmp_path / "a.tif", mask, tile=(16, 16))
    xy, labels, notes = centres_of(tmp_path / "a.tif", is_numpy=False, height=40, width=600)
    assert (xy.tolist(), labels.tolist()) == ([[259.5, 20.0]], [3])
    assert "are drawn out: 1 (3)" in notes[0]
    mask[20, 100:140] = 0  # two whole tiles of it
    tifffile.imwrite(tmp_path / "a.tif", mask, tile=(16, 16))
    with pytest.raises(DataError, match=r"holds one label \(3\), in several places"):
        centres_of(tmp_path / "a.tif", is_numpy=False, height=40, width=600)


def test_a_label_in_two_places_is_told(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint16)
    mask[:2, :2] = mask[-2:, -2:] = 5
    np.save(tmp_path / "a.npy", mask)
    with pytest.raises(DataError, match=r"holds one label \(5\), in several places.*skimage.measure.label"):
        centres_of(tmp_path / "a.npy", is_numpy=True, height=40, width=60)
    mask[20, 20] = 6
    np.save(tmp_path / "a.npy", mask)
    notes = centres_of(tmp_path / "a.npy", is_numpy=True, height=40, width=60)[2]
    assert notes == ("labels of a.npy that lie in two places or are drawn out: 1 (5)",)


def test_what_is_no_mask_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.ones((40, 60), np.uint16), tile=(16, 16))
    path.write_bytes(path.read_bytes()[:-900])
    with pytest.raises(DataError, match=r"a.tif: cannot be read"):
        centres_of(path, is_numpy=False, height=40, width=60)
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"a.npy: cannot be read"):
        centres_of(tmp_path / "a.npy", is_numpy=True, height=40, width=60)
    tifffile.imwrite(path, np.ones((40, 60), np.float32))
    with pytest.raises(DataError, match=r"holds 40 x 60 values of float32; .*save the labels as one channel"):
        centres_of(path, is_numpy=False, height=40, width=60)


def test_what_would_change_labels_or_places_is_a_line(tmp_path: Path) -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[3:9, 4:8], mask[20:25, 30:40] = 7, 2
    path = tmp_path / "a.tif"
    turned, twice, lossy = (
        {"extratags": [(274, 3, 1, 6, True)]},
        np.stack([mask, mask]),
        {"compression": "jpeg"},
    )
    for values, how, words in (
        (mask, turned, r"turned or mirrored \(orientation 6\)"),
        (twice, {}, "holds 2 pages of 60 x 40 px"),
        (mask, lossy, "compressed by JPEG"),
    ):
        tifffile.imwrite(path, values, **how)
        with pytest.raises(DataError, match=words):
            centres_of(path, is_numpy=False, height=40, width=60)
    objects: Any = {"masks": mask}
    for values, words in (
        (objects, r"cellpose's _seg.npy .*save the masks as an image \(--save_tif\)"),
        (mask.astype(np.uint64) + np.uint64(2**63), "labels beyond 9,223,372,036,854,775,807"),
        (mask.astype(np.int16) - 3, "negative labels: .*-3"),
    ):
        np.save(tmp_path / "a.npy", values, allow_pickle=True)
        with pytest.raises(DataError, match=words):
            centres_of(tmp_path / "a.npy", is_numpy=True, height=40, width=60)


def test_nuclei_of_a_real_section(shared_data: Path) -> None:
    path = shared_data / "pancreas_xenium" / "nuclei.tif"
    with pytest.raises(DataError, match=r"nuclei.tif: is 17078 x 6885 px, the image 100 x 100"):
        centres_of(path, is_numpy=False, height=100, width=100)
