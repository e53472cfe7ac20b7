"""Expression from the observation's own depth: a diagnostic, since it uses RNA of the test side.

A gene whose normalised expression follows the total counts is predicted by any reader of the slide
that sees how much RNA a place gives (cell size, density), without knowing anything of the gene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from prestige.baselines.fitted import Fitted, Totals, TrainingSide
from prestige.baselines.settings import BaselineConfig
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader
from prestige.errors import DataError


@dataclass(frozen=True, eq=False)
class DepthLines(Fitted):
    """For each gene a straight line on ``log1p`` of the total counts.

    Attributes
    ----------
    slope, intercept
        (g,) of the least-squares line.
    n_train
        Training observations that the lines go through.
    """

    slope: Float[np.ndarray, " g"]
    intercept: Float[np.ndarray, " g"]
    n_train: int

    @classmethod
    def fit(cls, config: BaselineConfig, given: TrainingSide) -> DepthLines:
        """Fit the lines on the training side's own totals."""
        return fit_depth(_needed(given.totals), given.y)

    @property
    def n_parameters(self) -> int:
        """Slopes and intercepts."""
        return self.slope.size + self.intercept.size

    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return the expression for the total counts of the observations."""
        return self.of_totals(_needed(totals))

    def of_totals(self, totals: Float[np.ndarray, " n"]) -> Float32[np.ndarray, "n g"]:
        """Return the expression (log1p scale, >= 0) for some total counts."""
        out = np.log1p(totals)[:, None] * self.slope + self.intercept
        return np.maximum(out, 0.0).astype(np.float32)


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
    return DepthLines(slope, mean - slope * x.mean(), len(y))


def _needed(totals: np.ndarray | None) -> np.ndarray:
    if totals is None:
        raise DataError("no total counts are given", where="baseline 'depth'", expected="one an observation")
    return totals
