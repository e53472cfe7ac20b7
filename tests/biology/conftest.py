"""Tissue of known means: what a pair is made of in these tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix
from scipy.spatial import KDTree

from prestige.biology.pair import Pair
from prestige.data.phantom import PhantomConfig, make_section
from prestige.data.phantom.expression import make_programme


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


@dataclass(frozen=True, eq=False)
class Tissue:
    """A phantom's section: true mean counts and places; ``visible`` leaves out what no image shows."""

    mean: np.ndarray
    visible: np.ndarray
    xy_um: np.ndarray


@pytest.fixture(scope="session", params=[60.0, 400.0], ids=["shallow", "deep"])
def tissue(request: pytest.FixtureRequest) -> Tissue:
    """Return a phantom with 60 (shallow) or 400 counts an observation, about 3,100 cells, 24 genes."""
    config = PhantomConfig(
        patients=1, depth=request.param, n_genes=24, unmeasured_share=0, widths_um=(32.0,), replicates=2
    )
    section = make_section(config, 0, 0)
    programme = make_programme(config, np.random.default_rng([config.seed, 0]))
    own = programme.by_type[section.cell_type] + section.look[:, None] * programme.by_look
    root = np.sqrt(programme.shares)
    rate = root[:, 0] * own + root[:, 1] * programme.sign * section.environment[:, None]
    visible = config.depth * np.exp(programme.base + config.effect * rate)
    return Tissue(section.mean, visible, section.xy_px * config.um_per_px)


def local_means(values: np.ndarray, xy_um: np.ndarray, radius_um: float) -> np.ndarray:
    """Return the mean over all observations within a radius of each, itself included."""
    near = KDTree(xy_um).sparse_distance_matrix(KDTree(xy_um), radius_um, output_type="coo_matrix")
    weights = csr_array((np.ones(near.nnz), (near.row, near.col)), shape=near.shape)
    return (weights @ values) / weights.sum(axis=1)[:, None]


@pytest.fixture(scope="session")
def blur() -> Callable[..., np.ndarray]:
    """Return the function that takes local means."""
    return local_means
