"""A study of two small sections with every part in it, and one with hardly any: made once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from prestige.biology.pair import Pair
from prestige.biology.settings import BiologyConfig
from prestige.biology.study import Study, study
from prestige.genesets import GeneSet

PODOCYTE = ("NPHS1", "NPHS2", "PODXL", "PTPRO", "CLIC5")
TUBULE = ("LRP2", "CUBN", "SLC34A1", "SLC5A2", "SLC22A6")
GENES = (*PODOCYTE, *TUBULE, *(f"G{i:02d}" for i in range(20)))
SETS = {
    "podocyte <set>": GeneSet("podocyte <set>", PODOCYTE, "test"),
    "others": GeneSet("others", GENES[10:18], "test"),
    "absent": GeneSet("absent", ("NOT", "HERE"), "test"),
}
SIDE, STEP_UM = 30, 20.0


def pair(*, blur: bool = False, samples: int = 2, predicted: float = 0.7) -> Pair:
    """Return sections with discs of podocytes; predicted is the truth's mean, weaker, or its wide blur."""
    from scipy.ndimage import uniform_filter

    rng = np.random.default_rng(0)
    xy = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE)), -1).reshape(-1, 2) * STEP_UM + 10.0
    means, shown, inside = [], [], []
    for number in range(samples):
        centres = np.array([[150.0, 150.0], [430.0, 400.0]]) + 40.0 * number
        disc = np.hypot(*(xy[:, None] - centres).transpose(2, 0, 1)).min(axis=1) < 90.0
        log = rng.normal(0, 0.05, (len(xy), len(GENES)))
        log[:, :5] += 2.0 * disc[:, None]
        log[:, 5:10] += 1.2 * np.sin(xy[:, :1] / 40.0)
        log[:, 10:20] += 1.0 * np.cos(xy[:, 1:] / 60.0) * np.linspace(0.2, 1.2, 10)
        mean = 3.0 * np.exp(log)
        own = mean
        if blur:
            grid = mean.reshape(SIDE, SIDE, -1)
            own = uniform_filter(grid, (11, 11, 0), mode="nearest").reshape(len(xy), -1)
        means.append(mean)
        shown.append(own.mean(axis=0) ** (1 - predicted) * own**predicted if not blur else own)
        inside.append(disc)
    mean, of = np.concatenate(means), np.concatenate(shown)
    counts = rng.poisson(mean).astype(np.float32)
    n = len(mean)
    sample = np.repeat([f"S {number}" for number in range(samples)], len(xy))
    obs = pd.DataFrame(
        {
            "patient": sample,
            "inflamed": np.where(np.tile(xy[:, 0] < 300, samples), "yes", "no"),
            "annotation": np.where(np.concatenate(inside), "glomerulus", "rest"),
        },
        index=[f"c{i}" for i in range(n)],
    )
    return Pair(
        genes=GENES,
        counts=csr_matrix(counts),
        totals=np.maximum(counts.sum(axis=1), 1).astype(np.float64),
        predicted=np.log1p(100 * of / of.sum(axis=1, keepdims=True)).astype(np.float32),
        xy_um=np.tile(xy, (samples, 1)),
        sample_of=sample,
        obs=obs,
        train_mean=np.full(len(GENES), 1.2),
        train_std=np.full(len(GENES), 0.8),
        mean_of="counts",
        notes=("pseudo-H&E rendered from <DAPI>",),
    )


CONFIG = BiologyConfig.model_validate(
    {
        "tissue": "kidney",
        "condition": {"column": "inflamed", "first": "no", "second": "yes"},
        "region": {"column": "annotation", "value": "glomerulus", "within_um": 100.0},
        "domains": 4,
    }
)


@cache
def full_study() -> Study:
    """Return a study in which every part is answered."""
    return study(pair(), SETS, CONFIG, block_um=150.0)


@cache
def blurred_study() -> Study:
    """Return the study of a prediction that is the tissue's mean over 220 um."""
    return study(pair(blur=True), SETS, block_um=150.0)


@cache
def patients_study() -> Study:
    """Return a study of twelve patients."""
    return study(pair(samples=12), SETS, BiologyConfig(tissue="kidney"), block_um=150.0)


@cache
def flat_study() -> Study:
    """Return the study of a prediction that is the same everywhere."""
    return study(pair(predicted=0.0), SETS, block_um=150.0)


@cache
def bare_study() -> Study:
    """Return a study of 60 observations without places: hardly a part can be answered."""
    from dataclasses import replace

    return study(replace(pair(samples=1).take(slice(0, 60)), has_positions=False), {})
