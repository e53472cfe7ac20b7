"""Tables written whole, and with X row by row: the same bytes, and a clean end on a full disk."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.data.hdf5.h5ad import h5ad_by_rows, write_h5ad


def table() -> AnnData:
    obs = pd.DataFrame({"kind": list("abcd") * 50}, index=[f"cell-{i}" for i in range(200)])
    counts = csr_matrix(np.random.default_rng(0).poisson(0.5, (200, 40)).astype(np.float32))
    return AnnData(counts, obs=obs, uns={"prestige": {"schema": "x", "log1p": True}})


def dense(x: np.ndarray) -> AnnData:
    n, g = x.shape
    obs = pd.DataFrame({"sample": pd.Categorical(["S"] * n)}, index=[f"cell-{i}" for i in range(n)])
    var = pd.DataFrame({"train_mean": np.arange(g) / 7}, index=[f"G{i}" for i in range(g)])
    centres: dict[str, Any] = {"spatial": np.ones((n, 2))}
    return AnnData(x, obs=obs, var=var, obsm=centres, uns={"prestige": {"schema": "x", "total": 1.5}})


def hollow(n: int, g: int) -> AnnData:
    return dense(np.broadcast_to(np.float32(0), (n, g)))


def values(n: int, g: int) -> np.ndarray:
    return np.random.default_rng(n).random((n, g), dtype=np.float32)


def test_a_table_is_written_as_anndata_writes_it(tmp_path: Path) -> None:
    write_h5ad(table(), tmp_path / "ours.h5ad")
    table().write_h5ad(tmp_path / "theirs.h5ad")
    ours, theirs = (anndata.read_h5ad(tmp_path / f"{name}.h5ad") for name in ("ours", "theirs"))
    np.testing.assert_array_equal(ours.X.toarray(), theirs.X.toarray())  # type: ignore[union-attr]
    pd.testing.assert_frame_equal(ours.obs, theirs.obs)
    assert dict(ours.uns["prestige"]) == dict(theirs.uns["prestige"])


@pytest.mark.parametrize(("n", "g"), [(1, 1), (3, 2), (70, 300), (5000, 40), (4, 0)])
def test_row_by_row_gives_the_same_bytes(tmp_path: Path, n: int, g: int) -> None:
    x = values(n, g)
    write_h5ad(dense(x), tmp_path / "whole.h5ad")
    with h5ad_by_rows(hollow(n, g), tmp_path / "ours.h5ad") as write:
        for rows in np.array_split(np.random.default_rng(0).permutation(n), 1 + n // 100):
            write(rows, x[rows])
    assert (tmp_path / "ours.h5ad").read_bytes() == (tmp_path / "whole.h5ad").read_bytes()


@given(st.permutations(range(9)), st.sets(st.integers(1, 8)))
def test_rows_may_come_in_any_order_and_number(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cuts: set[int]
) -> None:
    path, x = tmp_path_factory.mktemp("rows") / "t.h5ad", values(9, 3)
    with h5ad_by_rows(hollow(9, 3), path) as write:
        for rows in np.split(np.array(order), sorted(cuts)):
            write(rows, x[rows].astype(np.float64))
    np.testing.assert_array_equal(np.asarray(anndata.read_h5ad(path).X), x)


def test_a_row_that_is_forgotten_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="2 of 5 rows of X were never written"),
        h5ad_by_rows(hollow(5, 3), tmp_path / "t.h5ad") as write,
    ):
        write(np.array([3, 0, 1]), values(3, 3))


def test_what_is_in_memory_does_not_grow_with_x(tmp_path: Path) -> None:
    n, g = 2000, 6000  # 48 MB
    rows = values(50, g)
    with h5ad_by_rows(hollow(4, 4), tmp_path / "first.h5ad") as write:
        write(np.arange(4), values(4, 4))
    tracemalloc.start()
    try:
        with h5ad_by_rows(hollow(n, g), tmp_path / "t.h5ad") as write:
            for first in range(n - 50, -1, -50):
                write(np.arange(first, first + 50), rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "t.h5ad").stat().st_size > 4 * n * g
    assert peak < 4 * n * g / 8


def whole(path: Path) -> None:
    write_h5ad(table(), path)


def by_rows(path: Path) -> None:
    with h5ad_by_rows(hollow(200, 40), path) as write:
        for first in range(0, 200, 20):
            write(np.arange(first, first + 20), values(20, 40))


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], None]]:
    """Let files that are opened for writing end after some bytes, one bit of a write at a time."""
    room = 0

    class SmallDisk(io.FileIO):
        def write(self, data: Any) -> int:
            fits = room - self.tell()
            if fits <= 0 and len(data):
                raise OSError(28, "No space left on device")
            return super().write(data[:fits])

    def opened(path: Path, mode: str = "r", *_: Any, **__: Any) -> Any:
        return io.BufferedWriter(SmallDisk(str(path), mode))

    def limit(size: int) -> None:
        nonlocal room
        room = size
        monkeypatch.setattr(Path, "open", opened)

    yield limit
    monkeypatch.undo()


@pytest.mark.parametrize("written", [whole, by_rows])
def test_wherever_the_disk_runs_full_an_oserror_says_so(
    tmp_path: Path, written: Callable[[Path], None], small_disk: Callable[[int], None]
) -> None:
    """HDF5 itself would answer with a RuntimeError, with noise for each open object, or with a crash."""
    path = tmp_path / "t.h5ad"
    written(path)
    size = path.stat().st_size
    for room in (0, 1, 90, *range(500, size - 1, max(1, size // 12)), size - 1):
        small_disk(room)
        with pytest.raises(OSError, match="No space left on device"):
            written(path)
