"""Spreads worked out by hand from scores that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.stats import Moments, compare, moments_of
from prestige.stats.spread import spread_of

N = 400


def run(scores: dict[str, float]) -> Moments:
    """Return moments in which the one gene has exactly the given correlation in each sample."""
    truth = np.tile([1.0, -1.0], N // 2)
    other = np.repeat([1.0, -1.0], N // 2)  # not correlated with it
    pred = np.concatenate([r * truth + math.sqrt(1 - r**2) * other for r in scores.values()])
    sample = np.repeat(list(scores), N)
    block = np.tile(np.arange(N) // 20, len(scores))
    return moments_of(pred[:, None], np.tile(truth, len(scores))[:, None], sample, block, ("g",))


def test_patients_are_means_over_their_sections_and_seeds_are_averaged_first() -> None:
    runs = [run({"A1": 0.2, "A2": 0.4, "B": 0.6}), run({"A1": 0.4, "A2": 0.6, "B": 0.8})]
    found = spread_of(runs, [0.4, 0.6], patient_of={"A1": "A", "A2": "A", "B": "B"})
    # A: 0.4, B: 0.7.  Sections: 0.3, 0.5, 0.7.
    assert (found.n_seeds, found.n_patients, found.n_sections) == (2, 2, 3)
    assert found.seeds == pytest.approx(0.2 / math.sqrt(2))
    assert found.patients == pytest.approx(0.3 / math.sqrt(2))
    assert found.sections == pytest.approx(0.2)
    assert found.tissue == ("patients", found.patients)


def test_one_of_a_kind_has_no_spread() -> None:
    one = spread_of([run({"A": 0.5})], [0.5], se=0.02, patient_of={"A": "P"})
    assert math.isnan(one.seeds)
    assert math.isnan(one.patients)
    assert one.tissue == ("blocks", 0.02)
    two = spread_of([run({"A": 0.5, "B": 0.7})], [0.6], se=0.02, patient_of={"A": "P", "B": "P"})
    assert two.tissue == ("sections", pytest.approx(0.2 / math.sqrt(2)))
    unknown = spread_of([run({"A": 0.5, "B": 0.7})], [0.6])
    assert (unknown.n_patients, unknown.tissue[0]) == (0, "sections")


@given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=4))
def test_the_mean_over_sections_is_the_score_of_the_comparison(scores: list[float]) -> None:
    moments = run({f"S{i}": r for i, r in enumerate(scores)})
    row = compare({"a": [moments]}, draws=2).rows["a"]
    assert row.score == pytest.approx(np.mean(scores), abs=1e-9)
    assert spread_of([moments], row.by_seed).sections == pytest.approx(np.std(scores, ddof=1), abs=1e-9)
