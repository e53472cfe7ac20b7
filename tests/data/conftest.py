"""Small sections made by hand, for the tests of the parts that read samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.sample import Sample
from prestige.data.slides.slide import Slide


def _make_slide(height: int = 200, width: int = 300, um_per_px: float = 0.5, seed: int = 0) -> Slide:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    pixels.flags.writeable = False
    return Slide(pixels, um_per_px, False, f"slide {seed}")


def _make_sample(
    name: str = "s",
    xy_px: Any = None,
    *,
    patient: str = "p",
    n: int = 50,
    counts: Any = None,
    genes: Sequence[str] | None = None,
    measured: Any = True,
    totals: Any = None,
    slide: Slide | None = None,
    covariates: Mapping[str, str] | None = None,
    seed: int = 0,
    **columns: Any,
) -> Sample:
    rng = np.random.default_rng(seed)
    slide = slide or _make_slide()
    if xy_px is None:
        n = n if counts is None else len(counts)
        xy_px = rng.uniform(0, [slide.width_px - 1, slide.height_px - 1], (n, 2))
    xy_px = np.asarray(xy_px, np.float64)
    n = len(xy_px)
    seen = np.broadcast_to(np.asarray(measured, bool), n).copy()
    table = rng.poisson(2.0, (n, 4)) + 1 if counts is None else np.asarray(counts)
    table = np.where(seen[:, None], table, 0).astype(np.float32)
    total = table.sum(axis=1) if totals is None else np.broadcast_to(np.asarray(totals, np.float64), n)
    obs = pd.DataFrame(
        {"measured": seen, "total_counts": total.astype(np.float64), **columns},
        index=[f"{name}-{i}" for i in range(n)],
    )
    return Sample(
        id=name,
        patient=patient,
        slide=slide,
        obs=obs,
        xy_px=xy_px,
        counts=csr_matrix(table),
        genes=tuple(genes) if genes is not None else tuple(f"g{j}" for j in range(table.shape[1])),
        covariates=covariates or {},
        source="made",
        fingerprint=f"{name} {seed}",
    )


@pytest.fixture(scope="session")
def make_slide() -> Callable[..., Slide]:
    """Return what makes a slide of random pixels."""
    return _make_slide


@pytest.fixture(scope="session")
def make_sample() -> Callable[..., Sample]:
    """Return what makes a sample from arrays, with random ones where none are given."""
    return _make_sample
