"""Outlines of nuclei: centroids, several nuclei of one cell, label images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.platforms.xenium.nuclei import Outlines, read_outlines
from prestige.errors import DataError

IDS = pd.Index(["a", "b", "c"], dtype=object)
SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4), (0, 0)]  # centroid 2, 2, area 16
LONG = [(10, 0), (18, 0), (18, 4), (10, 4), (10, 0)]  # centroid 14, 2, area 32


def written(path: Path, rings: list[tuple[str, list[tuple[float, float]]]], labels: bool) -> Path:
    rows = [(cell, x, y, number) for number, (cell, ring) in enumerate(rings) for x, y in ring]
    table = pd.DataFrame(rows, columns=["cell_id", "vertex_x", "vertex_y", "label_id"])
    (table if labels else table.drop(columns="label_id")).to_parquet(path)
    return path


@pytest.mark.parametrize("labels", [True, False])
def test_several_nuclei_of_a_cell_are_weighted_by_area(tmp_path: Path, labels: bool) -> None:
    rings = [("a", SQUARE), ("a", LONG), ("c", LONG), ("stranger", SQUARE)]
    found = read_outlines(written(tmp_path / "n.parquet", rings, labels), IDS)
    assert found.starts.tolist() == [0, 5, 10]
    assert found.cells.tolist() == [0, 0, 2]
    np.testing.assert_allclose(
        found.centroids(3), [[10, 2], [np.nan, np.nan], [14, 2]]
    )  # (2 * 16 + 14 * 32) / 48


def test_outlines_of_no_area_lie_in_the_middle_of_their_vertices(tmp_path: Path) -> None:
    rings = [("a", [(1.0, 1.0)]), ("b", [(0.0, 0.0), (2.0, 2.0)])]
    found = read_outlines(written(tmp_path / "n.parquet", rings, True), IDS)
    np.testing.assert_allclose(found.centroids(3)[:2], [[1, 1], [1, 1]])


def test_no_outlines_are_no_centroids(tmp_path: Path) -> None:
    path = written(tmp_path / "n.parquet", [("a", SQUARE)], True)
    assert np.isnan(Outlines(np.zeros((0, 2)), np.zeros(0, int), np.zeros(0, int)).centroids(3)).all()
    with pytest.raises(DataError, match=r"names none of the cells.*such as 'd'"):
        read_outlines(path, pd.Index(["d"], dtype=object))
    path = written(tmp_path / "n.parquet", [], True)
    with pytest.raises(DataError, match=r"holds no outlines; .*; take the line centre_of: nucleus away"):
        read_outlines(path, IDS)


@pytest.mark.parametrize("labels", [True, False])
def test_vertices_in_no_order_are_no_outlines(tmp_path: Path, labels: bool) -> None:
    path = written(tmp_path / "n.parquet", [(name, SQUARE) for name in IDS for _ in range(5)], labels)
    table = pd.read_parquet(path)
    read_outlines(path, IDS)
    table.sample(frac=1.0, random_state=0).to_parquet(path)
    with pytest.raises(
        DataError, match=r"outlines have fewer than 3 vertices one below another; .* sort its"
    ):
        read_outlines(path, IDS)


@given(
    st.floats(0, 2 * np.pi),
    st.floats(1, 20),
    st.floats(1, 20),
    st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)),
    st.integers(9, 25),
    st.booleans(),
)
def test_an_ellipse_lies_at_its_centre(
    angle: float, a: float, b: float, centre: tuple[float, float], n: int, clockwise: bool
) -> None:
    t = np.linspace(0, 2 * np.pi, n)[:: -1 if clockwise else 1]
    x, y = a * np.cos(t), b * np.sin(t)
    ring = (
        np.column_stack([x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)])
        + centre
    )
    found = Outlines(ring, np.array([0]), np.array([1])).centroids(2)
    np.testing.assert_allclose(found[1], centre, atol=1e-6)


def test_centroids_are_those_of_shapely(shared_data: Path) -> None:
    shapely = pytest.importorskip("shapely")
    path = shared_data / "exports" / "xenium" / "mouse_ileum_nucexp_xoa3" / "nucleus_boundaries.parquet"
    table = pd.read_parquet(path)
    ids = pd.Index(table["cell_id"].unique(), dtype=object)
    found = read_outlines(path, ids).centroids(len(ids))
    for number, (_, ring) in enumerate(table.groupby("cell_id", sort=False)):
        middle = shapely.Polygon(ring[["vertex_x", "vertex_y"]].to_numpy(np.float64)).centroid
        np.testing.assert_allclose(found[number], (middle.x, middle.y), atol=1e-4)


def test_labels_are_drawn_on_the_image(tmp_path: Path) -> None:
    rings = [("a", SQUARE), ("c", [(-50, -50), (-40, -50), (-40, -40)])]
    outlines = read_outlines(written(tmp_path / "n.parquet", rings, True), IDS)
    labels = outlines.drawn(20, 12, lambda xy_um: 2 * xy_um[:, ::-1])  # turned, half a um a pixel
    assert labels.dtype == np.uint32
    y, x = np.nonzero(labels == 1)
    assert (x.min(), x.max(), y.min(), y.max()) == (0, 8, 0, 8)
    assert (x.mean(), y.mean()) == pytest.approx((4, 4), abs=0.5)
    assert set(np.unique(labels)) == {0, 1}
