"""The comparison that the report's first sentence rests on."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from prestige import metrics
from prestige.errors import ConfigError, DataError
from prestige.stats.compare import compare
from prestige.stats.moments import Moments, mean_gene_pearson, moments_of

GENES = tuple(f"G{i}" for i in range(6))


def run(
    quality: float | None,
    *,
    fold: int = 0,
    seed: int = 0,
    blocks: int = 16,
    samples: tuple[str, ...] = ("S",),
    shift: float = 0.0,
) -> Moments:
    """Return moments of a prediction of some quality; the truth depends on the fold alone."""
    rng = np.random.default_rng(fold)
    n = 25 * blocks
    parts = []
    for sample in samples:
        truth = rng.gamma(1.0, 1.0, (n, len(GENES)))
        truth[:, 5] = 0.4
        noise = np.random.default_rng((seed, fold, int(100 * (quality or 0)))).normal(size=truth.shape)
        pred = np.full_like(truth, 0.3) if quality is None else quality * truth + (1 - quality) * noise
        pred = pred + shift
        parts.append((pred, truth, np.array([sample] * n), np.repeat(np.arange(blocks) + 1000 * fold, 25)))
    return moments_of(*(np.concatenate(part) for part in zip(*parts, strict=True)), GENES)


def test_best_tied_and_beaten() -> None:
    found = compare(
        {"good": [run(0.7)], "as good": [run(0.7, seed=1)], "bad": [run(0.3)], "mean": [run(None)]}
    )
    assert found.best in ("good", "as good")
    assert set(found.tied) == {"good", "as good"}
    assert found.rows["mean"].score == 0.0
    assert (found.rows["mean"].low, found.rows["mean"].high) == (0.0, 0.0)
    bad = found.rows["bad"]
    assert not bad.tied
    assert bad.low is not None
    assert bad.high is not None
    assert bad.low < bad.score < bad.high
    assert bad.gap_low is not None
    assert bad.gap_high is not None
    assert 0 < bad.gap_low < bad.gap < bad.gap_high
    assert (found.n_clusters, found.cluster, found.n_blocks) == (16, "block", {"S": 16})
    assert (len(found.genes), found.n_genes_scored) == (6, 5)
    assert "new blocks" in found.note
    assert "nothing about other patients" in found.note
    assert found.reason is None
    assert bad.se == pytest.approx(found.draws[2].std(), rel=0.3)


def test_bounds_come_from_the_paired_draws() -> None:
    runs = {"a": [run(0.6)], "b": [run(0.5)]}
    found = compare(runs, draws=400)
    assert found.draws.shape == (2, 400)
    assert found.covariance.shape == (2, 2)
    assert found.draw_covariances.shape == (400, 2, 2)
    low, high = np.quantile(found.draws[0] - found.draws[1], [0.025, 0.975])
    row = found.rows["b"]
    assert row.gap_low == pytest.approx(low, abs=0.35 * (high - low))
    assert row.gap_high == pytest.approx(high, abs=0.35 * (high - low))
    np.testing.assert_allclose(found.scores, [one.score for one in found.rows.values()])


def test_where_draws_have_no_standard_error_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise DataError("no interval: the draws have no standard error")

    monkeypatch.setattr(sys.modules[compare.__module__], "bounds", none)
    found = compare({"a": run(0.6), "b": run(0.1)}, draws=50)
    assert found.reason == "no interval: the draws have no standard error"
    assert found.note.startswith(found.reason)
    assert found.tied == ("a", "b")
    assert found.rows["a"].score > found.rows["b"].score
    assert {(row.low, row.gap_high, row.se) for row in found.rows.values()} == {(None, None, None)}


def test_one_run_needs_no_list() -> None:
    assert compare({"a": run(0.6)}, draws=50).rows == compare({"a": [run(0.6)]}, draws=50).rows


def test_order_of_configurations_and_a_shift_of_predictions_change_nothing() -> None:
    runs = {name: [run(quality)] for name, quality in (("a", 0.6), ("b", 0.5), ("c", 0.2), ("d", None))}
    straight = compare(runs, draws=100)
    turned = compare({name: runs[name] for name in "cadb"}, draws=100)
    moved = compare(
        {name: [run(q, shift=7.0)] for name, q in (("a", 0.6), ("b", 0.5), ("c", 0.2))}, draws=100
    )
    few = compare({name: runs[name] for name in "abc"}, draws=100)
    for name in "abcd":
        for field in ("score", "low", "high", "gap", "gap_low", "gap_high", "se"):
            value = getattr(straight.rows[name], field)
            assert getattr(turned.rows[name], field) == pytest.approx(value, abs=1e-10)
            if name != "d":
                assert getattr(moved.rows[name], field) == pytest.approx(
                    getattr(few.rows[name], field), abs=1e-8
                )


def test_seeds_are_averaged_before_folds() -> None:
    runs = [
        run(0.5, fold=0, seed=0),
        run(0.5, fold=1, seed=0),
        run(0.5, fold=0, seed=1),
        run(0.5, fold=1, seed=1),
    ]
    row = compare({"a": runs}, draws=50).rows["a"]
    seeds = [np.mean([mean_gene_pearson(runs[i]) for i in pair]) for pair in ((0, 1), (2, 3))]
    assert row.by_seed == pytest.approx(tuple(seeds), abs=1e-9)
    assert row.score == pytest.approx(np.mean(seeds), abs=1e-9)


def test_folds_with_different_samples_weigh_by_sample() -> None:
    runs = [run(0.5, fold=0, samples=("A", "B")), run(0.6, fold=1, samples=("C",))]
    row = compare({"a": runs}, draws=20)
    wanted = (2 * mean_gene_pearson(runs[0]) + mean_gene_pearson(runs[1])) / 3
    assert row.rows["a"].score == pytest.approx(wanted, abs=1e-9)
    assert row.n_folds == 2
    assert row.n_blocks == {"A": 16, "B": 16, "C": 16}


def test_genes_are_those_of_every_fold() -> None:
    first, second = run(0.5, fold=0), run(0.5, fold=1).take_genes(("G3", "G1", "G0"))
    found = compare({"a": [first, second], "b": [first, second]}, draws=20)
    assert found.genes == ("G0", "G1", "G3")
    wanted = np.mean([mean_gene_pearson(m.take_genes(("G0", "G1", "G3"))) for m in (first, second)])
    assert found.rows["a"].score == pytest.approx(wanted, abs=1e-9)
    assert compare({"a": [first]}, draws=20, genes=["G2", "not in it"]).genes == ("G2",)


def test_unfinished_folds_are_left_out_and_said() -> None:
    found = compare({"a": [run(0.5), run(0.5, fold=1)], "b": [run(0.4)]}, draws=20)
    assert found.n_folds == 1
    assert "1 fold left out" in found.note
    runs = [run(0.5), run(0.5, seed=1), run(0.5, fold=1)]
    assert "1 run left out whose seed not every fold has" in compare({"a": runs}, draws=20).note


def test_few_clusters_give_no_interval_but_the_reason() -> None:
    found = compare({"a": [run(0.5, blocks=9)], "b": [run(0.1, blocks=9)]}, draws=20)
    row = found.rows["b"]
    assert (row.low, row.high, row.gap_low, row.gap_high) == (None, None, None, None)
    assert row.tied
    assert found.best == "a"
    assert "9 spatial blocks" in found.note
    assert found.reason is not None
    assert "9 spatial blocks" in found.reason
    assert row.se is None
    assert found.draws.shape == (2, 0)


def test_as_many_regions_as_blocks_leave_nothing_to_resample() -> None:
    names = tuple(f"S{i}" for i in range(12))
    found = compare({"a": [run(0.5, samples=names, blocks=1)]}, draws=20)
    assert found.rows["a"].low is None
    assert found.reason is not None
    assert "12 spatial blocks in 12 test regions" in found.reason


def test_ten_patients_are_resampled() -> None:
    names = tuple(f"S{i}" for i in range(10))
    found = compare(
        {"a": [run(0.5, samples=names, blocks=3)]}, patient_of={n: f"P{n}" for n in names}, draws=50
    )
    assert (found.cluster, found.n_clusters) == ("patient", 10)
    assert "new patients" in found.note


def test_a_single_block_is_named() -> None:
    one = run(0.5)
    alone = run(0.5, fold=3, blocks=1, samples=("T",))
    assert "T has a single block" in compare({"a": [one, alone]}, draws=20).note


def test_nothing_to_compare() -> None:
    with pytest.raises(DataError, match="nothing to compare"):
        compare({})
    with pytest.raises(DataError, match="nothing to compare"):
        compare({"a": []})
    with pytest.raises(DataError, match="same observations"):
        compare({"a": [run(0.5)], "b": [run(0.5, blocks=12)]})
    with pytest.raises(DataError, match="no gene"):
        compare({"a": [run(0.5)]}, genes=["X"])
    with pytest.raises(DataError, match="no gene varies"):
        compare({"a": [run(0.5)]}, genes=["G5"])


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"level is 95\.0"):
        compare({"a": [run(0.5)]}, level=95.0)
    with pytest.raises(ConfigError, match="0 draws"):
        compare({"a": [run(0.5)]}, draws=0)
    one = run(0.5)
    other = moments_of(
        np.random.default_rng(0).normal(size=(400, 6)),
        np.random.default_rng(1).normal(size=(400, 6)),
        np.array(["S"] * 400),
        np.repeat(np.arange(16), 25),
        GENES,
    )
    with pytest.raises(DataError, match="'b' was scored against another truth"):
        compare({"a": [one], "b": [other]})


def test_the_score_is_that_of_the_arrays() -> None:
    rng = np.random.default_rng(2)
    truth, pred = rng.normal(size=(2, 500, 6))
    moments = moments_of(pred, truth, np.array(["S"] * 500), np.arange(500) // 25, GENES)
    assert compare({"a": [moments]}, draws=10).rows["a"].score == pytest.approx(
        metrics.pearson(pred, truth).mean(), abs=1e-12
    )
