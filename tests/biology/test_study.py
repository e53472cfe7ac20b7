"""All questions of one pair: predictions of every kind score as they must; what cannot be asked is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from prestige.biology.genes.activity import pathway_activity
from prestige.biology.genes.cell_types import cell_types
from prestige.biology.noise import depth_alone
from prestige.biology.pair import Pair
from prestige.biology.settings import BiologyConfig
from prestige.biology.study import PARTS, Study, study
from prestige.data.phantom import PhantomConfig, make_section
from prestige.errors import PrestigeError
from prestige.genesets import GeneSet
from prestige.report.biology.space import neighbourhood_sentences
from prestige.report.biology.words import sentences

SETS = {"first": GeneSet("first", tuple(f"G{i}" for i in range(8)), "a test")}


@pytest.fixture(scope="module")
def truth(make_pair: Callable[..., Pair]) -> tuple[Pair, np.ndarray]:
    config = PhantomConfig(
        patients=1, depth=300.0, n_genes=24, unmeasured_share=0, widths_um=(32.0,), replicates=2, size_px=700
    )
    section = make_section(config, 0, 0)
    pair = make_pair(section.mean, section.xy_px * config.um_per_px, seed=1)
    return pair, section.mean


def of(pair: Pair, predicted: np.ndarray, **asked: Any) -> Study:
    """The study of a prediction in counts."""
    values = np.log1p(100 * predicted / predicted.sum(axis=1, keepdims=True)).astype(np.float32)
    return study(replace(pair, predicted=values), SETS, BiologyConfig(**asked), block_um=100.0)


@pytest.fixture(scope="module")
def of_true_mean(truth: tuple[Pair, np.ndarray]) -> Study:
    pair, mean = truth
    return of(pair, mean)


def correlation(found: Study) -> float:
    return float(np.nanmean(np.nan_to_num(found.scores)))


def test_the_true_mean_keeps_its_structure(of_true_mean: Study) -> None:
    assert of_true_mean.structure is not None
    assert of_true_mean.domains is not None
    assert of_true_mean.structure.verdict == "not over-smoothed"
    assert correlation(of_true_mean) > 0.6
    assert of_true_mean.domains.ari_half == pytest.approx(of_true_mean.domains.ari_halves, abs=0.25)
    told = sentences(of_true_mean)
    assert list(told) == ["structure", "correlations", "domains", "activity", "enrichment"]
    assert told["structure"][0].startswith("Not over-smoothed")


def test_a_blurred_truth_has_a_high_correlation_and_is_called_over_smoothed(
    truth: tuple[Pair, np.ndarray], of_true_mean: Study, blur: Callable[..., np.ndarray]
) -> None:
    pair, mean = truth
    found = of(pair, blur(mean, pair.xy_um, 50.0))
    assert found.structure is not None
    assert found.structure.verdict == "over-smoothed"
    assert sentences(found)["structure"][0].startswith("Over-smoothed")
    assert 0.3 < correlation(found) < correlation(of_true_mean)


def test_shuffled_cells_score_at_chance(truth: tuple[Pair, np.ndarray]) -> None:
    pair, mean = truth
    found = of(pair, mean[np.random.default_rng(0).permutation(len(mean))])
    assert found.structure is not None
    assert found.domains is not None
    assert found.activity is not None
    assert abs(correlation(found)) < 3 / np.sqrt(len(pair))
    assert found.structure.verdict == "no structure predicted"
    assert abs(found.domains.ari) < 0.03
    assert abs(found.activity.means["noisy"].value) < 3 / np.sqrt(len(pair))


def test_the_training_mean_predicts_no_structure(truth: tuple[Pair, np.ndarray]) -> None:
    pair, mean = truth
    found = of(pair, np.broadcast_to(mean.mean(axis=0), mean.shape))
    assert found.structure is not None
    assert found.structure.verdict == "no structure predicted"
    assert correlation(found) == 0.0


@pytest.fixture(scope="module")
def of_uneven_depth(make_pair: Callable[..., Pair]) -> Study:
    """The study of one profile predicted everywhere, on tissue with five times the depth in a disc.

    The disc lies in one of the two conditions.
    """
    rng = np.random.default_rng(5)
    xy = rng.uniform(0, 600, (2000, 2))
    disc = np.hypot(*(xy - [220, 300]).T) < 160
    profile = rng.dirichlet(np.full(100, 0.7))
    depth = np.where(disc, 150.0, 30.0)[:, None]
    pair = make_pair(depth * profile, xy, seed=2)
    obs = pair.obs.assign(side=np.where(xy[:, 0] < 380, "left", "right"), patient="p")
    types = {"one": [f"G{i}" for i in range(6)], "two": [f"G{i}" for i in range(6, 12)]}
    found = of(replace(pair, obs=obs), np.broadcast_to(profile, (2000, 100)),
               condition={"column": "side", "first": "left", "second": "right"})  # fmt: skip
    typed = cell_types(found.pair, {k: GeneSet(k, tuple(v), "a test") for k, v in types.items()})
    return replace(found, cell_types=typed)


def test_the_training_mean_is_no_better_than_depth_alone(of_uneven_depth: Study) -> None:
    found = of_uneven_depth
    assert correlation(found) == 0.0
    assert found.structure is not None
    assert found.domains is not None
    assert found.conditions is not None
    assert found.activity is not None
    assert found.cell_types is not None
    assert found.structure.verdict == "no structure predicted"
    # Depth is seen: without its control the mean would be praised.
    assert found.domains.ari_half > 0.2
    assert found.domains.ari_half <= found.domains.ari_depth + 0.1
    mean = found.structure.table.filter(like="morans_i_").mean()
    assert mean["morans_i_predicted_half"] == pytest.approx(mean["morans_i_depth"], abs=0.02)
    kept = found.conditions.kept
    assert kept["predicted"].kept == pytest.approx(kept["predicted"].by_chance)
    assert np.isnan(kept["predicted"].spearman)
    assert kept["noisy_half"].same_direction > 35  # of 50
    assert kept["noisy_half"].same_direction <= kept["depth"].same_direction + 4
    assert kept["noisy_half"].spearman <= kept["depth"].spearman + 0.3
    assert np.nan_to_num(found.activity.means["predicted"].value) == 0.0
    alone = pathway_activity(depth_alone(found.pair), SETS, block_um=100.0).means["noisy_half"].value
    assert found.activity.means["noisy_half"].value <= alone + 0.05
    types = found.cell_types
    assert types.kappa["predicted"] == pytest.approx(0, abs=1e-9)
    assert types.kappa["noisy_half"] <= types.kappa["depth"] + 0.05
    assert types.means["noisy_half"].value <= types.means["depth"].value + 0.1
    scores = types.table.iloc[:2]
    assert (scores["score_noisy_half"] <= scores["score_depth"] + 0.05).all()


def test_what_cannot_be_answered_is_said_and_the_rest_goes_on(truth: tuple[Pair, np.ndarray]) -> None:
    pair, _ = truth
    nowhere = replace(pair.take(slice(0, 400)), xy_um=np.zeros((400, 2)), has_positions=False)
    found = study(nowhere, SETS)
    assert found.structure is None
    assert found.domains is None
    assert set(found.skipped) >= {"structure", "domains"}
    assert found.activity is not None
    told = sentences(found)
    assert told["structure"][0].startswith(f"Nothing is said of {PARTS['structure']}: ")
    assert "positions" in told["structure"][0]
    assert np.isfinite(found.scores).all()


def test_a_region_a_condition_and_cell_types_are_asked_where_wanted(truth: tuple[Pair, np.ndarray]) -> None:
    pair, mean = truth
    marked = pair.xy_um[:, 0] < np.quantile(pair.xy_um[:, 0], 0.4)
    obs = pair.obs.assign(side=np.where(marked, "left", "right"), patient="p")
    asked = {
        "region": {"column": "side", "value": "left", "within_um": 60, "name": "the left side"},
        "condition": {"column": "side", "first": "left", "second": "right"},
    }
    found = of(replace(pair, obs=obs), mean, **asked)
    assert found.gradients is not None
    assert found.conditions is not None
    assert found.neighbourhoods is not None
    assert found.neighbourhoods.max_um == 60
    around = neighbourhood_sentences(found.neighbourhoods)
    assert around
    assert sentences(found)["gradients"][-len(around) :] == around
    assert found.region is not None
    assert found.region.n_components == 1
    assert found.region_name == "the left side"
    assert sentences(found)["gradients"][0].startswith("The left side, by side 'left': 1 components")
    assert found.conditions.unit == "one"
    assert list(sentences(found))[-2:] == ["conditions", "gradients"]


def test_a_region_that_these_data_do_not_have_is_said(truth: tuple[Pair, np.ndarray]) -> None:
    pair, mean = truth
    found = of(pair, mean, region={"genes": ["G98", "G99"]})
    assert found.gradients is None
    assert "none of the genes is in the panel" in sentences(found)["gradients"][0]
    assert found.structure is not None


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"region": {"column": "sid", "value": "left"}}, "sid"),
        ({"tissue": "kidny"}, "kidney"),
        ({"sets": ["/nowhere.gmt"]}, "nowhere.gmt"),
    ],
)
def test_names_that_are_not_there_are_refused_at_once(
    truth: tuple[Pair, np.ndarray], asked: dict[str, Any], words: str
) -> None:
    pair, mean = truth
    with pytest.raises(PrestigeError, match=words):
        of(pair, mean, **asked)
