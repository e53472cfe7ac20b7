"""What a bench says of itself: how far apart the tissue is still alike."""

import dataclasses
import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from prestige.config import BenchConfig
from prestige.data.dataset import Dataset
from prestige.data.fold import audited_folds, prepare_fold
from prestige.data.sample import Sample
from prestige.runs.record import describe_fold

BENCH = {
    "name": "small",
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 4, "run_folds": [0], "buffer_um": 16},
    "patches": [{"patch_px": 24}],
    "encoders": ["compact_xs"],
    "genesets": {"shipped": []},
    "train": {"budget": {"steps": 1}},
}


def checkered(sample: Sample, seed: int) -> Sample:
    """Return the sample with a level for each gene in each square of 24 um, and little noise upon it."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(0.2, 1.8, (4, 4, 4))  # 96 um hold 4 x 4 squares, for each of 4 genes
    x, y = (sample.xy_px * 0.5 // 24).astype(int).T
    counts = csr_matrix(rng.poisson(500 * levels[y, x]) * sample.obs["measured"].to_numpy()[:, None])
    total = np.asarray(counts.sum(axis=1), float).ravel()
    return dataclasses.replace(
        sample, counts=counts.astype(np.float32), obs=sample.obs.assign(total_counts=total)
    )


def test_the_correlation_length_is_that_of_the_tissues_squares(small_samples) -> None:
    """Levels of squares drawn at random: P(both in one square) = 1 - 4 u / pi + u^2 / pi at u = d / width.

    That is Buffon's grid, averaged over directions; it falls to 1/e at u = 0.579.
    """
    u = 2 - math.sqrt(4 - math.pi * (1 - 1 / math.e))
    assert 1 - 4 * u / math.pi + u**2 / math.pi == pytest.approx(1 / math.e)
    found = []
    for seed in range(3):
        samples = tuple(checkered(sample, 10 * seed + number) for number, sample in enumerate(small_samples))
        config = BenchConfig.model_validate(BENCH)
        (fold,), _ = audited_folds(samples, config.split, largest_patch_um=12.0, only=0)
        measured = describe_fold(prepare_fold(Dataset("small", samples), fold, config.panel), config)
        correlation = measured.record.correlation
        assert correlation is not None
        assert math.isfinite(correlation.length_um)
        found.append(correlation.length_um)
    assert np.mean(found) == pytest.approx(24 * u, rel=0.2)


def test_too_few_observations_have_no_correlation_length(small_samples) -> None:
    config = BenchConfig.model_validate(BENCH)
    (fold,), _ = audited_folds(small_samples, config.split, largest_patch_um=12.0, only=0)
    data = prepare_fold(Dataset("small", small_samples), fold, config.panel)
    few = dataclasses.replace(data, test=data.test.take(np.arange(20)), test_y=data.test_y[:20])
    correlation = describe_fold(few, config).record.correlation
    assert correlation is not None
    assert math.isnan(correlation.length_um)
    assert math.isnan(correlation.structured)
