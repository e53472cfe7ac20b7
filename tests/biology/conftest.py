"""Tissue of known means: what a pair is made of in these tests."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.biology.pair import Pair


def make(
    mean: np.ndarray,
    xy_um: np.ndarray,
    *,
    predicted: np.ndarray | None = None,
    seed: int = 0,
    panel: int | None = None,
) -> Pair:
    """Return Poisson counts of the given means (n, g) and a prediction, by default the true mean.

    ``predicted`` is in counts, like ``mean``.  Of the genes only the first ``panel`` are in the pair.
    """
    counts = np.random.default_rng(seed).poisson(mean).astype(np.float32)
    counts[counts.sum(axis=1) == 0, 0] = 1
    of = mean if predicted is None else predicted
    values = np.log1p(100 * of / of.sum(axis=1, keepdims=True)).astype(np.float32)
    g = panel or mean.shape[1]
    return Pair(
        genes=tuple(f"G{i}" for i in range(g)),
        counts=csr_matrix(counts[:, :g]),
        totals=counts.sum(axis=1).astype(np.float64),
        predicted=np.ascontiguousarray(values[:, :g]),
        xy_um=xy_um,
        sample_of=np.full(len(mean), "s"),
        obs=pd.DataFrame(index=[f"c{i}" for i in range(len(mean))]),
        mean_of="counts",
    )


@pytest.fixture(scope="session")
def make_pair() -> Callable[..., Pair]:
    """Return the function that makes a pair of given means."""
    return make
