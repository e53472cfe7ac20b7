"""GeoJSON: every kind of container, areas and points, what is left out, what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.platforms.geojson import Drawing, read_geojson
from prestige.errors import DataError

pytest.importorskip("shapely", reason="the extra 'readers' is not installed")

SQUARE = {"type": "Polygon", "coordinates": [[[2, 1], [6, 1], [6, 5], [2, 5], [2, 1]]]}
HOLED = {
    "type": "Polygon",
    "coordinates": [
        [[0, 0], [8, 0], [8, 8], [0, 8], [0, 0]],
        [[0, 0], [4, 0], [4, 8], [0, 8], [0, 0]],
    ],
}
"""A hole that touches the outline, which is no valid polygon: the right half is left."""

POINT = {"type": "Point", "coordinates": [3.5, 7.25, 9]}
POINTS = {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}
LINE = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}


def feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def read(folder: Path, content: Any) -> Drawing:
    path = folder / "a.geojson"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_geojson(path)


@pytest.mark.parametrize(
    "content",
    [
        {"type": "FeatureCollection", "features": [feature(SQUARE)]},
        [feature(SQUARE)],
        feature(SQUARE),
        SQUARE,
        {"type": "GeometryCollection", "geometries": [SQUARE]},
        "\ufeff" + json.dumps(feature(SQUARE)),
    ],
)
def test_every_container_is_opened(tmp_path: Path, content: Any) -> None:
    found = read(tmp_path, content)
    xy, names = found.places()
    np.testing.assert_array_equal(xy, [[4, 3]])
    assert (names, found.notes, found.features[0].geometry.area) == (["1"], (), 16)


def test_points_and_areas_give_places(tmp_path: Path) -> None:
    found = read(tmp_path, [feature(POINT), feature(POINTS), feature(HOLED), feature(LINE), feature(None)])
    xy, names = found.places()
    np.testing.assert_allclose(xy, [[3.5, 7.25], [1, 2], [3, 4], [6, 4]])
    assert names == ["1", "2-1", "2-2", "3"]
    assert [one.is_area for one in found.features] == [False, False, True]
    assert found.notes == (
        "a.geojson: left out: 1 lines (they have no area)",
        "a.geojson: left out: 1 without a geometry",
        "a.geojson: polygons that cross themselves were made valid: 1 (3)",
    )


def test_ids_of_features_name_the_places(tmp_path: Path) -> None:
    features = [{**feature(SQUARE), "id": "a"}, feature(POINT, id="b")]
    assert read(tmp_path, features).places()[1] == ["a", "b"]
    assert read(tmp_path, [features[0], features[0]]).places()[1] == ["1", "2"]


def test_a_polygon_that_crosses_itself_is_made_valid(tmp_path: Path) -> None:
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [4, 4], [4, 0], [0, 4], [0, 0]]]}
    flat = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [8, 0], [0, 0]]]}
    found = read(tmp_path, [feature(bow), feature(flat)])
    assert [one.geometry.area for one in found.features] == [8]
    assert found.notes == (
        "a.geojson: left out: 1 without an area",
        "a.geojson: polygons that cross themselves were made valid: 1 (1)",
    )


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps(SQUARE).encode()))
    assert len(read_geojson(path).features) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        ("3", "holds no features"),
        ({"type": "FeatureCollection"}, "holds no features"),
        ([1], "feature 1 is no object"),
        ([], "holds neither areas nor points"),
        ([feature(LINE)], "holds neither areas nor points"),
        (feature({"type": "Circle"}), "feature 1 is of the type 'Circle'"),
        (feature({"type": ["Polygon"]}), "feature 1 is of the type"),
        (feature({"type": "Polygon"}), "feature 1 cannot be read"),
        (feature({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}), "feature 1 cannot be read"),
        (feature({"type": "Point", "coordinates": ["a", "b"]}), "feature 1 cannot be read"),
        (feature({"type": "Point", "coordinates": [float("nan"), 1]}), "feature 1 has coordinates that are"),
        ('{"type": "Point", "coordinates": [1e999, 1]}', "feature 1 has coordinates that are not finite"),
    ],
)
def test_what_is_no_drawing_is_a_line(tmp_path: Path, content: Any, words: str) -> None:
    with pytest.raises(DataError, match=words) as told:
        read(tmp_path, content)
    assert "a.geojson" in str(told.value)
    assert "\n" not in str(told.value)


@given(
    st.recursive(
        st.none() | st.integers(-3, 9) | st.floats() | st.sampled_from(["Point", "Polygon", "Feature", "x"]),
        lambda part: (
            st.lists(part, max_size=4)
            | st.dictionaries(st.sampled_from(["type", "coordinates", "features", "geometry", "id"]), part)
        ),
        max_leaves=12,
    )
)
def test_anything_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    folder = tmp_path_factory.mktemp("any")
    try:
        xy, names = read(folder, content).places()
    except DataError:
        return
    assert len(xy) == len(names) > 0
    assert np.isfinite(xy).all()


def test_drawings_of_qupath(shared_data: Path) -> None:
    folder = shared_data / "exports" / "geojson"
    found = read_geojson(folder / "qupath_xenium_breast" / "demo_annotations.geojson")
    classes = Counter(one.properties["classification"]["name"] for one in found.features)
    assert classes == {"Tumor cells": 22, "Stroma": 6}
    bounds = np.array([one.geometry.bounds for one in found.features])
    assert (bounds[:, 0].min(), bounds[:, 2].max()) == (607, 35_325)
    assert (bounds[:, 1].min(), bounds[:, 3].max()) == (28, 23_734)
    regions = read_geojson(folder / "qupath_xenium_breast" / "demo_regions.geojson")
    assert sorted(one.properties["name"] for one in regions.features) == ["Region 1", "Region 2", "Region 3"]
    points = read_geojson(folder / "qupath_xenium_breast" / "demo_points.geojson")
    assert len(points.features) == 1
    assert len(points.places()[0]) > 10
    shapes = {path.stem: path for path in (folder / "qupath_shapes").iterdir()}
    for name, path in shapes.items():
        if name in ("qupath-line", "qupath-polyline"):
            with pytest.raises(DataError, match="neither areas nor points"):
                read_geojson(path)
        else:
            assert len(read_geojson(path).features) == 1
    np.testing.assert_allclose(read_geojson(shapes["qupath-rectangle"]).places()[0], [[26_373, 15_386]])


def test_coordinates_beyond_all_images_are_refused(tmp_path: Path) -> None:
    """Their centroid was no number, and no fault."""
    for far in (1.1e9, -1e308):
        ring = [[0, 0], [far, far], [far, 0], [0, far], [0, 0]]
        with pytest.raises(DataError, match=r"feature 1 has coordinates that are .* beyond 1,000,000,000"):
            read(tmp_path, {"type": "Polygon", "coordinates": [ring]})


def test_cells_are_taken_without_the_annotations_round_about_them(tmp_path: Path) -> None:
    cells = [feature(SQUARE, objectType="cell"), feature(POINT, objectType="detection")]
    found = read(tmp_path, [feature(HOLED, objectType="annotation"), *cells, feature(HOLED)]).objects()
    assert [one.properties["objectType"] for one in found.features] == ["cell", "detection"]
    assert found.notes[-1] == (
        "1 cells and 1 detections were taken; left out beside them: 2 (annotations, cores of arrays)"
    )
    drawn = read(tmp_path, [feature(HOLED, objectType="annotation"), feature(POINT)])
    assert drawn.objects() is drawn
    alone = read(tmp_path, cells)
    assert alone.objects() is alone
