"""What tables describe, and which instance each of their rows is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from prestige.data.stores.annotations import Annotation, annotation_of, matched, rows_of
from prestige.errors import DataError

LINK = Annotation(("a", "b"), "where", "which")


def group(tmp_path: Path, uns: dict[str, Any] | None, **attributes: Any) -> Any:
    anndata.settings.auto_shard_zarr_v3 = False
    made = zarr.open_group(tmp_path, mode="w", zarr_format=3)
    made.attrs.update(attributes)
    if uns is not None:
        anndata.io.write_elem(made, "uns/spatialdata_attrs", uns)
    return made


def test_a_table_says_it_in_uns_else_at_its_group(tmp_path: Path) -> None:
    said = {"region": ["a", "b"], "region_key": "where", "instance_key": "which"}
    assert annotation_of(group(tmp_path, said, region="c"), "t") == LINK
    found = annotation_of(group(tmp_path, None, region="a", region_key="r", instance_key="i"), "t")
    assert found == Annotation(("a",), "r", "i")
    nothing = annotation_of(group(tmp_path, None, region=None, region_key=None, instance_key=None), "t")
    assert nothing == Annotation((), None, None)


def test_rows_of_one_region() -> None:
    obs = pd.DataFrame({"where": pd.Categorical(["a", "b", "a"])})
    kept, notes = rows_of(obs, LINK, "a", "t")
    assert (kept.tolist(), notes) == ([True, False, True], ["1 rows describe 1 (b), not a: left out"])
    with pytest.raises(DataError, match=r"no row describes c, .* it has rows of 2 \(a, b\)"):
        rows_of(obs, LINK, "c", "t")
    with pytest.raises(DataError, match="no column 'where' tells their rows apart"):
        rows_of(obs.drop(columns="where"), LINK, "a", "t")
    kept, notes = rows_of(obs, Annotation(("a",), "gone", "which"), "a", "t")
    assert kept.all()
    assert notes == []
    assert "says of no region" in rows_of(obs, Annotation((), None, None), "a", "t")[1][0]


def match(rows: Any, there: Any) -> list[int]:
    return matched(pd.Series(rows), pd.Index(there), region="cells", what="shape", where="t").tolist()


@given(st.lists(st.integers(0, 2**63 - 1), unique=True, min_size=1, max_size=8), st.randoms())
def test_whole_numbers_find_their_own(ids: list[int], rng: Any) -> None:
    rows = ids.copy()
    rng.shuffle(rows)
    expected = [ids.index(one) for one in rows]
    assert match(np.array(rows, dtype=np.int64), np.array(ids, dtype=np.int64)) == expected
    assert match([str(one) for one in rows], np.array(ids, dtype=np.int64)) == expected
    assert match(rows, [str(one) for one in ids]) == expected


@pytest.mark.parametrize(
    ("rows", "there", "said"),
    [
        (
            ["x"],
            ["a", "b"],
            r"none of its rows has a shape in cells \(rows are called 'x'\).* such as 'a', 'b'",
        ),
        (["A"], ["a"], "'A' looks like 'a': they differ in capitals"),
        (["a", "x"], ["a", "b"], r"rows without a shape in cells: 1 \(x\)"),
        (["a", "a"], ["a", "b"], r"rows that name one shape twice: 1 \(a\)"),
        (["a"], ["a", "a"], r"cells has ids twice: 1 \(a\)"),
        (["x"], [1, 2], "ids that are no whole numbers.* such as 1, 2"),
        ([1.5], [1, 2], "ids that are no whole numbers"),
        ([3], [1, 2], "none of its rows has a shape"),
    ],
)
def test_rows_without_their_instance_are_refused(rows: Any, there: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        match(rows, there)


@pytest.mark.parametrize(
    ("first", "there", "words"),
    [
        (
            1,
            0,
            r"run from 1 to 4, those of cells from 0 to 3: each is 1 too large, .* instance_key -1, where",
        ),
        (
            0,
            1,
            r"run from 0 to 3, those of cells from 1 to 4: each is 1 too small, .* instance_key \+1, where",
        ),
        (11, 1, "each is 10 too large"),
    ],
)
def test_ids_that_count_from_another_number_are_told_as_that(first: int, there: int, words: str) -> None:
    """To take the rows off that find no shape would leave all others at their neighbours."""
    rows = np.random.default_rng(5).permutation(4) + first
    with pytest.raises(DataError, match=words):
        match(rows, np.arange(4) + there)
    with pytest.raises(DataError, match=r"rows without a shape in cells: 1 \(9\)"):
        match([0, 1, 2, 9], np.arange(4))
