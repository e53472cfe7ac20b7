"""The bootstrap against resampling of the rows themselves, and its covariances against drawn tissue."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from prestige.errors import ConfigError
from prestige.stats.bootstrap import BlockDraws, PatientDraws, draw, resample
from prestige.stats.moments import Moments, mean_gene_pearson, moments_of, spatial_blocks

GENES = ("A", "B", "C")


def tissue(
    seed: int, *, blocks: int = 14, per_block: int = 20, samples: int = 2, signal: float = 0.5
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return prediction, truth, sample and block with a shared deviation of each block."""
    rng = np.random.default_rng(seed)
    n = samples * blocks * per_block
    sample = np.repeat([f"S{i}" for i in range(samples)], blocks * per_block)
    block = np.tile(np.repeat(np.arange(blocks), per_block), samples)
    shared = np.repeat(rng.normal(size=(samples * blocks, len(GENES))), per_block, axis=0)
    truth = shared + rng.normal(size=(n, len(GENES)))
    echo = np.repeat(rng.normal(size=(samples * blocks, len(GENES))), per_block, axis=0)
    return signal * truth + echo + rng.normal(size=truth.shape), truth, sample, block


def moments(seed: int = 0, **options: float) -> Moments:
    return moments_of(*tissue(seed, **options), GENES)  # type: ignore[arg-type]


def drawn_rows(
    sample: np.ndarray, block: np.ndarray, name: str, blocks: np.ndarray, times: np.ndarray
) -> np.ndarray:
    return np.concatenate(
        [
            np.tile(np.flatnonzero((sample == name) & (block == b)), int(m))
            for b, m in zip(blocks, times, strict=True)
        ]
    )


def mean_pearson(pred: np.ndarray, truth: np.ndarray) -> float:
    """Score as the rules say: a truth that is constant is left out, a constant prediction counts 0."""
    found = []
    for p, t in zip(pred.T, truth.T, strict=True):
        if np.ptp(t) > 0:
            found.append(pearsonr(p, t)[0] if np.ptp(p) > 0 else 0.0)
    return float(np.mean(found))


def test_each_draw_of_blocks_is_the_score_of_the_resampled_rows() -> None:
    pred, truth, sample, block = tissue(1)
    truth[(sample == "S0") & (block > 0), 2] = 1.5  # constant in draws without block 0
    pred[:, 1] = np.where(block < 3, pred[:, 1], 0.25)
    one = moments_of(pred, truth, sample, block, GENES)
    plan = draw([one], draws=40, seed=5)
    assert isinstance(plan, BlockDraws)
    found, weights = resample(plan, [[[one]]]), plan.weights(slice(0, 40))
    lost = 0
    for d in range(40):
        units = []
        for unit, ids in zip(plan.units, plan.clusters, strict=True):
            rows = drawn_rows(sample, block, unit.sample, one.block[unit.rows], weights[d, ids])
            units.append(mean_pearson(pred[rows], truth[rows]))
            lost += np.ptp(truth[rows, 2]) == 0
        assert found.scores[0, d] == pytest.approx(np.mean(units), abs=1e-9)
    assert lost > 0
    np.testing.assert_array_equal(weights.sum(axis=1), 28)


def test_each_draw_of_patients_is_the_score_of_the_resampled_rows() -> None:
    pred, truth, sample, block = tissue(2, samples=12, blocks=4, per_block=6)
    one = moments_of(pred, truth, sample, block, GENES)
    names = {f"S{i}": f"P{max(i, 1)}" for i in range(12)}  # the first patient has two sections
    plan = draw([one], draws=15, seed=5, patient_of=names)
    assert isinstance(plan, PatientDraws)
    assert (plan.n_clusters, plan.draws) == (11, 15)
    found = resample(plan, [[[one]]])
    for d in range(15):
        scores: dict[int, list[float]] = {}
        for unit, weights, places in zip(plan.units, plan.weights, plan.places, strict=True):
            for copy in np.flatnonzero(places // plan.slots == d):
                rows = drawn_rows(sample, block, unit.sample, one.block[unit.rows], weights[copy])
                scores.setdefault(int(places[copy]), []).append(mean_pearson(pred[rows], truth[rows]))
        assert sorted(scores) == list(range(d * 11, (d + 1) * 11))  # eleven copies, each at its own place
        score = np.mean([one for of in scores.values() for one in of])
        assert found.scores[0, d] == pytest.approx(score, abs=1e-9)
        n_units = sum(map(len, scores.values()))
        moved = [(sum(of) - score * len(of)) / n_units for of in scores.values()]
        assert found.covariances[d, 0, 0] == pytest.approx(np.square(moved).sum(), rel=1e-9)


def test_covariance_of_a_draw_is_what_its_tissue_would_have_given() -> None:
    # Lay the drawn blocks out on the grid as if they had been measured there, and look at that tissue.
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 500, (900, 2))
    truth = rng.normal(size=(900, 3))
    preds = [share * truth + rng.normal(size=truth.shape) for share in (0.6, 0.5)]
    block, sample = spatial_blocks(xy, 100.0), np.array(["S"] * 900)
    runs = [moments_of(pred, truth, sample, block, GENES) for pred in preds]
    plan = draw(runs[:1], draws=6, seed=1)
    assert isinstance(plan, BlockDraws)
    found = resample(plan, [[[run]] for run in runs])
    for d in range(6):
        rows, place = [], []
        for at, donor in enumerate(plan.donors[d]):
            mine = np.flatnonzero(block == runs[0].block[donor])
            rows.append(mine)
            place.append(np.full(len(mine), runs[0].block[at]))
        r, b = np.concatenate(rows), np.concatenate(place)
        laid = [moments_of(pred[r], truth[r], np.array(["S"] * len(r)), b, GENES) for pred in preds]
        seen = resample(draw(laid[:1], draws=2, seed=0).whole(), [[[one]] for one in laid])
        np.testing.assert_allclose(seen.scores[:, 0], found.scores[:, d], atol=1e-10)
        np.testing.assert_allclose(seen.covariances[0], found.covariances[d], rtol=1e-8, atol=1e-12)


