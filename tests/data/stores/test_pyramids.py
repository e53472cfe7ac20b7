"""The levels of an OME-Zarr: axes, sizes, scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from prestige.data.stores.pyramids import pyramid_of
from prestige.errors import DataError


def group_with(folder: Path, shapes: dict[str, tuple[int, ...]], axes: str, **multiscale: Any) -> Any:
    group = zarr.open_group(folder, mode="w", zarr_format=2)
    for path, shape in shapes.items():
        group.create_array(path, data=np.ones(shape, np.uint8), chunks=shape)
    datasets = [
        {"path": path, "coordinateTransformations": [{"type": "scale", "scale": [2.0] * len(axes)}]}
        for path in shapes
    ]
    said = {
        "axes": [{"name": axis, "unit": "micrometer"} for axis in axes],
        "datasets": datasets,
        **multiscale,
    }
    group.attrs["multiscales"] = [said]
    return group


def test_scales_of_a_level_and_of_all_are_multiplied(tmp_path: Path) -> None:
    more = [{"type": "scale", "scale": [1.0, 0.25, 0.5]}, {"type": "translation", "translation": [0, 9, 9]}]
    group = group_with(tmp_path / "a", {"s": (3, 8, 6)}, "cyx", coordinateTransformations=more)
    found = pyramid_of(group, "a")
    assert found.scales == {"c": 2.0, "y": 0.5, "x": 1.0}
    assert found.units == dict.fromkeys("cyx", "micrometer")
    assert (found.shape_px, found.file_px, found.size("t")) == ((8, 6), (8, 6), 1)


def test_only_what_is_smaller_by_one_factor_is_a_level(tmp_path: Path) -> None:
    shapes = {"a": (3, 40, 60), "b": (3, 20, 30), "c": (3, 20, 60), "d": (3, 13, 20), "e": (1, 10, 15)}
    assert pyramid_of(group_with(tmp_path / "a", shapes, "cyx"), "a").sizes_px == (
        (40, 60),
        (20, 30),
        (13, 20),
    )


@pytest.mark.parametrize(
    ("axes", "shape", "said"),
    [
        ("yx", (8, 6), "the axes y, x"),
        ("cyxq", (3, 8, 6, 1), "the axes"),
        ("cyx", (3, 8), "other axes than it says"),
    ],
)
def test_other_axes_are_refused(tmp_path: Path, axes: str, shape: tuple[int, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        pyramid_of(group_with(tmp_path / "a", {"s": shape}, axes), "a")


def test_metadata_that_say_nothing_are_a_line(tmp_path: Path) -> None:
    group = group_with(tmp_path / "a", {"s": (3, 8, 6)}, "cyx")
    group.attrs["multiscales"] = []
    with pytest.raises(DataError, match="a: cannot be read"):
        pyramid_of(group, "a")
