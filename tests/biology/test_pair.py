"""The two sides of every question: their scale, their checks, and how they are read from files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from prestige.biology.pair import Pair, normalised, read_pair
from prestige.errors import ConfigError, DataError

COUNTS = np.array([[4, 0, 1], [0, 2, 6], [1, 1, 1]], dtype=np.float32)


def parts(**other: Any) -> dict[str, Any]:
    return {
        "genes": ("A", "B", "C"),
        "counts": csr_matrix(COUNTS),
        "totals": np.array([10.0, 8.0, 4.0]),
        "predicted": np.arange(9, dtype=np.float32).reshape(3, 3),
        "xy_um": np.arange(6, dtype=np.float64).reshape(3, 2),
        "sample_of": np.array(["s", "s", "t"]),
        "obs": pd.DataFrame({"condition": ["x", "y", "y"]}, index=["a", "b", "c"]),
        "train_mean": np.array([1.0, 2.0, 3.0]),
        "train_std": np.array([0.5, 2.0, 0.0]),
    } | other


def test_measured_is_log1p_of_counts_scaled_by_the_totals_of_all_genes() -> None:
    pair = Pair(**parts())
    np.testing.assert_allclose(pair.measured, np.log1p([[40, 0, 10], [0, 25, 75], [25, 25, 25]]), rtol=1e-6)
    assert pair.measured is pair.measured
    assert not pair.measured.flags.writeable
    assert Pair(**parts(total=8.0)).measured[1, 2] == pytest.approx(np.log1p(6.0))
    assert not normalised(csr_matrix(COUNTS), np.array([0.0, 8.0, 4.0]), 8.0)[0].any()


def test_standard_units_are_those_of_training() -> None:
    values = np.array([[1.5, 2.0, 5.0]])
    pair = Pair(**parts())
    np.testing.assert_allclose(pair.z(values), [[1.0, 0.0, 2.0]])  # a deviation of 0 counts as 1
    np.testing.assert_array_equal(values, [[1.5, 2.0, 5.0]])
    assert pair.notes == ()


@pytest.mark.parametrize("missing", ["train_mean", "train_std"])
def test_without_training_values_the_measured_ones_stand_in_and_it_is_said(missing: str) -> None:
    pair = Pair(**parts(**{missing: None}))
    z = pair.z(pair.measured)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-5)
    assert len(pair.notes) == 1
    assert "measured values" in pair.notes[0]
    assert pair.take(np.array([0, 1])).notes == pair.notes


def test_some_rows_and_some_genes() -> None:
    pair = Pair(**parts())
    for rows in (np.array([2, 0]), np.array([True, False, True]), slice(1, None)):
        some = pair.take(rows)
        np.testing.assert_array_equal(some.counts.toarray(), COUNTS[rows])
        np.testing.assert_array_equal(some.predicted, pair.predicted[rows])
        np.testing.assert_array_equal(some.totals, pair.totals[rows])
        assert list(some.obs.index) == list(np.array(["a", "b", "c"])[rows])
        assert len(some) == len(some.sample_of) == len(some.xy_um)
    of = pair.of_genes(["C", "A"])
    np.testing.assert_array_equal(of.measured, pair.measured[:, [2, 0]])
    np.testing.assert_array_equal(of.train_mean, [3.0, 1.0])
    np.testing.assert_array_equal(of.z(of.measured), pair.z(pair.measured)[:, [2, 0]])
    with pytest.raises(ConfigError, match="unknown gene 'D'"):
        pair.of_genes(["A", "D"])


FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "totals": ({"totals": np.ones(2)}, "totals have shape"),
    "predictions": ({"predicted": np.zeros((3, 2), np.float32)}, "predictions have shape"),
    "places": ({"xy_um": np.zeros((3, 3))}, "places have shape"),
    "samples": ({"sample_of": np.array(["s"])}, "samples have shape"),
    "obs": ({"obs": pd.DataFrame(index=["a"])}, "obs have shape"),
    "genes": ({"genes": ("A", "B")}, "genes have shape"),
    "twice": ({"genes": ("A", "B", "A")}, "occurs twice"),
    "mean": ({"train_mean": np.ones(2)}, "train_mean have shape"),
    "negative": ({"counts": csr_matrix(-COUNTS)}, "counts are negative"),
    "fractions": ({"counts": csr_matrix(COUNTS / 2)}, "no whole numbers"),
    "no total": ({"totals": np.array([10.0, 8.0, 0.0])}, "totals are 0"),
    "small total": ({"totals": np.array([4.0, 8.0, 4.0])}, "below the sum"),
    "NaN predicted": ({"predicted": np.full((3, 3), np.nan, np.float32)}, "predictions hold NaN"),
    "NaN place": ({"xy_um": np.full((3, 2), np.nan)}, "places hold NaN"),
    "negative deviation": ({"train_std": np.array([1.0, -1.0, 1.0])}, "a deviation is negative"),
    "total of the scale": ({"total": 0.0}, "the total of the scale"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_said(fault: str) -> None:
    spoilt, words = FAULTS[fault]
    with pytest.raises(DataError, match=words) as caught:
        Pair(**parts(**spoilt))
    assert "\n" not in str(caught.value)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(DataError, match=r"(?s)2 faults:.*predictions.*\n.*places"):
        Pair(**parts(predicted=np.full((3, 3), np.inf, np.float32), xy_um=np.full((3, 2), np.inf)))


def write(folder: Path, values: np.ndarray, spoil: Callable[[Any, Any], None] = lambda p, t: None) -> Any:
    pred = anndata.AnnData(
        values.astype(np.float32), obs=pd.DataFrame(index=list("abc")), var=pd.DataFrame(index=["A", "B"])
    )
    truth = anndata.AnnData(
        csr_matrix(COUNTS),
        obs=pd.DataFrame({"layer": ["p", "q", "q"]}, index=list("abc")),
        var=pd.DataFrame(index=["A", "B", "C"]),
    )
    truth.obsm["spatial"] = np.arange(6.0).reshape(3, 2)
    truth.uns["um_per_px"] = 0.5
    spoil(pred, truth)
    pred.write_h5ad(folder / "pred.h5ad")
    truth.write_h5ad(folder / "truth.h5ad")
    return folder / "pred.h5ad", folder / "truth.h5ad"


def _ours(pred: Any, _: Any) -> None:
    pred.var["train_mean"], pred.var["train_std"] = [0.5, 0.25], [1.0, 2.0]
    pred.uns["prestige"] = {
        "schema": "prestige.prediction/1",
        "normalisation": {"total": 50.0, "log1p": True},
    }


def test_a_pair_of_files_of_ours(tmp_path: Path) -> None:
    values = np.array([[1.0, 0.2], [0.3, 2.0], [0.7, 0.1]])
    pair = read_pair(*write(tmp_path, values, _ours))
    np.testing.assert_allclose(pair.predicted, values, rtol=1e-6)
    np.testing.assert_array_equal(pair.totals, [5, 8, 3])  # gene C counts in the totals
    assert pair.measured[1, 1] == pytest.approx(np.log1p(2 / 8 * 50))
    np.testing.assert_array_equal(pair.train_std, [1.0, 2.0])
    np.testing.assert_array_equal(pair.xy_um, [[0, 0.5], [1, 1.5], [2, 2.5]])
    assert (pair.mean_of, pair.total, pair.notes) == ("log1p", 50.0, ())
    assert list(pair.obs["layer"]) == ["p", "q", "q"]


def test_old_files_without_deviations_stay_readable(tmp_path: Path) -> None:
    def old(pred: Any, truth: Any) -> None:
        _ours(pred, truth)
        del pred.var["train_std"]

    pair = read_pair(*write(tmp_path, np.ones((3, 2)), old))
    assert pair.train_std is None
    assert "measured values" in pair.notes[0]


@given(depth=st.lists(st.floats(0.1, 10), min_size=3, max_size=3))
def test_a_predicted_depth_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, depth: list[float]
) -> None:
    folder = tmp_path_factory.mktemp("pair")
    values = np.array([[1.0, 3.0], [2.0, 2.0], [4.0, 0.0]])
    pair = read_pair(*write(folder, values * np.array(depth)[:, None]), scale="counts")
    share = 8 / 16  # counts of A and B among all
    wanted = np.log1p(values / values.sum(axis=1, keepdims=True) * 100 * share)
    np.testing.assert_allclose(pair.predicted, wanted, rtol=1e-5)
    assert (pair.mean_of, pair.total) == ("counts", 100.0)


def test_other_scales_and_values_below_0(tmp_path: Path) -> None:
    values = np.array([[1.0, 3.0], [2.0, -2.0], [0.0, 0.0]])
    paths = write(tmp_path, values)
    pair = read_pair(*paths, scale="total:20")
    np.testing.assert_allclose(pair.predicted, np.log1p(np.maximum(values, 0)), rtol=1e-6)
    assert pair.total == 20.0
    assert any("1 predictions below 0" in note for note in pair.notes)
    logged = read_pair(*write(tmp_path, np.log1p(np.maximum(values, 0))), scale="log1p")
    assert logged.mean_of == "log1p"
    np.testing.assert_allclose(np.expm1(logged.predicted), [[12.5, 37.5], [50, 0], [0, 0]], rtol=1e-5)


def test_without_positions_it_is_said(tmp_path: Path) -> None:
    pair = read_pair(
        *write(tmp_path, np.ones((3, 2)), lambda p, t: t.uns.pop("um_per_px")), scale="log1p:100"
    )
    assert not pair.has_positions
    assert any("no question of space" in note for note in pair.notes)


@pytest.mark.parametrize(
    ("patients", "found"),
    [
        (["P1", "P1", "P2"], {"s": "P1", "t": "P2"}),
        ([1, 1, 1], {"s": "1", "t": "1"}),
        (["P1", "P2", "P2"], None),  # two patients in one sample
        (["P1", "P1", None], None),
    ],
)
def test_the_patient_of_each_sample(patients: list[Any], found: dict[str, str] | None) -> None:
    obs = pd.DataFrame({"patient": patients}, index=["a", "b", "c"])
    assert Pair(**parts(obs=obs)).patient_of == found
    assert Pair(**parts()).patient_of is None  # no such column
