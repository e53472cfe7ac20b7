"""What marks a region: annotations, genes by half of their counts, and numbers such as stains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from prestige.biology.noise import draw
from prestige.biology.pair import Pair
from prestige.biology.space.marks import region_of_annotation, region_of_genes, region_of_level
from prestige.biology.space.regions import region_of_mask
from prestige.errors import ConfigError, DataError
from prestige.report.biology.space import region_sentences

from .test_regions import away


def planted(make_pair: Callable[..., Pair]) -> Pair:
    xy = np.random.default_rng(2).uniform(0, 1000, (3000, 2))
    mean = np.full((3000, 30), 1.0)
    mean[:, :3] += 6 * (away(xy) < 0)[:, None]
    pair = make_pair(mean, xy)
    kind = np.where(away(xy) < 0, "disc", "rest")
    return replace(pair, obs=pd.DataFrame({"kind": kind}, index=pair.obs.index))


def test_an_annotation_makes_a_region(make_pair: Callable[..., Pair]) -> None:
    pair = planted(make_pair)
    found = region_of_annotation(pair, "kind", "disc")
    assert (found.inside == (away(pair.xy_um) < 0)).mean() > 0.97
    assert found.how == "kind 'disc'"
    with pytest.raises(ConfigError, match=r"unknown value 'disk'.*did you mean 'disc'"):
        region_of_annotation(pair, "kind", "disk")
    with pytest.raises(ConfigError, match="unknown column"):
        region_of_annotation(pair, "sort", "disc")


@pytest.mark.parametrize("share", [None, 0.09])
def test_genes_make_a_region_and_are_kept_apart(share: float | None, make_pair: Callable[..., Pair]) -> None:
    pair = planted(make_pair)
    found = region_of_genes(pair, ["g0", "G1", "G2", "GONE"], share=share)
    assert found.defined_by == ("G0", "G1", "G2")
    assert (found.inside == (away(pair.xy_um) < 0)).mean() > 0.95
    assert "G0, G1, G2 define it and are not tested" in " ".join(region_sentences(found))


def test_genes_define_a_region_by_the_first_half_of_the_counts(make_pair: Callable[..., Pair]) -> None:
    """Where nothing but noise is high, it is high in the half that was looked at and not in the other."""
    xy = np.random.default_rng(2).uniform(0, 1000, (3000, 2))
    pair = make_pair(np.full((3000, 8), 1.0), xy)
    found = region_of_genes(pair, ["G0", "G1"], share=0.3, smooth=4, min_size=5, seed=7)
    assert found.half_seed == 7
    first, second = draw(pair, 7).measured_halves
    higher = [half[found.inside, :2].mean() - half[~found.inside, :2].mean() for half in (first, second)]
    assert higher[0] > 0.2
    assert abs(higher[1]) < 0.1
    assert "read from one half of the counts" in " ".join(region_sentences(found))
    assert region_of_mask(xy[:, 0] < 500, xy, pair.sample_of).half_seed is None


def with_column(pair: Pair, values: np.ndarray) -> Pair:
    return replace(pair, obs=pd.DataFrame({"haematoxylin": values}, index=pair.obs.index))


@pytest.mark.parametrize("above", [None, 0.5])
def test_a_number_of_the_observations_makes_a_region(
    above: float | None, make_pair: Callable[..., Pair]
) -> None:
    pair = planted(make_pair)
    noise = np.random.default_rng(0).normal(0, 0.3, len(pair))
    found = region_of_level(with_column(pair, (away(pair.xy_um) < 0) + noise), "haematoxylin", above)
    assert (found.inside == (away(pair.xy_um) < 0)).mean() > 0.95
    assert found.n_components == 2
    assert found.half_seed is None
    assert found.defined_by == ()
    assert found.how == f"haematoxylin above {'the threshold of Otsu' if above is None else '0.5'}"


def test_a_section_that_is_stained_darker_has_a_threshold_of_its_own(make_pair: Callable[..., Pair]) -> None:
    pair = planted(make_pair)
    of = np.where(pair.xy_um[:, 0] < 500, "light", "dark")  # a disc in each
    level = (away(pair.xy_um) < 0) + np.where(of == "dark", 3.0, 0.0)
    found = region_of_level(replace(with_column(pair, level), sample_of=of), "haematoxylin")
    assert (found.inside == (away(pair.xy_um) < 0)).mean() > 0.97


def test_a_sample_too_small_is_left_out(make_pair: Callable[..., Pair]) -> None:
    pair = planted(make_pair)
    of = np.where(np.arange(len(pair)) < 5, "small", "s")
    found = region_of_genes(replace(pair, sample_of=of), ["G0", "G1", "G2"])
    assert found.left_out == ("small",)
    assert found.n_components == 2


def test_bad_input(make_pair: Callable[..., Pair]) -> None:
    pair = planted(make_pair)
    with pytest.raises(DataError, match="none of the genes"):
        region_of_genes(pair, ["GONE"])
    with pytest.raises(DataError, match=r"the share is 1\.5"):
        region_of_genes(pair, ["G0"], share=1.5)
    with pytest.raises(DataError, match="no places"):
        region_of_genes(replace(pair, has_positions=False), ["G0"])
    with pytest.raises(ConfigError, match=r"unknown column 'haematoxilin'.*did you mean 'haematoxylin'"):
        region_of_level(with_column(pair, np.zeros(len(pair))), "haematoxilin")
    with pytest.raises(DataError, match="what marks it does not vary"):
        region_of_level(with_column(pair, np.zeros(len(pair))), "haematoxylin")
    with pytest.raises(DataError, match=r"3000 values are no numbers.*name a `value`"):
        region_of_level(pair, "kind")
    with pytest.raises(DataError, match="no component has 20"):
        region_of_level(with_column(pair, np.arange(len(pair)) / len(pair)), "haematoxylin", 7.0)