def test_neighbouring_blocks_count_together_over_the_fourth_root_of_their_number() -> None:
    x, y = (part.ravel() for part in np.meshgrid(np.arange(5), np.arange(6)))
    block = spatial_blocks(np.stack([x, y], axis=1) * 10.0 - 20.0, 10.0)  # on both sides of 0
    numbers = np.argsort(block)
    truth = np.random.default_rng(0).normal(size=(60, 1))
    one = moments_of(truth, truth, np.array(["S", "T"]).repeat(30), np.tile(block, 2), ("A",))
    plan = draw([one], draws=2, seed=0)
    assert isinstance(plan, BlockDraws)
    kernel, reach = plan.kernel.toarray(), 30**0.25
    x, y = x[numbers], y[numbers]
    near = [np.maximum(1 - np.abs(v[:, None] - v) / reach, 0) for v in (x, y)]
    np.testing.assert_allclose(kernel[:30, :30], near[0] * near[1], atol=1e-12)
    np.testing.assert_allclose(kernel[30:, 30:], near[0] * near[1], atol=1e-12)
    assert not kernel[:30, 30:].any()
    assert np.linalg.eigvalsh(kernel).min() > -1e-12  # so that no variance is negative


def test_neighbours_that_move_together_widen_the_standard_error() -> None:
    rng = np.random.default_rng(0)
    x, y = (part.ravel() for part in np.meshgrid(np.arange(12), np.arange(12)))
    errors = []
    for width in (1, 3):  # predictions are good or bad over squares of one block, or of nine
        tile = rng.normal(size=(12 // width, 12 // width))[y // width, x // width]
        truth = rng.normal(size=(144, 30))
        pred = (1.5 * (tile > 0))[:, None] * truth + rng.normal(size=truth.shape)
        cells = [part.reshape(-1, 1) for part in (pred, truth)]
        block = np.repeat(spatial_blocks(np.stack([x, y], 1) + 0.5, 1.0), 30)
        one = moments_of(*cells, np.array(["S"] * len(block)), block, ("A",))
        plan = draw([one], draws=2, seed=0)
        seen = resample(plan.whole(), [[[one]]]).covariances[0, 0, 0]
        errors.append(seen / resample(_independent(plan), [[[one]]]).covariances[0, 0, 0])
    assert errors[0] == pytest.approx(1.0, abs=0.35)
    assert errors[1] > 2


def _independent(plan: BlockDraws | PatientDraws) -> BlockDraws:
    assert isinstance(plan, BlockDraws)
    once = plan.whole()
    kernel = once.kernel.copy()
    kernel.data = (kernel.tocoo().row == kernel.tocoo().col).astype(float)
    return BlockDraws(once.units, once.clusters, once.donors, kernel, once.n_strata)


def test_the_whole_is_the_mean_over_samples() -> None:
    one = moments()
    names = {f"S{i}": f"P{i}" for i in range(10)}
    many = moments(samples=10, blocks=3)
    for found, wanted in (
        (draw([one], draws=2, seed=0), one),
        (draw([many], draws=2, seed=0, patient_of=names), many),
    ):
        scores = resample(found.whole(), [[[wanted]]]).scores
        assert scores.shape == (1, 1)
        assert scores[0, 0] == pytest.approx(mean_gene_pearson(wanted), abs=1e-14)


def test_draws_are_paired_and_repeat_with_the_seed() -> None:
    one = moments(0)
    scores, again, other = (
        resample(draw([one], draws=50, seed=seed), [[[one]], [[one]]]).scores for seed in (3, 3, 4)
    )
    assert scores.shape == (2, 50)
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores, again)
    assert not np.array_equal(scores, other)


@pytest.mark.parametrize("patients", [False, True])
def test_pieces_of_draws_change_nothing(monkeypatch: pytest.MonkeyPatch, patients: bool) -> None:
    names = {f"S{i}": f"P{i}" for i in range(10)} if patients else None
    one, two = moments(0, samples=10, blocks=3), moments(0, samples=10, blocks=3, signal=0.2)
    plan = draw([one], draws=30, seed=3, patient_of=names)
    whole = resample(plan, [[[one]], [[two], [one]]])
    monkeypatch.setattr("prestige.stats.bootstrap._CHUNK", 12)
    pieces = resample(plan, [[[one]], [[two], [one]]])
    np.testing.assert_allclose(pieces.scores, whole.scores, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(pieces.covariances, whole.covariances, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("patients", [False, True])
def test_seeds_are_averaged_in_every_draw(patients: bool) -> None:
    names = {f"S{i}": f"P{i}" for i in range(10)} if patients else None
    runs = [moments(0, samples=10, blocks=3, signal=signal) for signal in (0.1, 0.5, 0.9)]
    plan = draw(runs[:1], draws=20, seed=3, patient_of=names)
    alone = resample(plan, [[[run]] for run in runs])
    seeds = resample(plan, [[[runs[0]], [runs[1]]], [[runs[2]]]])
    mean = np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(seeds.scores, mean @ alone.scores, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(seeds.covariances, mean @ alone.covariances @ mean.T, rtol=1e-9, atol=1e-12)


@given(st.permutations(range(3)))
def test_order_of_configurations_changes_nothing(order: list[int]) -> None:
    runs = [moments(0, blocks=6, per_block=5, signal=signal) for signal in (0.1, 0.5, 0.9)]
    plan = draw(runs[:1], draws=5, seed=3)
    straight = resample(plan, [[[run]] for run in runs])
    turned = resample(plan, [[[runs[i]]] for i in order])
    np.testing.assert_allclose(turned.scores, straight.scores[order], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        turned.covariances, straight.covariances[:, order][:, :, order], rtol=1e-9, atol=1e-12
    )


def test_a_draw_in_which_nothing_varies_is_nan() -> None:
    truth = np.where(np.arange(24)[:, None] < 2, np.arange(24)[:, None], 1.0)
    one = moments_of(truth + 1.0, truth, np.array(["S"] * 24), np.arange(24) // 2, ("A",))
    plan = draw([one], draws=60, seed=0)
    assert isinstance(plan, BlockDraws)
    found = resample(plan, [[[one]]])
    without = plan.weights(slice(0, 60))[:, 0] == 0
    assert 0 < without.sum() < 60
    np.testing.assert_array_equal(np.isnan(found.scores[0]), without)
    np.testing.assert_array_equal(np.isnan(found.covariances[:, 0, 0]), without)


def test_patients_are_resampled_from_ten_on() -> None:
    few, many = moments(0, samples=9, blocks=3), moments(0, samples=10, blocks=3)
    names = {f"S{i}": f"P{i}" for i in range(10)}
    assert isinstance(draw([few], draws=5, seed=0, patient_of=names), BlockDraws)
    plan = draw([many], draws=200, seed=0, patient_of=names)
    assert isinstance(plan, PatientDraws)
    assert plan.reason is None
    for weights in plan.weights:
        np.testing.assert_array_equal(weights.sum(axis=1), 3)
    # Two copies of a patient in a draw have their own blocks.
    twice = [
        w[np.flatnonzero(np.diff(p // 10) == 0)[0] :][:2]
        for w, p in zip(plan.weights, plan.places, strict=True)
    ]
    assert any(not np.array_equal(*pair) for pair in twice)
    # Two sections of each of five patients are no ten patients.
    pairs = {f"S{i}": f"P{i // 2}" for i in range(10)}
    assert isinstance(draw([many], draws=5, seed=0, patient_of=pairs), BlockDraws)


def test_a_block_in_two_folds_is_drawn_alike_and_is_one_cluster() -> None:
    one = moments(0, samples=1)
    plan = draw([one, one], draws=30, seed=0)
    assert isinstance(plan, BlockDraws)
    assert (plan.n_clusters, plan.n_strata) == (14, 1)
    np.testing.assert_array_equal(plan.clusters[0], plan.clusters[1])
    twice, once = resample(plan, [[[one, one]]]), resample(draw([one], draws=30, seed=0), [[[one]]])
    np.testing.assert_allclose(twice.scores, once.scores, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(twice.covariances, once.covariances, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("samples", "blocks", "said"),
    [
        (1, 9, "9 spatial blocks"),
        (1, 10, None),
        (6, 2, "12 spatial blocks in 6 test regions"),
        (9, 2, None),
        (12, 1, "12"),
    ],
)
def test_too_few_blocks_or_hardly_more_than_regions(samples: int, blocks: int, said: str | None) -> None:
    reason = draw([moments(samples=samples, blocks=blocks)], draws=2, seed=0).reason
    assert reason is None if said is None else reason is not None and said in reason


def test_bad_requests_are_refused() -> None:
    with pytest.raises(ConfigError, match="1 draws"):
        draw([moments(0)], draws=1, seed=0)
