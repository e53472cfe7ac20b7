"""Differences between conditions: fold changes of known size, patients as the unit, and what is kept by
chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr, ttest_ind

from prestige.biology.genes.conditions import FLOOR, differences, keeps
from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.errors import ConfigError, DataError
from prestige.report.biology.genes import condition_sentences


def tissue(make_pair: Callable[..., Pair], patients: str, conditions: str, g: int = 60) -> Pair:
    """200 observations for each letter: patient, and condition i or n; genes 0-9 are up, 10-19 down."""
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(len(patients)), 200)
    base = rng.uniform(0.5, 3, g)
    mean = np.empty((len(group), g))
    for number, (patient, condition) in enumerate(zip(patients, conditions, strict=True)):
        own = base * np.exp(np.random.default_rng(ord(patient)).normal(0, 0.1, g))
        if condition == "i":
            own[:10] *= 2
            own[10:20] /= 2
        mean[group == number] = own
    pair = make_pair(mean, rng.uniform(0, 1000, (len(group), 2)))
    obs = pd.DataFrame(
        {"patient": [patients[k] for k in group], "condition": [conditions[k] for k in group]},
        index=pair.obs.index,
    )
    return replace(pair, obs=obs, sample_of=np.array([f"s{k}" for k in group]))


def test_pairs_are_compared_within_patients(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "aabbcc", "ininin")
    found = differences(pair, "condition", "n", "i", top=20)
    assert (found.unit, found.patients) == ("pairs", (3, 3, 3))
    log2 = np.log2(np.expm1(
        np.stack([pair.measured[pair.sample_of == f"s{k}"].mean(axis=0, dtype=float) for k in range(6)])
    ) + FLOOR * 100)  # fmt: skip
    within = log2[0::2] - log2[1::2]
    table = found.table.loc[list(pair.genes)]
    assert table["measured"].to_numpy() == pytest.approx(within.mean(axis=0), abs=1e-5)
    assert table["measured_se"].to_numpy() == pytest.approx(within.std(axis=0, ddof=1) / np.sqrt(3), abs=1e-5)
    assert table["predicted"].iloc[:10].mean() == pytest.approx(1.0, abs=0.15)  # twofold
    assert found.kept["predicted"].kept >= 18
    assert found.kept["predicted"].spearman > 0.5
    assert found.kept["predicted"].by_chance == pytest.approx(20 * 20 / 60)
    assert "differences are taken within patients" in condition_sentences(found)[0]


def test_groups_of_patients_have_welch_errors(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "abcde", "iinnn")
    found = differences(pair, "condition", "n", "i")
    assert (found.unit, found.patients) == ("groups", (3, 2, 0))
    log2 = np.log2(np.expm1(
        np.stack([pair.measured[pair.sample_of == f"s{k}"].mean(axis=0, dtype=float) for k in range(5)])
    ) + FLOOR * 100)  # fmt: skip
    wanted = ttest_ind(log2[:2], log2[2:], equal_var=False)
    table = found.table.loc[list(pair.genes)]
    t = (table["measured"] / table["measured_se"]).to_numpy()
    assert t == pytest.approx(wanted.statistic, rel=1e-3, abs=1e-4)


def test_where_some_patients_lack_a_side_the_pairs_are_compared(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "aabbc", "inini")
    found = differences(pair, "condition", "n", "i")
    assert (found.unit, found.patients) == ("pairs", (2, 3, 2))
    whole = differences(pair.take(pair.obs["patient"].to_numpy() != "c"), "condition", "n", "i")
    for column in ("measured", "measured_se"):
        assert found.table[column].to_numpy() == pytest.approx(
            whole.table.loc[found.table.index, column].to_numpy(), abs=1e-9
        )
    assert "2 patients have both, and differences are taken within patients" in condition_sentences(found)[0]
    assert "those of 1 with one of the two alone are left out" in condition_sentences(found)[0]


def test_one_patient_with_both_is_compared_with_itself(make_pair: Callable[..., Pair]) -> None:
    found = differences(tissue(make_pair, "aa", "in"), "condition", "n", "i")
    assert (found.unit, found.patients) == ("one", (1, 1, 1))
    told = condition_sentences(found)[0]
    assert "differences within this patient, and nothing about other patients follows" in told
    assert "cannot be told" not in told
    shared = condition_sentences(differences(tissue(make_pair, "aabc", "inii"), "condition", "n", "i"))[0]
    assert "1 and 3 patients, 1 of them the same: they cannot be told" in shared


def test_conditions_of_unequal_depth_are_told_from_a_prediction(make_pair: Callable[..., Pair]) -> None:
    """Four times the counts in one condition: noise at that depth has its differences, whatever is said."""
    rng = np.random.default_rng(3)
    deep = np.arange(4000) % 2 == 0
    mean = np.where(deep, 60.0, 15.0)[:, None] * rng.dirichlet(np.full(200, 0.5))
    pair = make_pair(mean, rng.uniform(0, 1000, (4000, 2)))  # predicts the one profile everywhere
    obs = pd.DataFrame({"condition": np.where(deep, "i", "n"), "patient": "a"}, index=pair.obs.index)
    found = differences(replace(pair, obs=obs), "condition", "n", "i", top=20)
    assert found.kept["noisy_half"].spearman > 0.4
    assert found.kept["depth"].spearman == pytest.approx(found.kept["noisy_half"].spearman, abs=0.15)
    assert np.isnan(found.kept["predicted"].spearman)
    assert found.kept["predicted"].kept == pytest.approx(found.kept["predicted"].by_chance)
    assert any(
        line.startswith("Depth alone (the same shares everywhere") for line in condition_sentences(found)
    )


@pytest.mark.parametrize(("patients", "conditions"), [("ab", "in"), ("abb", "inn"), ("aabc", "inii")])
def test_one_patient_a_side_says_nothing_about_patients(
    patients: str, conditions: str, make_pair: Callable[..., Pair]
) -> None:
    found = differences(tissue(make_pair, patients, conditions), "condition", "n", "i")
    assert found.unit == "one"
    assert "nothing about patients follows" in condition_sentences(found)[0]
    assert found.table["measured_se"].isna().all()


def test_without_patients_it_is_said(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "aabb", "inin")
    found = differences(replace(pair, obs=pair.obs[["condition"]]), "condition", "n", "i")
    assert found.patients is None
    assert found.table["measured_se"].isna().all()
    assert "no column names the patients" in condition_sentences(found)[0]


def test_a_prediction_without_differences_keeps_what_chance_keeps(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "aabb", "inin")
    flat = np.broadcast_to(pair.measured.mean(axis=0), pair.measured.shape).astype(np.float32)
    found = differences(replace(pair, predicted=np.ascontiguousarray(flat)), "condition", "n", "i", top=20)
    kept = found.kept["predicted"]
    assert np.isnan(kept.spearman)
    assert kept.kept == pytest.approx(kept.by_chance)
    assert kept.same_direction == 0
    assert any("no rank correlation" in line for line in condition_sentences(found))


def test_what_was_drawn_is_taken_by_rows(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "aabbc", "inino")  # the last is neither
    drawn = draw(pair, 3)
    found = differences(pair, "condition", "n", "i", drawn=drawn)
    half = drawn.measured_halves[0]
    means = np.stack([half[pair.sample_of == f"s{k}"].mean(axis=0, dtype=float) for k in range(4)])
    log2 = np.log2(np.expm1(means) + FLOOR * 100)
    wanted = (log2[0::2] - log2[1::2]).mean(axis=0)
    assert found.table.loc[list(pair.genes), "half_a"].to_numpy() == pytest.approx(wanted, abs=1e-5)


@given(seed=st.integers(0, 10_000), g=st.integers(6, 60))
def test_top_genes_without_ties_are_counted(seed: int, g: int) -> None:
    rng = np.random.default_rng(seed)
    found, wanted = rng.normal(size=g), rng.normal(size=g)
    top = int(rng.integers(1, g))
    one = keeps(found, wanted, top)
    sets = [set(np.argsort(-np.abs(values))[:top]) for values in (found, wanted)]
    assert one.kept == pytest.approx(len(sets[0] & sets[1]))
    assert one.same_direction == sum(np.sign(found[k]) == np.sign(wanted[k]) for k in sets[1])
    assert one.spearman == pytest.approx(spearmanr(found, wanted).statistic, abs=1e-9)


def test_ties_share_the_last_places() -> None:
    wanted = np.array([5.0, 4, 3, 2, 1, 0])
    assert keeps(np.array([9.0, 1, 1, 1, 1, 0]), wanted, 3).kept == pytest.approx(1 + 0.5 + 0.5)


def test_bad_input(make_pair: Callable[..., Pair]) -> None:
    pair = tissue(make_pair, "ab", "in")
    with pytest.raises(ConfigError, match=r"unknown column 'conditon'.*did you mean 'condition'"):
        differences(pair, "conditon", "n", "i")
    with pytest.raises(ConfigError, match="unknown value 'x'"):
        differences(pair, "condition", "n", "x")
    with pytest.raises(ConfigError, match="compared with itself"):
        differences(pair, "condition", "n", "n")
    with pytest.raises(DataError, match="the top 0"):
        differences(pair, "condition", "n", "i", top=0)
    with pytest.raises(DataError, match="the top 4"):
        keeps(np.zeros(3), np.zeros(3), 4)
