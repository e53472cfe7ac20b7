"""Effects on gene sets against those of the comparison, and against means of per-gene scores."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.errors import DataError
from prestige.stats import Contrast, Moments, compare, contrasts, gene_pearson, moments_of, slope_weights
from prestige.stats.set_effects import SetEffect, equally, set_effects

GENES = ("A", "B", "C", "D", "E")
WIDTHS = (1, 2, 3)
DOUBLED = slope_weights({width: float(width) for width in WIDTHS})


def tissue(width: int, *, samples: int = 2, blocks: int = 15, seed: int = 0) -> Moments:
    """Return moments of predictions in which a wider patch helps genes A and B alone."""
    rng = np.random.default_rng(5)
    n = samples * blocks * 20
    truth = rng.normal(size=(n, len(GENES))) + rng.normal(size=(n // 20, len(GENES))).repeat(20, axis=0)
    quality = 0.4 + np.array([0.3, 0.3, 0.0, 0.0, 0.0]) * width
    own = np.random.default_rng([width, seed]).normal(size=truth.shape)
    pred = quality * truth + 1.4 * rng.normal(size=truth.shape) + 0.1 * own
    sample = np.repeat([f"S{i}" for i in range(samples)], blocks * 20)
    return moments_of(pred, truth, sample, np.tile(np.repeat(np.arange(blocks), 20), samples), GENES)


@pytest.fixture(scope="module")
def configs() -> dict[int, list[list[Moments]]]:
    return {width: [[tissue(width)], [tissue(width, seed=1)]] for width in WIDTHS}


def ends(effect: Contrast) -> tuple[float, float, float, float]:
    assert effect.low is not None
    assert effect.high is not None
    assert effect.se is not None
    return effect.estimate, effect.se, effect.low, effect.high


@pytest.mark.parametrize("patients", [False, True])
def test_an_effect_on_one_set_is_that_of_the_comparison(patients: bool) -> None:
    samples = 12 if patients else 2
    runs = {width: [tissue(width, samples=samples, blocks=6)] for width in WIDTHS}
    of = {f"S{i}": f"P{i}" for i in range(samples)}
    subset = ("A", "C", "E")
    expected = contrasts(compare(runs, genes=subset, patient_of=of, draws=300), {"x": DOUBLED})["x"]
    asked = {"x": SetEffect(DOUBLED, equally(subset))}
    found = set_effects({key: [[one]] for key, (one,) in runs.items()}, asked, patient_of=of, draws=300)["x"]
    assert ends(found) == pytest.approx(ends(expected), rel=1e-6, abs=1e-9)


def test_the_estimate_is_a_difference_of_means_of_genes(configs: dict[int, list[list[Moments]]]) -> None:
    found = set_effects(configs, {"gain": SetEffect(DOUBLED, equally("AB"), equally(GENES))}, draws=200)[
        "gain"
    ]
    r = {
        width: np.mean([list(gene_pearson(folds[0]).values()) for folds in seeds], axis=(0, 1))
        for width, seeds in configs.items()
    }
    expected = sum(weight * (r[width][:2].mean() - r[width].mean()) for width, weight in DOUBLED.items())
    assert found.estimate == pytest.approx(float(expected), abs=1e-9)
    assert found.sign == 1


def test_what_a_set_gains_over_all_is_a_share_of_what_it_gains_over_the_rest(
    configs: dict[int, list[list[Moments]]],
) -> None:
    # mean over all = (2 set + 3 rest) / 5, so set - all = 3 / 5 (set - rest), draw by draw
    over_all = set_effects(configs, {"x": SetEffect(DOUBLED, equally("AB"), equally(GENES))}, draws=200)["x"]
    over_rest = set_effects(configs, {"x": SetEffect(DOUBLED, equally("AB"), equally("CDE"))}, draws=200)["x"]
    assert ends(over_all) == pytest.approx([0.6 * value for value in ends(over_rest)], rel=1e-6, abs=1e-9)


def test_intervals_hold_at_once(configs: dict[int, list[list[Moments]]]) -> None:
    asked = {gene: SetEffect(DOUBLED, equally(gene), equally(GENES)) for gene in GENES}
    together = set_effects(configs, asked, draws=300)
    for gene, one in asked.items():
        alone = set_effects(configs, {gene: one}, draws=300)[gene]
        estimate, se, low, high = ends(together[gene])
        assert (estimate, se) == pytest.approx(ends(alone)[:2], abs=1e-9)
        assert low <= ends(alone)[2] + 1e-12
        assert high >= ends(alone)[3] - 1e-12


def test_few_blocks_have_an_estimate_and_a_reason() -> None:
    runs = {width: [[tissue(width, samples=1, blocks=4)]] for width in WIDTHS}
    found = set_effects(runs, {"x": SetEffect(DOUBLED, equally("A"), equally(GENES))}, draws=50)["x"]
    assert np.isfinite(found.estimate)
    assert (found.low, found.high, found.se) == (None, None, None)
    assert "blocks" in str(found.reason)


def test_weights_of_genes_are_shares(configs: dict[int, list[list[Moments]]]) -> None:
    # Twice A and once B is two thirds of the effect on A and one third of that on B.
    asked = {
        "both": SetEffect(DOUBLED, {"A": 2.0, "B": 1.0}),
        "A": SetEffect(DOUBLED, equally("A")),
        "B": SetEffect(DOUBLED, equally("B")),
    }
    found = set_effects(configs, asked, draws=50)
    assert found["both"].estimate == pytest.approx(
        (2 * found["A"].estimate + found["B"].estimate) / 3, abs=1e-9
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "no effect is asked for"),
        ({"x": SetEffect(DOUBLED, equally("AZ"))}, "'Z' was not scored"),
        ({"x": SetEffect(DOUBLED, {})}, "a set of no gene"),
        ({"x": SetEffect(DOUBLED, {"A": -1.0})}, "weight is not above 0"),
        ({"x": SetEffect({1: 1.0, 2: -0.5}, equally("A"))}, "the weights sum to 0.5"),
        ({"x": SetEffect({1: 1.0, 9: -1.0}, equally("A"))}, "'9' is not in the comparison"),
        ({"x": SetEffect({1: float("nan"), 2: 1.0}, equally("A"))}, "the weights sum to nan"),
    ],
)
def test_bad_inputs(
    configs: dict[int, list[list[Moments]]], asked: dict[str, SetEffect[int]], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        set_effects(configs, asked)
