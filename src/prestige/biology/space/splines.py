"""Natural cubic splines of one variable, fitted to many genes at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped

from prestige.errors import DataError
from prestige.stats.space import rows_of_samples


@dataclass(frozen=True, eq=False)
class NaturalSpline:
    """A natural cubic spline without intercept, its columns uncorrelated and of variance 1 where it was made.

    Attributes
    ----------
    knots
        (k,) where cubic pieces meet; linear beyond the ends.
    mean, turn
        What makes the k - 1 plain columns uncorrelated.
    """

    knots: Float[np.ndarray, " k"]
    mean: Float[np.ndarray, " c"]
    turn: Float[np.ndarray, "c c"]

    @classmethod
    def of(cls, x: Float[np.ndarray, " n"], knots: int) -> NaturalSpline:
        """Return the spline with knots at equally spaced quantiles of x, from 5 to 95 %.

        Raises
        ------
        DataError
            When two knots would be at one place.
        """
        at = np.quantile(x, np.linspace(0.05, 0.95, knots))
        if (np.diff(at) <= 0).any():
            raise DataError(
                "distances are too few to place knots", where="gradients", remedy="widen the reach"
            )
        raw = _natural(x, at)
        mean = raw.mean(axis=0)
        return cls(at, mean, np.linalg.inv(np.linalg.cholesky(np.cov(raw.T)).T))

    def __call__(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n c"]:
        """Return the columns at x."""
        return (_natural(x, self.knots) - self.mean) @ self.turn

    def curve(
        self,
        x: Float[np.ndarray, " n"],
        values: Float[np.ndarray, "n g"],
        sample_of: Shaped[np.ndarray, " n"],
        grid: Float[np.ndarray, " m"],
    ) -> Float[np.ndarray, "m g"]:
        """Return the least-squares fit on a grid, with the mean of the samples' intercepts."""
        basis = self(x)
        slopes, level = basis.copy(), values.astype(np.float64)
        for _, rows in rows_of_samples(sample_of):
            slopes[rows] -= slopes[rows].mean(axis=0)
            level[rows] -= level[rows].mean(axis=0)
        fit = np.linalg.lstsq(slopes, level, rcond=None)[0]
        return values.mean(axis=0, dtype=np.float64) + (self(grid) - basis.mean(axis=0)) @ fit


def _natural(x: np.ndarray, knots: np.ndarray) -> Float[np.ndarray, "n c"]:
    """Return the k - 1 columns beside the intercept (Hastie, Tibshirani and Friedman 2009, eq. 5.4)."""
    scale = knots[-1] - knots[0]
    x, at = (x - knots[0]) / scale, (knots - knots[0]) / scale
    cubic = np.maximum(x[:, None] - at, 0.0) ** 3
    bent = (cubic[:, :-1] - cubic[:, -1:]) / (at[-1] - at[:-1])
    return np.concatenate([x[:, None], bent[:, :-1] - bent[:, -1:]], axis=1)
