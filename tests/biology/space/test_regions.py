"""Regions: planted discs are found with the distance to their boundary, strays and gaps are told."""

from __future__ import annotations

import numpy as np
import pytest

from prestige.biology.space.regions import region_of_mask
from prestige.errors import DataError
from prestige.report.biology.space import region_sentences

CENTRES = np.array([[300.0, 300.0], [700.0, 650.0]])
RADIUS = 120.0


def grid(step: float = 20.0, size: float = 1000.0) -> np.ndarray:
    at = np.arange(0, size, step)
    return np.stack(np.meshgrid(at, at), axis=-1).reshape(-1, 2)


def away(xy: np.ndarray) -> np.ndarray:
    """Signed distance to the boundary of the discs."""
    return np.hypot(*(xy[:, None] - CENTRES).transpose(2, 0, 1)).min(axis=1) - RADIUS


def one(xy: np.ndarray) -> np.ndarray:
    return np.full(len(xy), "s")


@pytest.mark.parametrize("smooth", [0, 8])
def test_discs_are_found_with_their_distances(smooth: int) -> None:
    xy = np.random.default_rng(0).uniform(0, 1000, (4000, 2))
    found = region_of_mask(away(xy) < 0, xy, one(xy), smooth=smooth)
    assert found.n_components == 2
    assert (found.inside == (away(xy) < 0)).mean() > 0.97
    assert ((found.distance_um < 0) == found.inside).all()
    assert np.abs(found.distance_um - away(xy)).mean() < found.spacing_um
    assert np.abs(found.distance_um - away(xy)).max() < 4 * found.spacing_um
    centre = np.hypot(*(xy[:, None] - CENTRES).transpose(2, 0, 1)).min(axis=1)
    assert np.abs(found.centre_um - centre)[found.inside].max() < 15
    assert np.isnan(found.centre_um[~found.inside]).all()


def test_on_a_grid_the_boundary_lies_midway() -> None:
    xy = grid()
    found = region_of_mask(xy[:, 0] < 500, xy, one(xy), smooth=0)
    assert found.distance_um == pytest.approx(xy[:, 0] - 490, abs=0.5)


def test_single_cells_of_another_kind_are_voted_in_and_strays_out() -> None:
    xy = np.random.default_rng(1).uniform(0, 1000, (4000, 2))
    mask = away(xy) < 0
    core = np.flatnonzero(away(xy) < -60)[::10]
    lone = np.flatnonzero(away(xy) > 100)[::100]
    mask[core] = False
    mask[lone] = True
    found = region_of_mask(mask, xy, one(xy))
    assert found.inside[core].all()
    assert found.stray[lone].all()
    assert not found.inside[lone].any()
    assert "2 components" in " ".join(region_sentences(found))


def test_small_components_are_strays() -> None:
    xy = grid()
    mask = (xy[:, 0] < 300) | ((xy[:, 0] > 800) & (xy[:, 1] < 60))
    found = region_of_mask(mask, xy, one(xy), smooth=0, min_size=50)
    assert found.n_components == 1
    assert found.stray.sum() == ((xy[:, 0] > 800) & (xy[:, 1] < 60)).sum()


def test_samples_have_their_own_components_and_distances() -> None:
    xy = np.concatenate([grid(), grid(), grid()])
    sample = np.repeat(["a", "b", "c"], len(xy) // 3)
    mask = ((xy[:, 0] < 500) & (sample == "a")) | ((xy[:, 0] < 200) & (sample == "b"))
    found = region_of_mask(mask, xy, sample, smooth=0)
    assert found.component[sample == "a"].max() == 0
    assert set(found.component[sample == "b"]) == {-1, 1}
    assert found.distance_um[sample == "b"] == pytest.approx(xy[sample == "b", 0] - 190, abs=0.5)
    assert np.isnan(found.distance_um[sample == "c"]).all()


def test_a_sample_too_small_to_vote_is_left_out_and_told() -> None:
    xy = np.random.default_rng(2).uniform(0, 1000, (3000, 2))
    few = np.arange(len(xy)) < 5
    of = np.where(few, "small", "s")
    found = region_of_mask(away(xy) < 0, xy, of)
    alone = region_of_mask(away(xy[5:]) < 0, xy[5:], of[5:])
    assert found.left_out == ("small",)
    np.testing.assert_array_equal(found.distance_um[5:], alone.distance_um)
    assert np.isnan(found.distance_um[few]).all()
    assert not found.inside[few].any()
    assert " ".join(region_sentences(found)).endswith(
        "Left out of the region, with fewer than 9 observations: sample small."
    )


def test_bad_input() -> None:
    xy = grid()
    with pytest.raises(DataError, match="all observations are inside"):
        region_of_mask(np.ones(len(xy), dtype=bool), xy, one(xy))
    with pytest.raises(DataError, match="no component has 20"):
        region_of_mask(np.zeros(len(xy), dtype=bool), xy, one(xy))
    with pytest.raises(DataError, match="a mask of 3"):
        region_of_mask(np.zeros(3, dtype=bool), xy, one(xy))


def test_spacing_is_that_of_the_tissue_and_not_of_samples_of_a_few() -> None:
    xy = np.random.default_rng(0).uniform(0, 480, (900, 2))
    xy[:3] = [[0, 0], [1e6, 0], [0, 1e6]]
    # Two observations far apart are no tissue, and one has no neighbour at all.
    few = np.array(["two", "two", "one"] + ["s"] * 897)
    found = region_of_mask(xy[:, 0] < 200, xy, few, smooth=0)
    assert found.spacing_um == pytest.approx(16, rel=0.1)
    with pytest.raises(DataError, match="at one place"):
        region_of_mask(np.array([True, False, True]), np.zeros((3, 2)), np.full(3, "s"), smooth=0)
