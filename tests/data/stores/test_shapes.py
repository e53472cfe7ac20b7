"""Ids and centres of shapes, from parquet and from the arrays of the oldest stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
import zarr

from prestige.data.stores.shapes import read_shapes, shape_frames
from prestige.errors import DataError

NAME = "shapes/cells"


def write(path: Path, geometries: Any, index: Any = None, **more: Any) -> Path:
    """Write an element of shapes; without an index the shapes are numbered."""
    group = zarr.open_group(path / NAME, mode="w", zarr_format=3)
    group.attrs.update({"axes": ["x", "y"], "coordinateTransformations": [{"type": "identity"}]})
    geo = {"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}}
    columns = {"geometry": pa.array(list(geometries), type=pa.binary())}
    said: list[Any] = [{"kind": "range", "start": 5, "stop": 5 + len(geometries), "step": 1}]
    if index is not None:
        columns["id"], said = pa.array(index), ["id"]
    metadata = {"geo": json.dumps(geo), "pandas": json.dumps({"index_columns": said})}
    table = pa.table(columns).replace_schema_metadata({**metadata, **more})
    pq.write_table(table, path / NAME / "shapes.parquet")
    return path


def wkb(*geometries: Any) -> list[bytes]:
    return [shapely.to_wkb(one) for one in geometries]


def test_centres_and_ids(tmp_path: Path) -> None:
    ring = shapely.box(0, 0, 6, 6).difference(shapely.box(3, 0, 6, 6))
    found = read_shapes(write(tmp_path, wkb(shapely.Point(1, 2), ring), ["b", "a"]), NAME)
    assert list(found.ids) == ["b", "a"]
    np.testing.assert_allclose(found.xy, [[1, 2], [1.5, 3]])
    np.testing.assert_array_equal(found.frames["global"], np.eye(3))
    counted = read_shapes(write(tmp_path, wkb(shapely.Point(1, 2), ring)), NAME)
    assert list(counted.ids) == [5, 6]


def test_numbers_beyond_the_floats_stay_apart(tmp_path: Path) -> None:
    ids = [2**53, 2**53 + 1, 2**63 - 1]
    points = wkb(*(shapely.Point(i, i) for i in range(3)))
    assert read_shapes(write(tmp_path, points, ids), NAME).ids.tolist() == ids


def test_a_polygon_that_crosses_itself_has_the_centre_of_what_it_covers(tmp_path: Path) -> None:
    """Signed areas of a bow tie cancel: their centre is nowhere near it."""
    tie = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4), (0, 0)])
    np.testing.assert_allclose(read_shapes(write(tmp_path, wkb(tie)), NAME).xy, [[2, 2]])


def test_a_shape_without_a_place_has_none(tmp_path: Path) -> None:
    found = read_shapes(write(tmp_path, [*wkb(shapely.Point(1, 1), shapely.Point()), None]), NAME)
    np.testing.assert_array_equal(np.isnan(found.xy).any(axis=1), [False, True, True])


@pytest.mark.parametrize(
    ("geometries", "index", "said"),
    [
        (
            wkb(shapely.LineString([(0, 0), (1, 1)])),
            None,
            "1 of its shapes are no circles or polygons but linestring",
        ),
        ([b"\x01\x02"], None, "cannot be read"),
        ([b""], None, "cannot be read"),
        (wkb(shapely.Point(0, 0)), [None], "1 shapes have no id|no id"),
    ],
)
def test_what_is_no_shape_is_refused(tmp_path: Path, geometries: Any, index: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_shapes(write(tmp_path, geometries, index), NAME)


def test_a_column_that_is_named_and_not_there(tmp_path: Path) -> None:
    lost = json.dumps({"index_columns": ["gone"]})
    with pytest.raises(DataError, match="has no column 'gone'"):
        read_shapes(write(tmp_path, wkb(shapely.Point(0, 0)), pandas=lost), NAME)


def test_a_range_of_another_length_is_refused(tmp_path: Path) -> None:
    said = json.dumps({"index_columns": [{"kind": "range", "start": 0, "stop": 10**12, "step": 1}]})
    with pytest.raises(DataError, match="0 ids of 1 shapes"):
        read_shapes(write(tmp_path, wkb(shapely.Point(0, 0)), pandas=said), NAME)


def test_more_than_a_file_can_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, [bytes(1 << 20)] * 2)
    for limit in ("_FREE_BYTES", "_MOST_RATIO"):
        monkeypatch.setattr(f"prestige.data.platforms.parquet.{limit}", 0)
    with pytest.raises(DataError, match=r"declares 2 rows of [0-9,]+ bytes, of which"):
        read_shapes(path, NAME)


@pytest.mark.parametrize("encoding", ["point", "polygon", "multipolygon"])
def test_geoarrow(tmp_path: Path, encoding: str) -> None:
    import geopandas

    boxes = [shapely.box(0, 0, 2, 2), shapely.box(4, 4, 8, 8)]
    shapes = {
        "point": [shapely.centroid(box) for box in boxes],
        "polygon": boxes,
        "multipolygon": [shapely.MultiPolygon([box]) for box in boxes],
    }[encoding]
    path = write(tmp_path, wkb(*boxes))
    frame = geopandas.GeoDataFrame(geometry=shapes, index=pd.Index(["a", "b"]))
    frame.to_parquet(path / NAME / "shapes.parquet", geometry_encoding="geoarrow")
    found = read_shapes(path, NAME)
    assert list(found.ids) == ["a", "b"]
    np.testing.assert_allclose(found.xy, [[1, 1], [6, 6]])


def test_polygons_of_the_oldest_stores(tmp_path: Path) -> None:
    boxes = [shapely.box(0, 0, 2, 2), shapely.box(4, 4, 8, 8)]
    kind, coords, offsets = shapely.to_ragged_array(boxes)
    group = zarr.open_group(tmp_path / NAME, mode="w", zarr_format=2)
    group.create_array("coords", data=coords)
    group.create_array("Index", data=np.array([7, 3]))
    for number, one in enumerate(offsets):
        group.create_array(f"offset{number}", data=np.asarray(one, dtype=np.int64))
    said = {"spatialdata_attrs": {"geos": {"name": "POLYGON", "type": int(kind)}}}
    group.attrs.update({"coordinateTransformations": [{"type": "identity"}], **said})
    found = read_shapes(tmp_path, NAME)
    assert list(found.ids) == [7, 3]
    np.testing.assert_allclose(found.xy, [[1, 1], [6, 6]])


def test_shapes_of_a_real_store_as_the_library_sees_them(shared_data: Path) -> None:
    path = shared_data / "exports" / "spatialdata" / "mouse_ileum_xenium_zarr2.zarr"
    if not path.is_dir():
        pytest.skip(f"no store at {path}")
    import geopandas

    for name in ("cell_circles", "cell_boundaries", "nucleus_boundaries"):
        found = read_shapes(path, f"shapes/{name}")
        frame = geopandas.read_parquet(path / "shapes" / name / "shapes.parquet")
        assert list(found.ids) == list(frame.index)
        centres = frame.geometry.centroid
        np.testing.assert_allclose(found.xy, np.column_stack([centres.x, centres.y]))
        assert shape_frames(path, f"shapes/{name}")["global"][0, 0] == pytest.approx(1 / 0.2125)
