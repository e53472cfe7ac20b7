"""The gene that follows the nuclei: the one that was made so, with a correlation worked out by numpy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from prestige.report.dataset.nuclei import most_concentrated


def _red_around(pixels: np.ndarray, xy: np.ndarray) -> list[float]:
    """Mean density in red about each place of an image of 192 px at 0.5 um, over 5 x 5 squares of 9 px."""
    density = -np.log10((pixels[:189:3, :189:3, 0] + 1.0) / 256)
    squares = np.pad(density.reshape(21, 3, 21, 3).mean(axis=(1, 3)), 2, mode="edge")
    places = np.minimum(np.floor((xy + 0.5) / 9), 20).astype(int)
    return [squares[row : row + 5, column : column + 5].mean() for column, row in places]


def test_the_gene_that_is_high_where_red_is_absorbed_is_found(small_samples: Any) -> None:
    sample = small_samples[0]
    found = most_concentrated(sample)
    assert found is not None
    assert found.gene == "G1"  # its mean rises with what is dark in red; G0 falls
    assert len(found.values) == len(found.xy_um) == int(sample.measured.sum())
    counts = sample.counts.toarray()[sample.measured].astype(float)
    totals = counts.sum(axis=1)
    expected = np.log1p(counts * (np.median(totals) / totals)[:, None])
    np.testing.assert_allclose(found.values, expected[:, 1], rtol=1e-6)
    assert 0.3 < found.correlation < 1


def test_no_gene_is_shown_where_none_varies_or_is_counted(small_samples: Any) -> None:
    sample = small_samples[0]
    n = sample.n_obs
    flat = csr_matrix(np.where(sample.measured[:, None], np.ones((n, 4)), 0).astype(np.float32))
    obs = sample.obs.assign(total_counts=np.where(sample.measured, 4.0, 0.0))
    assert most_concentrated(replace(sample, counts=flat, obs=obs)) is None
    none = replace(sample, counts=csr_matrix((n, 0), dtype=np.float32), genes=())
    assert most_concentrated(none) is None


def test_observations_without_a_count_have_no_value(small_samples: Any) -> None:
    sample = small_samples[1]
    first = int(np.flatnonzero(sample.measured)[0])
    counts = sample.counts.toarray()
    counts[first] = 0
    obs = sample.obs.copy()
    obs.loc[obs.index[first], "total_counts"] = 0.0
    found = most_concentrated(replace(sample, counts=csr_matrix(counts), obs=obs))
    assert found is not None
    assert found.values[0] == 0
    rows = sample.measured
    totals = counts[rows].sum(axis=1).astype(float)
    scale = np.array([np.median(totals[totals > 0]) / one if one else 0.0 for one in totals])
    values = np.log1p(counts[rows] * scale[:, None])
    column = sample.genes.index(found.gene)
    np.testing.assert_allclose(found.values, values[:, column], rtol=1e-6)
    density = _red_around(sample.slide.pixels, sample.xy_px[rows])
    expected = [np.corrcoef(values[:, gene], density)[0, 1] for gene in range(len(sample.genes))]
    assert found.correlation == pytest.approx(expected[column], abs=1e-5)
    assert column == np.argmax(expected)
