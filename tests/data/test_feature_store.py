"""The store of features: what was put in is found, by any process, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.feature_store import FeatureStore
from prestige.errors import StorageError

PLACES = st.lists(st.tuples(st.integers(-50, 70_000), st.integers(-50, 70_000)), max_size=30)


def of(start: np.ndarray) -> np.ndarray:
    """Return features that say where they belong."""
    return np.column_stack([start[:, 0], start[:, 1], start.sum(axis=1)]).astype(np.float32)


def places(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@given(first=PLACES, second=PLACES, asked=PLACES)
def test_what_was_added_is_found_and_nothing_else(tmp_path_factory, first, second, asked) -> None:
    folder = tmp_path_factory.mktemp("store")
    store = FeatureStore(folder, "key", 3)
    for pairs in (first, second):
        store.add(places(pairs), of(places(pairs)))
    store.refresh()
    wanted = places([*asked, *first, *second])
    known = {*first, *second}
    for one in (store, FeatureStore(folder, "key", 3)):
        found, there = one.find(wanted)
        assert there.tolist() == [tuple(pair) in known for pair in wanted.tolist()]
        np.testing.assert_array_equal(found[there], of(wanted)[there])
        assert (found[~there] == 0).all()
        assert len(one) == len(known)


def test_another_process_sees_what_was_added_after_a_look(tmp_path: Path) -> None:
    mine, other = FeatureStore(tmp_path, "key", 3), FeatureStore(tmp_path, "key", 3)
    start = places([(1, 2), (3, 4)])
    other.add(start, of(start))
    assert not mine.find(start)[1].any()
    mine.refresh()
    assert mine.find(start)[1].all()


def test_stores_of_other_keys_are_apart(tmp_path: Path) -> None:
    start = places([(1, 2)])
    FeatureStore(tmp_path, "one", 3).add(start, of(start))
    assert len(FeatureStore(tmp_path, "two", 3)) == 0


@pytest.mark.parametrize("fault", ["values.npy", "places.npy", "short", "width"])
def test_a_broken_chunk_is_passed_over(tmp_path: Path, fault: str) -> None:
    store = FeatureStore(tmp_path, "key", 3)
    start = places([(1, 2), (3, 4)])
    store.add(start, of(start))
    (chunk,) = store.folder.glob("*.chunk")
    if fault == "short":
        (chunk / "values.npy").write_bytes((chunk / "values.npy").read_bytes()[:-4])
    elif fault == "width":
        np.save(chunk / "values.npy", np.zeros((2, 4), np.float32))
    else:
        (chunk / fault).unlink()
    assert len(FeatureStore(tmp_path, "key", 3)) == 0


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FeatureStore(tmp_path, "key", 3)
    original = np.save

    def full(path: Path, values: np.ndarray) -> None:
        if path.name == "values.npy":
            raise OSError(28, "No space left on device")
        original(path, values)

    monkeypatch.setattr(np, "save", full)
    start = places([(1, 2)])
    with pytest.raises(StorageError, match="the disk is full"):
        store.add(start, of(start))
    assert list(store.folder.iterdir()) == []


def test_a_chunk_that_was_changed_is_passed_over_and_an_older_one_is_read(tmp_path: Path) -> None:
    start = np.array([[1, 2], [3, 4]])
    FeatureStore(tmp_path, "key", 2).add(start, np.ones((2, 2), np.float32))
    (chunk,) = (tmp_path / "features" / "key").glob("*.chunk")
    values = (chunk / "values.npy").read_bytes()
    (chunk / "values.npy").write_bytes(values[:-1] + b"x")
    assert not FeatureStore(tmp_path, "key", 2).find(start)[1].any()
    (chunk / "values.npy").write_bytes(values)
    assert FeatureStore(tmp_path, "key", 2).find(start)[1].all()
    for text in ("", "[]", '{"values.npy": 3}'):
        (chunk / "sums.json").write_text(text)
        assert not FeatureStore(tmp_path, "key", 2).find(start)[1].any()
    (chunk / "sums.json").unlink()
    assert FeatureStore(tmp_path, "key", 2).find(start)[1].all()
