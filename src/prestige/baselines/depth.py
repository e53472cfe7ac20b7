"""Expression from the observation's own depth: a diagnostic, since it uses RNA of the test side.

A gene whose normalised expression follows the total counts is predicted by any reader of the slide
that sees how much RNA a place gives (cell size, density), without knowing anything of the gene.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32

from prestige.errors import DataError


@dataclass(frozen=True, eq=False)
class DepthLines:
    """For each gene a straight line on ``log1p`` of the total counts.

    Attributes
    ----------
    slope, intercept
        (g,) of the least-squares line.
    """

    slope: Float[np.ndarray, " g"]
    intercept: Float[np.ndarray, " g"]

    @property
    def n_parameters(self) -> int:
        """Slopes and intercepts."""
        return self.slope.size + self.intercept.size

    def predict(self, totals: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n g"]:
        """Return the expression (log1p scale, >= 0) for some total counts."""
        out = np.log1p(totals)[:, None] * self.slope + self.intercept
        return np.maximum(out, 0.0).astype(np.float32)

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what a file keeps of it: arrays, and what JSON holds."""
        return {"slope": self.slope, "intercept": self.intercept}, {}

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> DepthLines:
        """Return what :meth:`pack` took apart."""
        return cls(arrays["slope"], arrays["intercept"])


def fit_depth(totals: Float[np.ndarray, " n"], y: Float[np.ndarray, "n g"]) -> DepthLines:
    """Fit each gene's least-squares line on ``log1p(totals)``; flat where all totals are alike.

    Raises
    ------
    DataError
        When the arrays do not fit, or a total is negative or not finite.
    """
    if len(totals) != len(y) or not (np.isfinite(totals).all() and (totals >= 0).all()):
        raise DataError(
            f"{len(totals)} total counts do not fit {len(y)} observations, or are no counts",
            where="baseline 'depth'",
            expected="a finite total, no less than 0, for each observation",
        )
    x, mean = np.log1p(totals), y.mean(axis=0, dtype=np.float64)
    centred = x - x.mean()
    squares = float(centred @ centred)
    slope = centred @ y.astype(np.float64) / squares if squares > 1e-12 * len(x) else np.zeros_like(mean)
    return DepthLines(slope, mean - slope * x.mean())
