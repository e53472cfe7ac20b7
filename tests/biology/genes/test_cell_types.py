"""Cell types by markers: planted types are found, neighbourhoods have the composition they have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.biology.genes.cell_types import NONE, cell_types, composition, labels_of, marker_scores
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.genesets import GeneSet
from prestige.report.biology.genes import type_sentences
from prestige.stats.space import nearest

TYPES = {
    "left": GeneSet("left", tuple(f"G{i}" for i in range(6)), "test"),
    "right": GeneSet("right", (*(f"G{i}" for i in range(6, 12)), "ABSENT"), "test"),
    "tiny": GeneSet("tiny", ("G20", "GONE"), "test"),
}


def tissue(make_pair: Callable[..., Pair], depth: float = 4.0) -> tuple[Pair, np.ndarray]:
    """Cells of two types that live in stripes, and mix at random with a share that changes."""
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 1000, (1500, 2))
    right = rng.random(1500) < 0.5 + 0.45 * np.sin(xy[:, 0] / 150)
    mean = np.full((1500, 40), 0.5)
    mean[~right, :6] = depth
    mean[right, 6:12] = depth
    return make_pair(mean, xy), right


def test_planted_types_are_found_and_the_truth_reaches_the_halves(make_pair: Callable[..., Pair]) -> None:
    pair, right = tissue(make_pair)
    found = cell_types(pair, TYPES, block_um=200.0)
    assert found.types == ("left", "right", NONE)
    assert (found.labels[:, 0] == right).mean() > 0.95
    assert (found.labels[:, 1] == right).all()
    table = found.table
    assert table.loc["right", "share_measured"] == pytest.approx(right.mean(), abs=0.03)
    for name in ("left", "right"):
        row = table.loc[name]
        assert row["composition_predicted"] > 0.97
        assert row["composition_noisy_half"] == pytest.approx(row["composition_halves"], abs=0.05)
        assert row["score_noisy_half"] == pytest.approx(row["score_halves"], abs=0.05)
    assert found.missing == {"left": (), "right": ("ABSENT",), "tiny": ("GONE",)}
    assert "tiny: 1 of 2 genes in the panel" in found.too_small[0]
    told = " ".join(type_sentences(found))
    for name in ("noisy", "halves"):
        low, high = found.kappa_intervals[name] or (1.0, 0.0)
        assert low < found.kappa[name] < high
        assert f"(kappa {found.kappa[name]:.2f}, {low:.2f} to {high:.2f})" in told
    assert "Composition of the 30 nearest neighbours" in told
    assert "right (ABSENT)" in told


def test_the_confusion_counts_every_observation_once(make_pair: Callable[..., Pair]) -> None:
    pair, _ = tissue(make_pair, depth=1.5)
    found = cell_types(pair, TYPES)
    for name, rows in found.confusion.groupby("comparison"):
        table = rows.pivot(index="truth", columns="prediction", values="n")
        n = table.loc[list(found.types), list(found.types)].to_numpy()
        assert n.sum() == len(pair)
        assert found.same[name] == pytest.approx(np.trace(n) / n.sum())
        chance = (n.sum(0) / n.sum()) @ (n.sum(1) / n.sum())
        assert found.kappa[name] == pytest.approx((found.same[name] - chance) / (1 - chance), abs=1e-9)
        assert found.kappa_intervals[name] is None  # blocks of 500 um are too few
        shares = rows.groupby("truth")["share"].sum()
        assert shares[rows.groupby("truth")["n"].sum() > 0].to_numpy() == pytest.approx(1.0)


def test_shuffled_cells_lose_the_composition(make_pair: Callable[..., Pair]) -> None:
    pair, _ = tissue(make_pair)
    order = np.random.default_rng(1).permutation(len(pair))
    found = cell_types(replace(pair, predicted=pair.predicted[order]), TYPES)
    assert found.table.loc[["left", "right"], "composition_predicted"].abs().max() < 0.4
    assert abs(found.kappa["predicted"]) < 0.1


def test_without_places_there_is_no_composition(make_pair: Callable[..., Pair]) -> None:
    pair, _ = tissue(make_pair)
    found = cell_types(replace(pair, has_positions=False), TYPES)
    assert "composition_predicted" not in found.table
    assert type_sentences(found)[0].startswith("There are no places")


def test_no_type_in_the_panel_is_told(make_pair: Callable[..., Pair]) -> None:
    pair, _ = tissue(make_pair)
    found = cell_types(pair, {"tiny": TYPES["tiny"]})
    assert found.table.empty
    assert type_sentences(found)[0] == "No cell type has enough markers in the panel."


def test_scores_are_sums_over_markers() -> None:
    z = np.array([[1.0, 2.0, 3.0, -4.0]])
    membership = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert marker_scores(z, membership)[0] == pytest.approx([6 / np.sqrt(3), -4.0])


def test_an_observation_without_markers_has_no_label() -> None:
    # Without counts every gene is below its mean, the rare ones least: nothing stands out.
    z = np.repeat([[-0.9, -0.05]], 4, axis=1)
    membership = np.repeat(np.eye(2), 4, axis=0)
    assert labels_of(marker_scores(z, membership)).tolist() == [2]


def test_labels_take_the_best_type_that_stands_out() -> None:
    scores = np.array([[2.0, 0.0], [0.0, 0.5], [1.0, 1.5]])
    assert labels_of(scores).tolist() == [0, 2, 1]


@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
def test_shares_are_counted_among_neighbours(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    xy, labels = rng.uniform(0, 9, (30, 2)), rng.integers(0, 3, 30)
    near = nearest(xy, np.full(30, "s"), k)
    found = composition(labels, near, 3)
    for row in (0, 17):
        assert found[row] == pytest.approx([(labels[near[row]] == label).mean() for label in range(3)])
    assert found.sum(axis=1) == pytest.approx(1.0)


def test_small_samples_have_labels_and_no_neighbourhoods(make_pair: Callable[..., Pair]) -> None:
    pair, _ = tissue(make_pair)
    few = np.arange(len(pair)) < 30
    found = cell_types(replace(pair, sample_of=np.where(few, "small", "s")), TYPES)
    whole = cell_types(pair.take(~few), TYPES)
    assert found.left_out == ("small",)
    # Halves differ by their draws; the prediction as it is has the same neighbourhoods.
    left = found.table["composition_predicted"].iloc[:2].to_numpy()
    assert left == pytest.approx(whole.table["composition_predicted"].iloc[:2].to_numpy(), abs=0.02)
    assert found.confusion.groupby("comparison")["n"].sum().eq(len(pair)).all()
    told = "Left out of the composition of neighbourhoods, with fewer than 31 observations: sample small."
    assert told in type_sentences(found)
    none = cell_types(pair.take(slice(0, 20)), TYPES)
    assert none.neighbours == 0
    assert type_sentences(none)[0].startswith("All samples are too small for neighbourhoods")
    assert np.isfinite(none.kappa["predicted"])


def test_depth_with_a_pattern_in_space_is_told_from_a_prediction(make_pair: Callable[..., Pair]) -> None:
    rng = np.random.default_rng(3)
    xy = rng.uniform(0, 600, (1500, 2))
    depth = np.where(np.hypot(*(xy - 300).T) < 150, 60.0, 15.0)[:, None]
    pair = make_pair(depth * np.full(40, 1 / 40), xy)  # predicts the one profile everywhere
    found = cell_types(pair, TYPES)
    table = found.table.iloc[:2]
    assert (table["composition_noisy_half"] > 0.3).all()
    assert table["composition_depth"].to_numpy() == pytest.approx(
        table["composition_noisy_half"].to_numpy(), abs=0.15
    )
    assert "and depth alone " in type_sentences(found)[0]
    assert ", depth alone " in type_sentences(found)[1]


def test_bad_input(make_pair: Callable[..., Pair]) -> None:
    with pytest.raises(DataError, match="out of range"):
        composition(np.array([0, 3]), np.array([[1], [0]]), 3)
