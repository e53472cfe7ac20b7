"""Spreads worked out by hand from scores that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.stats.compare import compare
from prestige.stats.moments import Moments, moments_of
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
    assert math.isnan(found.seeds_of_patient)  # whose seeds these are was not said


def test_over_seeds_it_is_of_each_patient_by_itself() -> None:
    # Two folds of two seeds.  A falls by 0.2 from seed to seed, B rises by 0.2, so their mean stays.
    runs = [run({"A1": 0.3, "A2": 0.5}), run({"A1": 0.1, "A2": 0.3}), run({"B": 0.4}), run({"B": 0.6})]
    patient_of = {"A1": "A", "A2": "A", "B": "B"}
    found = spread_of(runs, [0.4, 0.4], patient_of=patient_of, seed_of=[0, 1, 0, 1])
    assert found.seeds == 0.0
    assert found.seeds_of_patient == pytest.approx(0.2 / math.sqrt(2))
    # Root mean square over patients: B now rises by 0.4.
    runs[3] = run({"B": 0.8})
    found = spread_of(runs, [0.4, 0.5], patient_of=patient_of, seed_of=[0, 1, 0, 1])
    assert found.seeds_of_patient == pytest.approx(math.sqrt((0.2**2 / 2 + 0.4**2 / 2) / 2))


def test_a_seed_that_lacks_a_section_of_a_patient_is_left_out_for_it() -> None:
    runs = [run({"A1": 0.3, "A2": 0.5}), run({"A1": 0.1, "A2": 0.3}), run({"A1": 0.9})]
    found = spread_of(runs, [0.4, 0.2], patient_of={"A1": "A", "A2": "A"}, seed_of=[0, 1, 2])
    assert found.seeds_of_patient == pytest.approx(0.2 / math.sqrt(2))


def test_seeds_that_do_not_fit_the_runs_are_refused() -> None:
    with pytest.raises(DataError, match="2 seeds of 1 runs"):
        spread_of([run({"A": 0.5})], [0.5], seed_of=[0, 1])


def test_one_of_a_kind_has_no_spread() -> None:
    one = spread_of([run({"A": 0.5})], [0.5], se=0.02, patient_of={"A": "P"})
    assert math.isnan(one.seeds)
    assert math.isnan(one.patients)
    assert (one.blocks, one.n_patients) == (0.02, 1)
    two = spread_of([run({"A": 0.5, "B": 0.7})], [0.6], se=0.02, patient_of={"A": "P", "B": "P"})
    assert (two.n_patients, two.sections) == (1, pytest.approx(0.2 / math.sqrt(2)))
    unknown = spread_of([run({"A": 0.5, "B": 0.7})], [0.6])
    assert (unknown.n_patients, unknown.n_sections) == (0, 2)


@given(st.lists(st.floats(-0.9, 0.9), min_size=2, max_size=4))
@example([0.0, 0.0, 0.5703125])  # blocks that differ by rounding alone: no interval, but a score
def test_the_mean_over_sections_is_the_score_of_the_comparison(scores: list[float]) -> None:
    moments = run({f"S{i}": r for i, r in enumerate(scores)})
    row = compare({"a": [moments]}, draws=2).rows["a"]
    assert row.score == pytest.approx(np.mean(scores), abs=1e-9)
    assert spread_of([moments], row.by_seed).sections == pytest.approx(np.std(scores, ddof=1), abs=1e-9)
