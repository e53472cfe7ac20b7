"""Two files read together: the rows of the truth, in its order, with all that the predictions say of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.errors import ConfigError, DataError
from prestige.evaluate.matched import MatchedFiles, match_tables, read_matched

COUNTS = np.array([[4, 0, 1, 5], [0, 0, 0, 0], [1, 2, 3, 4], [0, 8, 0, 2]], dtype=np.float32)


def write(folder: Path, *, ours: bool = True, placed: bool = True) -> tuple[Path, Path]:
    pred = anndata.AnnData(
        np.array([[3.0, 1.0], [2.0, 0.5], [9.0, 9.0]], dtype=np.float32),
        obs=pd.DataFrame(index=["d", "a", "c"]),
        var=pd.DataFrame({"train_mean": [1.0, 2.0], "train_std": [0.5, 0.25]}, index=["B", "A"]),
    )
    if ours:
        pred.uns["prestige"] = {
            "schema": "prestige.prediction/1",
            "normalisation": {"total": 50.0, "log1p": True},
        }
    truth = anndata.AnnData(
        csr_matrix(COUNTS),
        obs=pd.DataFrame({"sample": ["s", "s", "t", "t"], "layer": [1, 2, 3, 4]}, index=list("abcd")),
        var=pd.DataFrame(index=list("ABCD")),
    )
    if placed:
        truth.obsm["spatial"] = np.arange(8.0).reshape(4, 2)
        truth.uns["um_per_px"] = 0.5
    pred.write_h5ad(folder / "pred.h5ad")
    truth.write_h5ad(folder / "truth.h5ad")
    return folder / "pred.h5ad", folder / "truth.h5ad"


def test_rows_and_genes_are_those_of_both_files(tmp_path: Path) -> None:
    files = read_matched(*write(tmp_path))
    assert files.genes == ("B", "A")
    np.testing.assert_array_equal(files.predicted, [[2.0, 0.5], [9.0, 9.0], [3.0, 1.0]])
    np.testing.assert_array_equal(files.counts.toarray(), [[0, 4], [2, 1], [8, 0]])
    np.testing.assert_array_equal(files.totals, [10, 10, 10])
    np.testing.assert_array_equal(files.xy_um, [[0, 0.5], [2, 2.5], [3, 3.5]])
    assert list(files.sample_of) == ["s", "t", "t"]
    assert list(files.obs["layer"]) == [1, 3, 4]
    assert files.no_positions is None
    assert files.counted["scored"] == 3
    assert files.counted["truth_without_counts"] == 1
    np.testing.assert_array_equal(files.train_mean, [1.0, 2.0])
    np.testing.assert_array_equal(files.train_std, [0.5, 0.25])
    np.testing.assert_allclose(files.expected(), np.log1p([[0, 20], [10, 5], [40, 0]]), rtol=1e-6)


def test_other_tools_files_carry_no_training_values(tmp_path: Path) -> None:
    paths = write(tmp_path, ours=False, placed=False)
    with pytest.raises(ConfigError, match="--scale"):
        read_matched(*paths)
    files = read_matched(*paths, scale="counts")
    assert files.train_mean is None
    assert files.train_std is None
    assert "um_per_px" in str(files.no_positions)
    np.testing.assert_array_equal(files.xy_um, np.zeros((3, 2)))
    np.testing.assert_array_equal(files.expected(), files.counts.toarray())


def said(folder: Path, change: Callable[[anndata.AnnData], None]) -> MatchedFiles:
    """Return what is read where the truth was changed."""
    paths = write(folder)
    truth = anndata.read_h5ad(paths[1])
    change(truth)
    truth.write_h5ad(paths[1])
    return read_matched(*paths)


def put(name: str, values: Any) -> Callable[[anndata.AnnData], None]:
    return lambda truth: truth.obs.insert(0, name, values)


@pytest.mark.parametrize("yes_no", [("True", "False"), ("yes", "NO"), (1, 0), (1.0, 0.0), (True, False)])
def test_measured_is_read_as_it_was_meant(tmp_path: Path, yes_no: tuple[Any, Any]) -> None:
    yes, no = yes_no
    files = said(tmp_path, put("measured", [yes, yes, no, yes]))
    assert list(files.obs["layer"]) == [1, 4]
    assert files.counted["truth_without_counts"] == 2
    files = said(tmp_path, put("measured", pd.Categorical([yes, yes, no, yes])))
    assert list(files.obs["layer"]) == [1, 4]


def test_spots_off_the_tissue_are_not_scored(tmp_path: Path) -> None:
    files = said(tmp_path, put("in_tissue", [1, 1, 0, 1]))
    assert list(files.obs["layer"]) == [1, 4]
    assert "1 of 4 observations lie off the tissue" in files.notes[0]


def test_totals_that_cannot_be_true_are_not_believed(tmp_path: Path) -> None:
    files = said(tmp_path, put("total_counts", [2.0, 0.0, 3.0, 2.5]))
    np.testing.assert_array_equal(files.totals, [10, 10, 10])
    assert "below the sum of the counts" in files.notes[0]
    files = said(tmp_path, put("total_counts", [20, 0, 30, 25]))
    np.testing.assert_array_equal(files.totals, [20, 30, 25])
    assert files.notes == ()
    with pytest.raises(DataError, match=r"truth.h5ad: obs\['total_counts'\] is many in 1 \(a\)"):
        said(tmp_path, put("total_counts", ["many", "0", "30", "25"]))


def test_counts_stand_in_their_layer_as_for_the_readers(tmp_path: Path) -> None:
    def logged(truth: anndata.AnnData) -> None:
        truth.layers["counts"] = csr_matrix(COUNTS)
        truth.X = np.log1p(COUNTS)

    np.testing.assert_array_equal(said(tmp_path, logged).counts.toarray(), [[0, 4], [2, 1], [8, 0]])

    def without(truth: anndata.AnnData) -> None:
        logged(truth)
        truth.X = None

    np.testing.assert_array_equal(said(tmp_path, without).totals, [10, 10, 10])

    def beside(truth: anndata.AnnData) -> None:
        logged(truth)
        truth.layers["raw_counts"] = truth.layers.pop("counts")

    with pytest.raises(
        DataError, match=r"X holds no counts.*layers\['raw_counts'\] holds counts: store them"
    ):
        said(tmp_path, beside)


def test_controls_are_no_part_of_the_totals(tmp_path: Path) -> None:
    files = said(tmp_path, lambda truth: setattr(truth, "var_names", ["A", "B", "BLANK_0001", "D"]))
    np.testing.assert_array_equal(files.totals, [9, 7, 10])
    assert "1 (BLANK_0001) of 4 features are controls" in files.notes[0]


def test_places_are_those_of_the_columns(tmp_path: Path) -> None:
    def turned(truth: anndata.AnnData) -> None:
        xy = truth.obsm["spatial"]
        truth.obsm["spatial"] = pd.DataFrame({"row": xy[:, 1], "col": xy[:, 0]}, index=truth.obs_names)

    np.testing.assert_array_equal(said(tmp_path, turned).xy_um, [[0, 0.5], [2, 2.5], [3, 3.5]])
    with pytest.raises(DataError, match="shape"):
        said(tmp_path, lambda truth: truth.obsm.update(spatial=truth.obsm["spatial"][:, :1]))

    def lost(truth: anndata.AnnData) -> None:
        truth.obsm["spatial"][2, 1] = np.nan

    with pytest.raises(DataError, match=r"no place, or an absurd one, for 1 \(c\)"):
        said(tmp_path, lost)
    for width in ("wide", -1.0, np.nan, [0.5, 0.5]):
        with pytest.raises(DataError, match="um_per_px"):
            said(tmp_path, lambda truth, width=width: truth.uns.update(um_per_px=width))
    pred, truth = (anndata.read_h5ad(path) for path in write(tmp_path))
    truth.obsm["X_spatial"] = truth.obsm.pop("spatial")
    assert "there is 'X_spatial'" in str(match_tables(pred, truth).no_positions)


def test_names_that_differ_are_shown_from_both_sides(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"lacks 2 .*'B' looks like 'b': they differ in capitals"):
        said(tmp_path, lambda truth: setattr(truth, "var_names", list("abcd")))
    with pytest.raises(DataError, match=r"'a-1' looks like 'a': they differ in the '-1' behind barcodes"):
        said(tmp_path, lambda truth: setattr(truth, "obs_names", [f"{name}-1" for name in "abcd"]))


@pytest.mark.parametrize("values", [["mean", "1"], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_values_of_the_training_side_that_are_no_numbers_are_named(tmp_path: Path, values: list[Any]) -> None:
    pred, truth = write(tmp_path)
    table = anndata.read_h5ad(pred)
    table.var["train_mean"] = values
    table.write_h5ad(pred)
    with pytest.raises(DataError, match=r"pred.h5ad: var\['train_mean'\] is no number of .*B"):
        read_matched(pred, truth)
