"""All metrics of every gene and of every observation, beside a loop over scipy and scikit-learn.

The loop is timed on some genes and some observations, each of full length, and counted up to all of them.

    python benchmarks/metrics_cost.py --observations 1000000 --genes 460
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from measured import Figure, seconds, show
from scipy.spatial.distance import cosine
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import (
    explained_variance_score,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
    root_mean_squared_error,
)

from prestige.compute.provenance import forget_peak_memory, peak_memory_bytes
from prestige.metrics import all_metrics

LOOPED = {
    "pearson": lambda p, t: pearsonr(p, t).statistic,
    "spearman": lambda p, t: spearmanr(p, t).statistic,
    "mse": lambda p, t: mean_squared_error(t, p),
    "rmse": lambda p, t: root_mean_squared_error(t, p),
    "mae": lambda p, t: mean_absolute_error(t, p),
    "r2": lambda p, t: r2_score(t, p),
    "explained_variance": lambda p, t: explained_variance_score(t, p),
    "cosine": lambda p, t: 1 - cosine(p.astype(np.float64), t.astype(np.float64)),
}


def made(n: int, g: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a prediction and a truth like log1p counts, made block by block."""
    pred, truth = np.empty((n, g), np.float32), np.empty((n, g), np.float32)
    rng = np.random.default_rng(0)
    level = rng.gamma(1.0, 0.5, g)
    for first in range(0, n, 20_000):
        rows = slice(first, min(n, first + 20_000))
        shape = (rows.stop - rows.start, g)
        truth[rows] = np.log1p(rng.poisson(level, shape))
        pred[rows] = 0.3 * truth[rows] + rng.standard_normal(shape, dtype=np.float32) * 0.2
    return pred, truth


def looped(pred: np.ndarray, truth: np.ndarray, axis: int, some: int) -> tuple[float, dict[str, np.ndarray]]:
    """Return the seconds a gene (or an observation), and what the loop finds for some of them."""
    pairs = [(pred[:, i], truth[:, i]) if axis == 0 else (pred[i], truth[i]) for i in range(some)]
    began = time.perf_counter()
    found = {name: np.array([of(p, t) for p, t in pairs]) for name, of in LOOPED.items()}
    return (time.perf_counter() - began) / some, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--genes", type=int, default=460)
    parser.add_argument(
        "--some", type=int, nargs=2, default=[8, 2000], help="genes, observations in the loop"
    )
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    n, g = asked.observations, asked.genes
    all_metrics(*made(64, 8))  # compiles
    pred, truth = made(n, g)
    forget_peak_memory()
    found = []
    ours = [seconds(lambda axis=axis: found.append(all_metrics(pred, truth, axis=axis))) for axis in (0, 1)]
    peak = peak_memory_bytes()
    loops, words = [], ("genes", "observations")
    for axis, many in enumerate((g, n)):
        each, values = looped(pred, truth, axis, min(asked.some[axis], many))
        loops.append(each * many)
        for name, value in values.items():
            np.testing.assert_allclose(
                found[axis][name][: len(value)], value, rtol=1e-4, atol=1e-5, err_msg=name
            )
    row, case = "all metrics", f"{n:,} x {g}"
    figures = [
        Figure(row, f"{case}, of {what}", f"{own:.1f} s", f"{loop:,.0f} s, loop", loop / own)
        for what, own, loop in zip(words, ours, loops, strict=True)
    ]
    both = pred.nbytes + truth.nbytes
    figures += [
        Figure(
            row, case, f"{sum(ours):.1f} s", f"{sum(loops):,.0f} s, loop", sum(loops) / sum(ours), ">= 50"
        ),
        Figure(
            f"{row}, memory",
            case,
            f"{peak / 1e9:.2f} GB",
            f"{both / 1e9:.2f} GB of arrays",
            peak / both,
            "<= 1.3",
        ),
    ]
    show(figures, record=asked.record)


if __name__ == "__main__":
    main()
