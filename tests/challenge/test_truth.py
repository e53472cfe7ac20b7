"""Measured expression and regions, in the forms that the challenge's scorer reads, and as counts."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.challenge.truth import read_regions, read_truth, truth_files
from prestige.errors import DataError


def test_files_are_found_by_group_and_sample(tmp_path: Path) -> None:
    for name in ("validation-UC1_I.csv", "validation-UC1_NI.h5ad", "test.csv", "notes.txt"):
        (tmp_path / name).write_text("")
    group, files = truth_files(tmp_path, None)
    assert (group, sorted(files)) == ("validation", ["UC1_I", "UC1_NI"])
    (tmp_path / "test-UC1_I.csv").write_text("")
    with pytest.raises(DataError, match=r"holds files of validation and of test; .*--group validation"):
        truth_files(tmp_path, None)
    assert list(truth_files(tmp_path, "test")[1]) == ["UC1_I"]
    (tmp_path / "test-UC1_I.h5ad").write_text("")
    with pytest.raises(DataError, match="is of the same sample"):
        truth_files(tmp_path, "test")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"holds no measured expression; expected test-SAMPLE.csv or"):
        truth_files(tmp_path / "empty", "test")


def test_a_table_of_text(tmp_path: Path) -> None:
    path = tmp_path / "test-S.csv"
    path.write_text("cell_id,A,B\n9007199254740993,0.5,0\n3,1.25,2\n", encoding="utf-8-sig")
    truth = read_truth("S", path)
    assert truth.cell_id.tolist() == [9007199254740993, 3]
    assert truth.genes == ("A", "B")
    np.testing.assert_array_equal(truth.expression, [[0.5, 0], [1.25, 2]])


def test_counts_are_scaled_to_100(tmp_path: Path) -> None:
    table = anndata.AnnData(
        X=csr_matrix(np.array([[1, 3], [0, 0], [0, 5]], np.float32)),
        obs=pd.DataFrame({"cell_id": [4, 2, 8]}, index=list("abc")),
        var=pd.DataFrame(index=["A", "B"]),
    )
    table.write_h5ad(tmp_path / "test-S.h5ad")
    truth = read_truth("S", tmp_path / "test-S.h5ad")
    np.testing.assert_allclose(truth.expression, np.log1p([[25, 75], [0, 0], [0, 100]]))
    assert truth.cell_id.tolist() == [4, 2, 8]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "cannot be read"),
        ("cell_id\n", "holds no cell or no gene|cannot be read"),
        ("cell_id,A\n3,x\n", "cannot be read"),
        ("cell_id,A\n3,\n", "holds NaN"),
        ("cell_id,A\n3,-1\n", "numbers below 0"),
        ("cell_id,A\n3,1\n3,2\n", r"duplicate ids: 1 \(3\)"),
        ("cell_id,A\nxy,1\n", "cell ids that are no whole numbers"),
    ],
)
def test_a_table_with_faults(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "test-S.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        read_truth("S", tmp_path / "test-S.csv")


def test_regions_of_each_sample(tmp_path: Path) -> None:
    assert read_regions(tmp_path) is None
    path = tmp_path / "region-cell_id-map.csv"
    path.write_text(
        ",region_id,tissue_id,cell_id\n0,a,UC1_Infl,3\n1,b,UC1_Infl,4\n2,a,UC1_NonInfl,3\n3,c,DC5,7\n"
    )
    found = read_regions(tmp_path)
    assert found is not None
    assert {name: dict(part) for name, part in found.items()} == {
        "UC1_I": {3: "a", 4: "b"},
        "UC1_NI": {3: "a"},
        "DC5": {7: "c"},
    }
    path.write_text("region_id,cell_id\n1,3\n")
    with pytest.raises(DataError, match="lacks the column 'tissue_id'"):
        read_regions(tmp_path)
