"""Stretches of lists in HDF5: the same numbers as h5py gives, however they are stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.hdf5 import spans
from prestige.data.hdf5.spans import read_span

N = 1000
WAYS: dict[str, dict[str, Any]] = {
    "gzip": {"compression": "gzip", "chunks": (64,)},
    "one chunk": {"compression": "gzip", "chunks": (N,)},
    "shuffled": {"compression": "gzip", "shuffle": True, "chunks": (64,)},
    "checked": {"compression": "gzip", "fletcher32": True, "chunks": (64,)},
    "lzf": {"compression": "lzf", "chunks": (64,)},
    "chunks": {"chunks": (64,)},
    "whole": {},
    "big-endian": {"compression": "gzip", "chunks": (64,), "dtype": ">i4"},
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return an open file of lists, one a way of storing."""
    values = np.random.default_rng(0).integers(0, 50, N)
    with h5py.File(tmp_path_factory.mktemp("spans") / "a.h5", "w") as file:
        for name, how in WAYS.items():
            for kind in ("i4", "i8", "u2", "f4"):
                file.create_dataset(f"{name} {kind}", data=values, **{"dtype": kind, **how})
        sparse = file.create_dataset("sparse", shape=(N,), dtype="i4", compression="gzip", chunks=(64,))
        sparse[100:120] = 7
        yield file


@pytest.mark.parametrize("name", list(WAYS))
@given(a=st.integers(0, N), b=st.integers(0, N), kind=st.sampled_from(("i4", "i8", "u2", "f4")))
def test_any_stretch_of_any_list(stored: Any, name: str, a: int, b: int, kind: str) -> None:
    data = stored[f"{name} {kind}"]
    found = read_span(data, min(a, b), max(a, b))
    assert found.dtype == data.dtype
    np.testing.assert_array_equal(found, data[min(a, b) : max(a, b)])


def test_chunks_that_were_never_written(stored: Any) -> None:
    np.testing.assert_array_equal(read_span(stored["sparse"], 90, 110), [0] * 10 + [7] * 10)


def test_the_fast_way_is_taken(stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(spans._chunks(stored["gzip i8"], 60, 70)) == 2
    assert spans._chunks(stored["shuffled i8"], 60, 70) == []


def test_a_damaged_chunk_is_an_error(tmp_path: Path) -> None:
    import zlib

    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=np.arange(N), compression="gzip", chunks=(64,))
        for damaged in (b"x" * 40, zlib.compress(bytes(8 * 63)), zlib.compress(bytes(8 * 65))):
            data.id.write_direct_chunk((64,), damaged)
            with pytest.raises(Exception, match=r"chunk|deflate|DEFLATE"):
                read_span(data, 0, N)
