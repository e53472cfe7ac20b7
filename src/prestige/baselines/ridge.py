"""Ridge regression from sums: one eigendecomposition serves every strength and all genes.

The strength is chosen by leaving out whole groups (spatial blocks) of the training side.  Errors on what
is left out follow from the sums of squares and products too, so nothing is predicted to find them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from prestige.errors import DataError

ALPHAS = tuple(float(alpha) for alpha in 10.0 ** np.arange(-5.0, 2.1, 0.5))
N_GROUPS = 5
_CLIP = 5.0  # deviations: a feature further out than this on a new slide says no more
_ROWS = 8192
_COLUMNS = 256
_ARRAYS = ("mean", "scale", "weights", "intercept")


@dataclass(frozen=True, eq=False)
class Ridge:
    """A fitted ridge regression on standardised features.

    Attributes
    ----------
    mean, scale
        Of each of the f features on the training side.
    weights, intercept
        (f, g) and (g,): expression per deviation of a feature, and the training mean.
    alpha
        The chosen penalty per observation, on standardised features and genes.
    errors
        For each alpha tried the mean squared error on left-out groups, in units of a gene's variance.
    """

    mean: Float[np.ndarray, " f"]
    scale: Float[np.ndarray, " f"]
    weights: Float[np.ndarray, "f g"]
    intercept: Float[np.ndarray, " g"]
    alpha: float
    errors: dict[float, float]

    def predict(self, x: Float[np.ndarray, "n f"]) -> Float[np.ndarray, "n g"]:
        """Return the expression for some features, float32, never below 0 (which log1p never is)."""
        out = standardise(x, self.mean, self.scale).astype(np.float32) @ self.weights.astype(np.float32)
        out += self.intercept.astype(np.float32)
        return np.maximum(out, 0.0, out=out)

    @property
    def n_parameters(self) -> int:
        """Weights and intercepts."""
        return self.weights.size + self.intercept.size

    def describe(self) -> dict[str, Any]:
        """Return the strength, how it was chosen, and the size, ready for JSON."""
        errors = {f"{alpha:.3g}": error for alpha, error in self.errors.items()}
        return {"alpha": self.alpha, "n_features": len(self.mean), "left_out_errors": errors}

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return what a file keeps of it: arrays, and what JSON holds."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        return arrays, {"alpha": self.alpha, "errors": [[alpha, e] for alpha, e in self.errors.items()]}

    def shapes(self, n_genes: int) -> dict[str, tuple[int, ...]]:
        """Return the shape that each array has for so many genes, and as many features as there are means."""
        f = self.mean.size
        return {"mean": (f,), "scale": (f,), "weights": (f, n_genes), "intercept": (n_genes,)}

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], details: Mapping[str, Any]) -> Ridge:
        """Return what :meth:`pack` took apart."""
        errors = {float(alpha): float(error) for alpha, error in details["errors"]}
        return cls(*(arrays[name] for name in _ARRAYS), alpha=float(details["alpha"]), errors=errors)


class _Sums(NamedTuple):
    n: float | np.ndarray
    x: np.ndarray
    y: np.ndarray
    xx: np.ndarray
    xy: np.ndarray
    yy: np.ndarray


def standardise(
    x: Float[np.ndarray, "n f"], mean: Float[np.ndarray, " f"], scale: Float[np.ndarray, " f"]
) -> Float[np.ndarray, "n f"]:
    """Return the features in deviations from the training mean, float64, clipped at 5."""
    return np.clip((x - mean) / scale, -_CLIP, _CLIP)


def fit_ridge(
    x: Float[np.ndarray, "n f"],
    y: Float[np.ndarray, "n g"],
    group_of: Int[np.ndarray, " n"],
    *,
    alphas: Sequence[float] = ALPHAS,
    seed: int = 0,
) -> Ridge:
    """Fit ridge for all genes at once, its strength chosen by groups.

    Parameters
    ----------
    x
        Features.
    y
        Expression.
    group_of
        Group (spatial block) of each row: rows of one group are left out together.
    alphas
        Penalties per observation to try, on standardised features and genes.
    seed
        Of the assignment of groups to folds.

    Raises
    ------
    DataError
        When there are fewer than two rows, or the arrays do not fit or are not finite.
    """
    if len(x) < 2 or len(x) != len(y) or len(x) != len(group_of):
        raise DataError(
            f"{len(x)} features, {len(y)} expressions and {len(group_of)} groups do not fit",
            where="ridge",
            expected="at least two training observations, all three equally many",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise DataError("features or expression hold NaN or infinity", where="ridge")
    mean, scale = x.mean(axis=0, dtype=np.float64), column_scale(x)
    y_mean, y_scale = y.mean(axis=0, dtype=np.float64), column_scale(y)
    fold_of = group_folds(group_of, seed)
    folds = [
        _sum(x, y, np.flatnonzero(fold_of == fold), (mean, scale, y_mean, y_scale))
        for fold in range(int(fold_of.max()) + 1)
    ]
    total = reduce(_add, folds)
    errors = _left_out_errors(total, folds, alphas)
    alpha = min(errors, key=lambda a: (errors[a], -a)) if errors else 1e-2
    weights = next(iter(_solve(total, [alpha])))
    offset = total.y / total.n - (total.x / total.n) @ weights
    return Ridge(mean, scale, weights * y_scale, y_mean + offset * y_scale, float(alpha), errors)


def column_scale(values: Float[np.ndarray, "n f"]) -> Float[np.ndarray, " f"]:
    """Return the standard deviation of each column, 1 where it is constant (or as good as)."""
    out = np.ones(values.shape[1])
    for start in range(0, values.shape[1], _COLUMNS):  # numpy makes a copy of what it is given
        columns = values[:, start : start + _COLUMNS]
        deviation = columns.std(axis=0, dtype=np.float64)
        varies = deviation > 1e-6 * np.abs(columns).max(axis=0)
        out[start : start + _COLUMNS][varies] = deviation[varies]
    return out


def group_folds(group_of: Int[np.ndarray, " n"], seed: int) -> Int[np.ndarray, " n"]:
    """Deal the groups out to at most five folds of about equal size, largest first, ties by the seed."""
    groups, code, size = np.unique(group_of, return_inverse=True, return_counts=True)
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    order = shuffled[np.argsort(-size[shuffled], kind="stable")]
    filled = np.zeros(min(N_GROUPS, len(groups)), dtype=np.int64)
    fold_of_group = np.empty(len(groups), dtype=np.int64)
    for group in order:
        fold = int(np.argmin(filled))
        fold_of_group[group] = fold
        filled[fold] += size[group]
    return fold_of_group[code]


def _sum(x: np.ndarray, y: np.ndarray, rows: np.ndarray, scaling: tuple[np.ndarray, ...]) -> _Sums:
    x_mean, x_scale, y_mean, y_scale = scaling
    f, g = x.shape[1], y.shape[1]
    total = _Sums(0.0, np.zeros(f), np.zeros(g), np.zeros((f, f)), np.zeros((f, g)), np.zeros(g))
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        a, b = standardise(x[block], x_mean, x_scale), (y[block] - y_mean) / y_scale
        squares = np.einsum("ij,ij->j", b, b)
        total = _add(total, _Sums(float(len(block)), a.sum(axis=0), b.sum(axis=0), a.T @ a, a.T @ b, squares))
    return total


def _add(a: _Sums, b: _Sums) -> _Sums:
    return _Sums(*map(np.add, a, b))


def _solve(sums: _Sums, alphas: Sequence[float]) -> list[np.ndarray]:
    """Return the weights (f, g) for each alpha, from one eigendecomposition of the covariance."""
    covariance = (sums.xx - np.outer(sums.x, sums.x) / sums.n) / sums.n
    product = (sums.xy - np.outer(sums.x, sums.y) / sums.n) / sums.n
    values, vectors = np.linalg.eigh(covariance)
    values, rotated = np.maximum(values, 0.0), vectors.T @ product
    return [vectors @ (rotated / (values + alpha)[:, None]) for alpha in alphas]


def _left_out_errors(total: _Sums, folds: Sequence[_Sums], alphas: Sequence[float]) -> dict[float, float]:
    """Return the mean squared error on left-out folds for each alpha; empty when there is one fold only."""
    if len(folds) < 2:
        return {}
    error = np.zeros(len(alphas))
    for fold in folds:
        rest = _Sums(*map(np.subtract, total, fold))
        for i, weights in enumerate(_solve(rest, alphas)):
            offset = rest.y / rest.n - (rest.x / rest.n) @ weights
            # sum of (y - xW - o)^2, multiplied out
            fitted = weights * (fold.xx @ weights - 2.0 * fold.xy)
            cross = 2.0 * offset * (fold.x @ weights - fold.y) + fold.n * offset**2
            error[i] += fold.yy.sum() + fitted.sum() + cross.sum()
    return dict(zip(map(float, alphas), (error / (total.n * len(total.y))).tolist(), strict=True))
