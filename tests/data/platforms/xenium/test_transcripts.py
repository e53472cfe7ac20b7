"""Counts of nuclei from transcripts, read in pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prestige.data.platforms import rows
from prestige.data.platforms.xenium import transcripts
from prestige.data.platforms.xenium.transcripts import nucleus_counts
from prestige.errors import DataError

IDS = pd.Index(["a", "b"], dtype=object)
GENES = ("G", "H")


def written(path: Path, **columns: Any) -> Path:
    table = {
        "cell_id": ["a", "a", "b", "UNASSIGNED", "a", "b", "x"],
        "feature_name": ["H", "H", "G", "G", "G", "NegControlProbe_1", "G"],
        "qv": [20.0, 40, 40, 40, 19.99, 40, 40],
        "overlaps_nucleus": [1, 1, 1, 1, 1, 1, 1],
        **columns,
    }
    frame = pd.DataFrame(table)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.csv.gz"])
@pytest.mark.parametrize("pieces", [1 << 20, 2])
def test_what_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pieces: int) -> None:
    monkeypatch.setattr(rows, "_PIECE", pieces)
    monkeypatch.setattr(transcripts, "_MOST_HELD", pieces)
    found = nucleus_counts(written(tmp_path / name), IDS, GENES)
    np.testing.assert_array_equal(found.toarray(), [[0, 2], [1, 0]])
    beside = written(tmp_path / name, overlaps_nucleus=[0, 1, 0, 1, 1, 1, 1])
    np.testing.assert_array_equal(nucleus_counts(beside, IDS, GENES).toarray(), [[0, 1], [0, 0]])


def test_numbers_are_ids_too(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", cell_id=[1, 1, 2, -1, 1, 2, 9])
    found = nucleus_counts(path, pd.Index(["1", "2"], dtype=object), GENES)
    np.testing.assert_array_equal(found.toarray(), [[0, 2], [1, 0]])


def test_transcripts_of_another_run(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"names none of the cells of the table of cells in 'cell_id'.*'d'"):
        nucleus_counts(path, pd.Index(["d"], dtype=object), GENES)
    with pytest.raises(DataError, match=r"none of the genes of the matrix.*they differ in capitals"):
        nucleus_counts(path, IDS, ("g", "h"))
    nobody = written(tmp_path / "t.parquet", cell_id="UNASSIGNED")
    assert nucleus_counts(nobody, IDS, GENES).nnz == 0


@pytest.mark.parametrize("qv", ["x", None])
def test_words_in_the_place_of_numbers(tmp_path: Path, qv: Any) -> None:
    path = written(tmp_path / "t.csv", qv=qv)
    if qv is None:
        assert nucleus_counts(path, IDS, GENES).nnz == 0  # no quality is no good one
        return
    with pytest.raises(DataError, match="the column 'qv' cannot be read"):
        nucleus_counts(path, IDS, GENES)
