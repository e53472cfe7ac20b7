"""``prestige evaluate``: our files and other tools', and every way in which two files do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige import metrics
from prestige.errors import ConfigError, DataError, PrestigeError, StorageError
from prestige.evaluate import evaluate_files

GENES = ["A", "B", "C", "D"]
MEAN = np.array([1.5, 1.4, 1.2, 0.9])


class Pair:
    """A prediction and a truth before they are written; tests spoil one thing of them."""

    def __init__(self, n: int = 150) -> None:
        rng = np.random.default_rng(0)
        self.counts = rng.poisson(rng.gamma(2.0, 2.0, (n, 5))).astype(np.float32)
        self.counts[:, 0] += 1  # no empty row
        totals = self.counts.sum(axis=1, keepdims=True)
        self.log = np.log1p(self.counts / totals * 100.0).astype(np.float32)
        predicted = (0.6 * self.log[:, :4] + 0.3 * rng.normal(size=(n, 4))).astype(np.float32)
        names = [f"cell{i}" for i in range(n)]
        self.pred = anndata.AnnData(predicted, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=GENES))
        self.pred.var["train_mean"] = MEAN
        self.pred.uns["prestige"] = {
            "schema": "prestige.prediction/1",
            "normalisation": {"total": 100.0, "log1p": True},
            "model": {"encoder": "compact_s"},
        }
        self.truth = anndata.AnnData(
            csr_matrix(self.counts), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=[*GENES, "E"])
        )
        self.truth.obsm["spatial"] = rng.uniform(0, 8000, (n, 2))
        self.truth.uns["um_per_px"] = 0.25

    def write(self, folder: Path) -> tuple[Path, Path]:
        self.pred.write_h5ad(folder / "pred.h5ad")
        self.truth.write_h5ad(folder / "truth.h5ad")
        return folder / "pred.h5ad", folder / "truth.h5ad"


def test_a_file_of_ours_with_rows_in_any_order(tmp_path: Path) -> None:
    pair = Pair()
    wanted = metrics.pearson(np.asarray(pair.pred.X), pair.log[:, :4]).mean()
    order = np.random.default_rng(1).permutation(150)
    pair.pred = pair.pred[order, ["C", "A", "D", "B"]].copy()
    result = evaluate_files(*pair.write(tmp_path))
    summary = result.summary()
    assert summary["scores"]["genes"]["pearson"] == pytest.approx(wanted, abs=1e-6)
    assert summary["scale"] == "log1p:100"
    assert set(result.evaluation.scores["sample"]) == {"truth"}
    assert summary["mean_baseline"]["genes"]["pearson"] == 0.0
    assert summary["mean_baseline"]["genes"]["mse"] == pytest.approx(
        ((pair.log[:, :4] - MEAN) ** 2).mean(), rel=1e-5
    )
    low, high = summary["pearson_interval"]  # 64 blocks of 250 um in 2000 x 2000 um, 57 of them not empty
    assert low < wanted < high
    assert "57 spatial blocks" in summary["notes"][-1]
    json.dumps(summary, allow_nan=False)


def test_totals_of_the_truth_come_from_obs_where_given(tmp_path: Path) -> None:
    pair = Pair()
    pair.truth.obs["total_counts"] = pair.counts.sum(axis=1)
    pair.truth = pair.truth[:, GENES].copy()  # X is no longer all that was measured
    summary = evaluate_files(*pair.write(tmp_path)).summary()
    wanted = ((np.asarray(pair.pred.X) - pair.log[:, :4]) ** 2).mean()
    assert summary["scores"]["genes"]["mse"] == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize(
    ("scale", "of"),
    [
        ("counts", lambda counts, total: counts),
        ("log1p", lambda counts, total: np.log1p(counts)),
        ("total:1000", lambda counts, total: counts / total * 1000),
        ("log1p:1e4", lambda counts, total: np.log1p(counts / total * 1e4)),
    ],
)
def test_other_tools_files_need_their_scale(
    tmp_path: Path, scale: str, of: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> None:
    pair = Pair()
    del pair.pred.uns["prestige"]
    paths = pair.write(tmp_path)
    with pytest.raises(ConfigError, match="--scale"):
        evaluate_files(*paths)
    summary = evaluate_files(*paths, scale=scale).summary()
    truth = of(pair.counts, pair.counts.sum(axis=1, keepdims=True))[:, :4]
    wanted = ((np.asarray(pair.pred.X) - truth) ** 2).mean()
    assert summary["scores"]["genes"]["mse"] == pytest.approx(wanted, rel=1e-4)
    assert summary["mean_baseline"] == "unavailable"
    assert any("unavailable" in note for note in summary["notes"])
    assert "pearson_centred" not in summary["scores"]["obs"]


def test_what_was_not_measured_is_counted_not_scored(tmp_path: Path) -> None:
    pair = Pair()
    pair.counts[:20] = 0
    pair.truth.X = csr_matrix(pair.counts)
    pair.truth.obs["measured"] = np.arange(150) < 140
    pair.truth = pair.truth[:145].copy()
    counted = evaluate_files(*pair.write(tmp_path)).summary()["counted"]
    assert counted == {
        "scored": 120,
        "predicted": 150,
        "predicted_without_truth": 30,
        "truth_without_counts": 25,
        "genes": 4,
    }


def test_samples_of_one_file_are_kept_apart(tmp_path: Path) -> None:
    pair = Pair()
    pair.truth.obs["sample"] = np.repeat(["S1", "S2"], 75)
    result = evaluate_files(*pair.write(tmp_path))
    pred = np.asarray(pair.pred.X)
    wanted = np.mean([metrics.pearson(pred[r], pair.log[r, :4]).mean() for r in (slice(75), slice(75, 150))])
    assert result.summary()["scores"]["genes"]["pearson"] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("missing", ["spatial", "um_per_px", "blocks"])
def test_no_interval_without_places_or_with_few_blocks(tmp_path: Path, missing: str) -> None:
    pair = Pair()
    if missing == "spatial":
        del pair.truth.obsm["spatial"]
    elif missing == "um_per_px":
        del pair.truth.uns["um_per_px"]
    else:
        pair.truth.uns["um_per_px"] = 0.05  # 400 x 400 um: 4 blocks
    summary = evaluate_files(*pair.write(tmp_path)).summary()
    assert summary["pearson_interval"] is None
    assert any("no interval" in note for note in summary["notes"])


def test_blocks_are_those_that_were_asked_for_or_fit_the_tissue(tmp_path: Path) -> None:
    files = Pair().write(tmp_path)
    asked, fitting = (evaluate_files(*files, block_um=width) for width in (900.0, None))
    assert any("Blocks are 900 um wide" in note for note in asked.summary()["notes"])
    assert any(
        "Blocks are 250 um wide (correlation length 0 um)" in note for note in fitting.summary()["notes"]
    )
    assert asked.summary()["scores"] == fitting.summary()["scores"]


def test_a_truth_without_variation_has_no_score_but_errors(tmp_path: Path) -> None:
    pair = Pair()
    pair.truth.X = csr_matrix(np.ones((150, 5), dtype=np.float32))
    summary = evaluate_files(*pair.write(tmp_path)).summary()
    assert summary["scores"]["genes"]["pearson"] is None
    assert summary["scores"]["genes"]["n_genes_scored"] == 0
    assert summary["pearson_interval"] is None
    json.dumps(summary, allow_nan=False)


def _twice(table: anndata.AnnData, kind: str) -> None:
    names = list(getattr(table, f"{kind}_names"))
    setattr(table, f"{kind}_names", [names[0], names[0], *names[2:]])


def _set(pair: Pair, which: str, value: float) -> None:
    table = getattr(pair, which)
    dense = table.X.toarray() if which == "truth" else np.asarray(table.X)
    dense[3, 2] = value
    table.X = csr_matrix(dense) if which == "truth" else dense


FAULTS: dict[str, tuple[Callable[[Pair], Any], type[PrestigeError], str]] = {
    "gene missing": (lambda p: _rename(p), DataError, r"lacks 1 .*'Z'"),
    "no common rows": (lambda p: _shift(p), DataError, "no prediction for 150 of 150"),
    "rows lacking": (lambda p: setattr(p, "pred", p.pred[:100].copy()), DataError, "no prediction for 50"),
    "duplicate cell": (lambda p: _twice(p.pred, "obs"), DataError, "'cell0' occurs twice"),
    "duplicate gene": (lambda p: _twice(p.truth, "var"), DataError, "'A' occurs twice"),
    "NaN predicted": (lambda p: _set(p, "pred", np.nan), DataError, "gene 'C' holds NaN"),
    "NaN counted": (lambda p: _set(p, "truth", np.nan), DataError, "NaN"),
    "negative count": (lambda p: _set(p, "truth", -1.0), DataError, "negative"),
    "log values": (lambda p: _set(p, "truth", 0.5), DataError, "no counts"),
    "no counts": (lambda p: p.truth.obs.insert(0, "measured", False), DataError, "no observation"),
    "bad totals": (lambda p: p.truth.obs.insert(0, "total_counts", np.nan), DataError, "total_counts"),
    "schema": (lambda p: p.pred.uns["prestige"].update(schema="x/9"), DataError, "'x/9'"),
    "incomplete": (lambda p: p.pred.uns["prestige"].pop("normalisation"), DataError, "incomplete"),
    "an array": (lambda p: p.pred.uns.update(prestige=np.zeros(3)), DataError, "incomplete"),
    "an array within": (lambda p: _normalised(p, np.zeros((2, 2))), DataError, "incomplete"),
    "a total below 0": (lambda p: _normalised(p, {"total": -100.0, "log1p": True}), DataError, "incomplete"),
    "no number": (lambda p: _normalised(p, {"total": np.nan, "log1p": True}), DataError, "incomplete"),
    "text within": (lambda p: _normalised(p, "log1p"), DataError, "incomplete"),
}


def _normalised(pair: Pair, value: object) -> None:
    pair.pred.uns["prestige"]["normalisation"] = value


def _rename(pair: Pair) -> None:
    pair.pred.var_names = ["A", "B", "C", "Z"]


def _shift(pair: Pair) -> None:
    pair.pred.obs_names = [f"other{i}" for i in range(150)]


@pytest.mark.filterwarnings("ignore:.*names are not unique:UserWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_do_not_fit_say_where_and_what(tmp_path: Path, fault: str) -> None:
    spoil, error, words = FAULTS[fault]
    pair = Pair()
    spoil(pair)
    with pytest.raises(error, match=words) as caught:
        evaluate_files(*pair.write(tmp_path))
    assert "\n" not in str(caught.value)
    assert ".h5ad" in str(caught.value)


def test_missing_and_broken_files(tmp_path: Path) -> None:
    pred, truth = Pair().write(tmp_path)
    with pytest.raises(StorageError, match="no such file"):
        evaluate_files(tmp_path / "none.h5ad", truth)
    whole = pred.read_bytes()
    pred.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StorageError, match="cannot be read"):
        evaluate_files(pred, truth)
    pred.write_text("a text")
    with pytest.raises(StorageError, match="cannot be read"):
        evaluate_files(pred, truth)


def test_a_scale_that_contradicts_the_file_is_refused(tmp_path: Path) -> None:
    paths = Pair().write(tmp_path)
    assert evaluate_files(*paths, scale="log1p:100").scale == "log1p:100"
    with pytest.raises(ConfigError, match="says log1p:100"):
        evaluate_files(*paths, scale="counts")
