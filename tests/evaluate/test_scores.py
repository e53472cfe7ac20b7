"""The table of scores against direct computation, and what becomes of what is not defined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

from prestige import metrics
from prestige.errors import DataError
from prestige.evaluate import Evaluation, evaluate
from prestige.stats.moments import mean_gene_pearson

GENES = ("A", "B", "C", "D", "E")


def data(n: int = 200, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.gamma(1.0, 1.0, (n, 5)).astype(np.float32)
    return {
        "pred": (0.5 * truth + rng.normal(size=truth.shape)).astype(np.float32),
        "truth": truth,
        "sample_of": rng.choice(["S1", "S2"], n),
        "xy_um": rng.uniform(0, 3000, (n, 2)),
        "train_mean": np.array([1.0, 0.9, 1.1, 0.2, 0.6]),
    }


def run(parts: dict[str, np.ndarray]) -> Evaluation:
    rest = {key: value for key, value in parts.items() if key not in ("pred", "truth")}
    return evaluate(parts["pred"], parts["truth"], genes=GENES, block_um=500.0, **rest)  # type: ignore[arg-type]


def value(scores: pd.DataFrame, sample: str, level: str, name: str, metric: str) -> float:
    row = scores.query("sample == @sample and level == @level and name == @name and metric == @metric")
    assert len(row) == 1
    return float(row["value"].iloc[0])


def test_the_table_is_tidy_and_complete() -> None:
    scores = run(data()).scores
    assert list(scores.columns) == ["sample", "level", "name", "metric", "value", "n_obs"]
    assert not scores.duplicated(["sample", "level", "name", "metric"]).any()
    genes = scores[scores["level"] == "gene"]
    assert len(genes) == 2 * 5 * len(metrics.HIGHER_IS_BETTER)
    assert set(genes["name"]) == set(GENES)
    per_sample = scores.groupby("sample")["n_obs"].unique()
    assert sum(int(n[0]) for n in per_sample) == 200
    assert all(len(n) == 1 for n in per_sample)


def test_scores_are_within_a_sample() -> None:
    parts = data()
    scores = run(parts).scores
    rows = parts["sample_of"] == "S2"
    pred, truth = parts["pred"][rows], parts["truth"][rows]
    of_genes, of_obs = (metrics.all_metrics(pred, truth, axis=axis) for axis in (0, 1))
    for metric in metrics.HIGHER_IS_BETTER:
        wanted = of_genes[metric]
        got = [value(scores, "S2", "gene", gene, metric) for gene in GENES]
        np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-9)
        of_all = value(scores, "S2", "genes", "all", metric)
        assert of_all == pytest.approx(wanted.mean(), rel=1e-6, abs=1e-9)
        of_all = value(scores, "S2", "obs", "all", metric)
        assert of_all == pytest.approx(of_obs[metric].mean(), rel=1e-6, abs=1e-9)
    challenge = value(scores, "S2", "obs", "all", "challenge_spearman")
    assert challenge == pytest.approx(np.nan_to_num(of_obs["spearman"], nan=0.0).mean(), abs=1e-9)


def test_centred_scores_take_the_training_mean_off() -> None:
    parts = data()
    scores = run(parts).scores
    rows = np.flatnonzero(parts["sample_of"] == "S1")
    pred = parts["pred"][rows] - parts["train_mean"]
    truth = parts["truth"][rows] - parts["train_mean"]
    for metric, other in (("pearson", scipy_stats.pearsonr), ("spearman", scipy_stats.spearmanr)):
        wanted = np.mean([other(p, t)[0] for p, t in zip(pred, truth, strict=True)])
        assert value(scores, "S1", "obs", "all", f"{metric}_centred") == pytest.approx(wanted, abs=1e-6)
    cosine = (pred * truth).sum(1) / np.linalg.norm(pred, axis=1) / np.linalg.norm(truth, axis=1)
    assert value(scores, "S1", "obs", "all", "cosine_centred") == pytest.approx(cosine.mean(), abs=1e-6)


def test_what_is_not_defined() -> None:
    parts = data()
    first = parts["sample_of"] == "S1"
    parts["truth"][first, 0] = 0.0  # truth constant in one sample
    parts["pred"][:, 1] = 0.3  # prediction constant, truth varies
    parts["truth"][first, 2] = 1.5  # both constant
    parts["pred"][first, 2] = 0.7
    result = run(parts)
    scores = result.scores
    for gene in "ABC":
        assert np.isnan(value(scores, "S1", "gene", gene, "pearson"))
        assert np.isfinite(value(scores, "S1", "gene", gene, "mse"))
    assert np.isfinite(value(scores, "S2", "gene", "A", "pearson"))
    assert value(scores, "S1", "genes", "all", "n_genes_scored") == 3
    assert value(scores, "S1", "genes", "all", "n_genes_truth_constant") == 2
    assert value(scores, "S1", "genes", "all", "n_genes_prediction_constant") == 1
    for metric in ("pearson", "spearman"):
        wanted = (
            0.0 + value(scores, "S1", "gene", "D", metric) + value(scores, "S1", "gene", "E", metric)
        ) / 3
        assert value(scores, "S1", "genes", "all", metric) == pytest.approx(wanted, abs=1e-9)
    # R2 of a constant prediction is a number; of a constant truth it is none.
    r2 = [value(scores, "S1", "gene", gene, "r2") for gene in "BDE"]
    assert value(scores, "S1", "genes", "all", "r2") == pytest.approx(np.mean(r2), abs=1e-9)
    # The moments, from which intervals are made, say the same as the table.
    means = scores.query("level == 'genes' and metric == 'pearson'")["value"].mean()
    assert mean_gene_pearson(result.moments) == pytest.approx(means, abs=1e-7)


def test_the_training_mean_as_prediction_scores_nothing() -> None:
    parts = data()
    parts["pred"] = np.tile(parts["train_mean"].astype(np.float32), (200, 1))
    scores = run(parts).scores
    assert value(scores, "S1", "genes", "all", "pearson") == 0.0
    assert value(scores, "S1", "genes", "all", "n_genes_prediction_constant") == 5
    for metric in ("pearson_centred", "spearman_centred", "cosine_centred"):
        assert value(scores, "S1", "obs", "all", metric) == 0.0
    # Without centring, the genes' means alone look like a prediction of each cell.
    assert value(scores, "S1", "obs", "all", "pearson") != 0.0


def test_the_last_bit_of_a_mean_is_no_prediction() -> None:
    parts = data()
    mean = parts["train_mean"].astype(np.float32)
    mean[[0, 3]] = np.nextafter(mean[[0, 3]], np.float32(9))  # as if summed in another order
    parts["pred"] = np.tile(mean, (200, 1))
    scores = run(parts).scores
    for metric in ("pearson_centred", "spearman_centred", "cosine_centred"):
        assert value(scores, "S1", "obs", "all", metric) == 0


def test_empty_cells_are_left_out_and_counted() -> None:
    parts = data()
    parts["sample_of"] = np.array(["S"] * 200)
    parts["truth"][:50] = 0.0
    parts["pred"][50:60] = 0.25
    scores = run(parts).scores
    per_obs = metrics.all_metrics(parts["pred"], parts["truth"], axis=1)["spearman"]
    total = np.nansum(per_obs)
    assert value(scores, "S", "obs", "all", "spearman") == pytest.approx(total / 150, abs=1e-9)
    assert value(scores, "S", "obs", "all", "challenge_spearman") == pytest.approx(total / 200, abs=1e-9)
    assert value(scores, "S", "obs", "all", "n_obs_scored") == 150
    assert value(scores, "S", "obs", "all", "n_obs_prediction_constant") == 10


def test_without_a_training_mean_nothing_is_centred() -> None:
    parts = data()
    scores = evaluate(
        parts["pred"],
        parts["truth"],
        genes=GENES,
        sample_of=parts["sample_of"],
        xy_um=parts["xy_um"],
        train_mean=None,
        block_um=500.0,
    ).scores
    assert not scores["metric"].str.contains("centred").any()


def test_samples_together_or_alone_and_blocks_of_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = data()
    together = run(parts).scores
    rows = parts["sample_of"] == "S1"
    alone = run({key: array if key == "train_mean" else array[rows] for key, array in parts.items()}).scores
    pd.testing.assert_frame_equal(together[together["sample"] == "S1"].reset_index(drop=True), alone)
    monkeypatch.setattr("prestige.evaluate.scores._blocks", lambda a: [slice(0, 7), slice(7, len(a))])
    pd.testing.assert_frame_equal(run(parts).scores, together)


@pytest.mark.parametrize("which", ["pred", "truth"])
def test_nan_is_refused_with_its_gene(which: str) -> None:
    parts = data()
    parts[which][17, 3] = np.nan
    with pytest.raises(DataError, match="gene 'D' holds NaN"):
        run(parts)


def test_wrong_shapes_are_refused() -> None:
    parts = data()
    with pytest.raises(DataError, match="4 genes"):
        evaluate(
            parts["pred"],
            parts["truth"],
            genes=GENES[:4],
            sample_of=parts["sample_of"],
            xy_um=parts["xy_um"],
            train_mean=None,
            block_um=500.0,
        )
