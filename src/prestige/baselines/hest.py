"""HEST-Bench's recipe by name: a frozen encoder's features, PCA-256, ridge with a fixed strength.

As the benchmark's own code has it (Jaume et al. 2024, HEST-1k, arXiv:2406.16192; ``mahmoodlab/HEST``,
``hest.bench``): features of patches of 112 um at 0.5 um per pixel are standardised, then rotated to
their first 256 principal components, both fitted on the training side; ridge with ``alpha = 100 /
(components x genes)`` and no intercept, on log1p expression that is not centred.

**Centred or not.**  The components have mean zero on the training side.  So the weights are the same
whether the target is centred or not, and without an intercept the prediction is the expression less
its training mean.  Here that mean is added, which no correlation sees: it makes the prediction an
expression, so that its errors mean something, and so that clipping it at 0, as every prediction here
is, cuts off only what is impossible; clipped without the mean, half of every gene would be lost.

What is not theirs: genes, totals, observations and splits are this bench's.  The features are the
means over the encoder's last map (their ResNet50 stops one stage earlier, their ViTs give the class
token).  Ridge is solved exactly, theirs by iteration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from scipy.linalg import eigh

from prestige.baselines.ridge import column_scale
from prestige.errors import DataError

COMPONENTS = 256
STRENGTH = 100.0
_ROWS = 4096
_ARRAYS = ("mean", "scale", "components", "weights", "intercept")


@dataclass(frozen=True, eq=False)
class HestRidge:
    """A fitted recipe.

    Attributes
    ----------
    mean, scale
        (f,) of each feature on the training side.
    components
        (f, c) principal directions of the standardised features.
    weights
        (c, g) expression per unit of a component.
    intercept
        (g,) training mean of each gene, which the recipe leaves out (see the module).
    alpha
        The penalty, ``100 / (c g)``.
    """

    mean: Float[np.ndarray, " f"]
    scale: Float[np.ndarray, " f"]
    components: Float[np.ndarray, "f c"]
    weights: Float[np.ndarray, "c g"]
    intercept: Float[np.ndarray, " g"]
    alpha: float

    @property
    def n_parameters(self) -> int:
        """Weights and training means; the directions follow from features alone."""
        return self.weights.size + self.intercept.size

    def predict(self, x: Float[np.ndarray, "n f"]) -> Float32[np.ndarray, "n g"]:
        """Return the expression (log1p scale, >= 0) for some features."""
        out = ((x - self.mean) / self.scale @ self.components) @ self.weights + self.intercept
        return np.maximum(out, 0.0).astype(np.float32)

    def describe(self) -> dict[str, Any]:
        """Return the strength and the sizes, ready for JSON."""
        return {"alpha": self.alpha, "n_features": len(self.mean), "components": self.components.shape[1]}

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what a file keeps of it: arrays, and what JSON holds."""
        return {name: getattr(self, name) for name in _ARRAYS}, {"alpha": self.alpha}

    def shapes(self, n_genes: int) -> dict[str, tuple[int, ...]]:
        """Return the shape that each array has for so many genes, and as many features as there are means."""
        f, c = self.mean.size, len(self.weights)
        whole = {"mean": (f,), "scale": (f,), "components": (f, c), "weights": (c, n_genes)}
        return {**whole, "intercept": (n_genes,)}

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> HestRidge:
        """Return what :meth:`pack` took apart."""
        return cls(*(arrays[name] for name in _ARRAYS), alpha=float(details["alpha"]))


def fit_hest(x: Float[np.ndarray, "n f"], y: Float[np.ndarray, "n g"]) -> HestRidge:
    """Fit the recipe; all that it needs are sums over the rows, in blocks of bounded size.

    Parameters
    ----------
    x
        Features of the whole patch.
    y
        Expression on the log1p scale.

    Raises
    ------
    DataError
        When there are fewer than two rows, or the arrays do not fit or are not finite.
    """
    if len(x) < 2 or len(x) != len(y):
        raise DataError(
            f"{len(x)} features and {len(y)} expressions do not fit",
            where="baseline 'hest'",
            expected="at least two training observations, both equally many",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("features or expression hold NaN or infinity", where="baseline 'hest'")
    mean, scale = x.mean(axis=0, dtype=np.float64), column_scale(x)
    y_mean = y.mean(axis=0, dtype=np.float64)
    f, g = x.shape[1], y.shape[1]
    squares, products = np.zeros((f, f)), np.zeros((f, g))
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        z = (x[rows] - mean) / scale
        squares += z.T @ z
        products += z.T @ (y[rows] - y_mean)
    c = min(COMPONENTS, len(x), f)
    values, components = eigh(squares, subset_by_index=[f - c, f - 1])
    alpha = STRENGTH / (c * g)
    # On its own principal components the ridge has a diagonal: one division a component.
    weights = (components.T @ products) / (np.maximum(values, 0.0) + alpha)[:, None]
    return HestRidge(mean, scale, components, weights, y_mean, alpha)
