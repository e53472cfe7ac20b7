"""Which blocks are merged: widths by hand, and intervals of tissue whose correlation length is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prestige.errors import DataError
from prestige.stats.block_width import Blocks, blocks_of_tissue, choose_blocks
from prestige.stats.bootstrap import MIN_CLUSTERS
from prestige.stats.compare import compare
from prestige.stats.correlogram import correlogram
from prestige.stats.moments import Moments, mean_gene_pearson, merge_blocks, moments_of, spatial_blocks

GENES = tuple("abcdefgh")


def section(n_side: int, block_um: float, sample: str = "S") -> Moments:
    """Return moments of a square section of n_side x n_side blocks, one observation in each."""
    at = (np.stack(np.meshgrid(np.arange(n_side), np.arange(n_side)), -1).reshape(-1, 2) + 0.5) * block_um
    values = np.random.default_rng(0).normal(size=(len(at), len(GENES)))
    return moments_of(values, values, np.array([sample] * len(at)), spatial_blocks(at, block_um), GENES)


@pytest.mark.parametrize(
    ("n_side", "length", "times", "wide_enough"),
    [
        (20, 80.0, 1, True),  # 250 um are 3.1 lengths
        (20, 120.0, 2, True),  # 480 um are 4 lengths, two blocks 500
        (20, 130.0, 3, True),  # 520 um do not go into two blocks
        (8, 130.0, 2, True),  # three leave 9 of 3 x 3, two leave 16 that are 3.8 lengths wide
        (8, 240.0, 2, False),  # two are 2.1 lengths wide, and as wide as it goes
        (4, 240.0, 1, False),  # two leave 4
        (3, 240.0, 1, False),  # 9 are too few as it is
    ],
)
def test_blocks_are_merged_to_four_lengths_as_far_as_ten_are_left(
    n_side: int, length: float, times: int, wide_enough: bool
) -> None:
    found = choose_blocks([section(n_side, 250.0)], 250.0, [length, 10.0])
    assert (found.times, found.wide_enough, found.length_um) == (times, wide_enough, length)
    assert found.width_um == times * 250.0
    # A reason where wider ones would have been wanted, and where there is an interval to lose by them.
    assert (found.reason is not None) == (n_side > 3 and times < found.wanted)


def test_the_reason_counts_the_blocks_that_would_be_left() -> None:
    assert "4 spatial blocks" in str(choose_blocks([section(4, 250.0)], 250.0, [120.0]).reason)
    regions = [section(8, 250.0, sample) for sample in ("S1", "S2", "S3")]
    found = choose_blocks(regions, 250.0, [480.0])  # 8 a side leave three blocks in three regions
    # 7 leave squares of 49 and 1 and strips of 7: 12 clusters that vary like 3 x 64^2 / 2500 = 4.9 equal
    # ones.  5 leave 25, 15, 15 and 9: like 3 x 64^2 / 1156 = 10.6.
    assert found.times == 5
    assert "3 spatial blocks" in str(found.reason)


def test_with_enough_patients_any_width_goes() -> None:
    folds = [section(2, 250.0, f"S{i}") for i in range(MIN_CLUSTERS)]
    patient_of = {f"S{i}": f"P{i}" for i in range(MIN_CLUSTERS)}
    found = choose_blocks(folds, 250.0, [1000.0], patient_of=patient_of)
    assert (found.times, found.wide_enough, found.reason) == (16, True, None)


@pytest.mark.parametrize(
    ("n_side", "times"),
    [
        (20, 6),  # 6 leave squares of 6 x 6 and slivers: like 400^2 / 12,544 = 12.8 equal ones; 7 like 8.9
        (8, 2),  # 3 leave 9
        (4, 1),  # 2 leave 4
        (3, 1),  # 9 are too few as it is
    ],
)
@pytest.mark.parametrize("others", [[], [120.0], [math.nan]])
def test_tissue_that_is_alike_all_over_gets_the_widest_blocks_that_leave_ten(
    n_side: int, times: int, others: list[float]
) -> None:
    found = choose_blocks([section(n_side, 250.0)], 250.0, [math.inf, *others])
    assert (found.times, found.wide_enough, found.endless) == (times, False, True)
    sizes = merge_blocks(section(n_side, 250.0), times + 1).n.astype(float)
    assert sizes.sum() ** 2 / (sizes**2).sum() < MIN_CLUSTERS  # the next ones would not do
    assert (found.reason is not None) == (n_side > 3)


def test_sections_of_many_patients_that_are_alike_all_over_are_taken_whole() -> None:
    folds = [section(5, 100.0, f"S{number}") for number in range(12)]
    patient_of = {f"S{number}": f"P{number}" for number in range(12)}
    found = choose_blocks(folds, 100.0, [math.inf], patient_of=patient_of)
    assert (found.times, found.wide_enough, found.reason) == (5, False, None)
    # Without patients blocks are drawn within sections, and one of one is no draw.
    found = choose_blocks(folds, 100.0, [math.inf])
    assert found.times == 4
    assert "more blocks than regions" in str(found.reason)


def test_an_unknown_length_leaves_it_open_unless_another_one_decides() -> None:
    for lengths in ([], [math.nan], [math.nan, 10.0]):
        found = choose_blocks([section(8, 100.0)], 100.0, lengths)
        assert (found.times, found.wide_enough, found.unknown) == (1, None, True)
    assert choose_blocks([section(8, 250.0)], 250.0, [240.0, math.nan]).wide_enough is False
    assert choose_blocks([section(8, 250.0)], 250.0, [0.0]).wide_enough is True


def test_without_a_fold_blocks_stay() -> None:
    assert choose_blocks([], 100.0, [1000.0]).times == 1


@pytest.mark.parametrize(("kept", "lengths"), [(0.0, [1.0]), (math.nan, [1.0]), (100.0, [50.0, -1.0])])
def test_bad_widths_are_refused(kept: float, lengths: list[float]) -> None:
    with pytest.raises(DataError, match="positive numbers"):
        choose_blocks([section(4, 100.0)], kept, lengths)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 14), st.floats(1.0, 2000.0))
def test_what_is_left_can_be_resampled_wherever_it_could_be(n_side: int, length: float) -> None:
    moments = section(n_side, 100.0)
    found = choose_blocks([moments], 100.0, [length])
    merged = merge_blocks(moments, found.times)
    assert (len(merged.n) >= MIN_CLUSTERS) == (len(moments.n) >= MIN_CLUSTERS)
    assert found.wide_enough == (found.width_um >= 3 * length)
    assert found.times == 1 or found.width_um < 4 * length + 100.0
    assert mean_gene_pearson(merged) == pytest.approx(mean_gene_pearson(moments), abs=1e-12)


def _field(rng: np.random.Generator, xy: np.ndarray, length: float, n: int) -> np.ndarray:
    distance = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
    return np.linalg.cholesky(np.exp(-distance / length) + 1e-8 * np.eye(len(xy))) @ rng.normal(
        size=(len(xy), n)
    )


def test_intervals_grow_where_tissue_is_alike_over_several_blocks() -> None:
    # Exponential fields of 120 um on a lattice of 60 um: blocks of 100 um are less than one length wide.
    rng = np.random.default_rng(3)
    side = np.arange(0, 2400.0, 60.0) + 30.0
    xy = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    truth = _field(rng, xy, 120.0, len(GENES))
    pred = 0.6 * truth + 0.8 * _field(rng, xy, 120.0, len(GENES))
    length = correlogram(xy, truth).length_um
    assert length == pytest.approx(120.0, rel=0.35)
    kept = moments_of(pred, truth, np.array(["S"] * len(xy)), spatial_blocks(xy, 100.0), GENES)
    blocks = choose_blocks([kept], 100.0, [length])
    assert blocks.wide_enough
    assert blocks.width_um == 100.0 * math.ceil(4 * length / 100.0)
    narrow, wide = (compare({"a": [one]}).rows["a"] for one in (kept, merge_blocks(kept, blocks.times)))
    assert wide.score == pytest.approx(narrow.score, abs=1e-12)
    assert narrow.se is not None
    assert wide.se is not None
    assert wide.se > 1.3 * narrow.se


def tissue(wave_um: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return expression that follows smooth fields of about a wave's length, on a section of 5 mm."""
    rng = np.random.default_rng(2)
    xy = rng.uniform(0, 5000, (4000, 2))
    k = rng.normal(size=(2, len(GENES), 40)) / wave_um
    fields = np.cos(np.tensordot(xy, k, axes=(1, 0)) + rng.uniform(0, 2 * np.pi, (len(GENES), 40))).mean(
        axis=2
    )
    return fields / fields.std(axis=0) + rng.normal(0, 0.5, (len(xy), len(GENES))), xy, np.full(len(xy), "S")


def test_blocks_of_tissue_hold_its_correlation_length() -> None:
    # The correlation of such fields is exp(-r^2 / (2 wave^2)): 1/e at sqrt(2) waves.
    found = blocks_of_tissue(*tissue(160.0))
    assert found.length_um == pytest.approx(160 * math.sqrt(2), rel=0.3)
    assert found.times == math.ceil(4 * found.length_um / 250)
    assert found.wide_enough
    assert f"(correlation length {found.length_um:.0f} um)" in found.text


def test_fine_tissue_keeps_its_blocks_and_what_has_no_length_says_so() -> None:
    y, xy, sample = tissue(160.0)
    noise = np.random.default_rng(0).normal(size=y.shape)
    assert blocks_of_tissue(noise, xy, sample).times == 1
    assert blocks_of_tissue(np.ones_like(y), xy, sample).text == "250 um wide (correlation length not known)"
    narrow = Blocks(250.0, 100.0).text
    assert narrow == "250 um wide, too narrow (correlation length 100 um)"
    assert "alike across the whole tissue" in Blocks(250.0, 0.0, endless=True).text
