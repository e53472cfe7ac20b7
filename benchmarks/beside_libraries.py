"""What the package keeps by hand beside the library's way: seconds of each, and how far the results differ.

    OMP_NUM_THREADS=1 python benchmarks/beside_libraries.py --record

Random data of the size of a section: 20,000 observations, 460 genes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, cast

import decoupler as dc
import numpy as np
import pandas as pd
import torch
from measured import Figure, medians, seconds, show
from scanpy.metrics import morans_i as scanpy_morans_i
from scipy.stats import rankdata
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.neighbors import kneighbors_graph

from prestige.baselines.ridge import ALPHAS, fit_ridge
from prestige.biology.genes.activity import network, ulm
from prestige.data.patches.augment import AugmentConfig, apply_symmetry, augment, draw_parameters, restain
from prestige.data.patches.buffers import Buffers
from prestige.genesets import morans_i
from prestige.metrics import all_metrics

N, G, FEATURES, SETS, BATCH = 20_000, 460, 512, 50, 128
GROUPS, NEIGHBOURS = 40, 8


def spearman() -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """All metrics, ranks among them, beside the ranks of scipy alone."""
    rng = np.random.default_rng(0)
    pred, truth = rng.random((2, N, G), dtype=np.float32)

    def library() -> np.ndarray:
        a, b = (rankdata(values, axis=0) for values in (pred, truth))
        a, b = a - a.mean(axis=0), b - b.mean(axis=0)
        return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))

    return lambda: all_metrics(pred, truth)["spearman"], library


def ridge() -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """Ridge with its strength chosen on left-out groups, beside a fit of scikit-learn for each."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((N, FEATURES)).astype(np.float32)
    y = (x[:, :G] * 0.3 + rng.standard_normal((N, G))).astype(np.float32)
    group_of = rng.integers(0, GROUPS, N)

    def library() -> np.ndarray:
        z, t = ((values - values.mean(axis=0)) / values.std(axis=0) for values in (x, y))
        errors = np.zeros(len(ALPHAS))
        for train, test in GroupKFold(5).split(z, groups=group_of):
            for i, alpha in enumerate(ALPHAS):
                fitted = Ridge(alpha=alpha * len(train)).fit(z[train], t[train])
                errors[i] += ((fitted.predict(z[test]) - t[test]) ** 2).sum()
        best = Ridge(alpha=ALPHAS[int(errors.argmin())] * N).fit(z, t)
        # As ours: expression on the log1p scale is never below 0.
        return np.maximum(best.predict(z[:100]) * y.std(axis=0) + y.mean(axis=0), 0.0)

    return lambda: fit_ridge(x, y, group_of).predict(x[:100]), library


def pathway_activity() -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """The t values of pathways, beside decoupler's univariate linear model."""
    rng = np.random.default_rng(2)
    genes = [f"G{i}" for i in range(G)]
    z = rng.standard_normal((N, G)).astype(np.float32)
    chosen = {f"S{i:02d}": rng.choice(G, 20, replace=False) for i in range(SETS)}
    membership = np.zeros((G, SETS))
    for column, members in enumerate(chosen.values()):
        membership[members, column] = 1.0
    frame = pd.DataFrame(z, columns=pd.Index(genes), index=pd.Index([f"c{i}" for i in range(N)]))
    net = network({name: [genes[i] for i in members] for name, members in chosen.items()})

    def library() -> np.ndarray:
        scores, _ = cast(
            "tuple[pd.DataFrame, Any]", dc.mt.ulm(frame, net, tmin=1, empty=False, verbose=False)
        )
        return scores[list(chosen)].to_numpy()

    return lambda: ulm(z, membership), library


def spatial_autocorrelation() -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """Moran's I of every gene, beside scanpy's over scikit-learn's graph of neighbours."""
    rng = np.random.default_rng(3)
    xy = rng.random((N, 2)) * 2000
    y = np.sin(xy[:, :1] / 100) * rng.random(G) + rng.standard_normal((N, G))
    sample = np.zeros(N, dtype=int)

    def library() -> np.ndarray:
        graph = kneighbors_graph(xy, NEIGHBOURS, mode="connectivity")
        graph.data /= NEIGHBOURS
        return np.asarray(scanpy_morans_i(graph, y.T))

    return lambda: morans_i(y, xy, sample, neighbours=NEIGHBOURS), library


def augmentation(side: int) -> tuple[Callable[[], np.ndarray], Callable[[], np.ndarray]]:
    """A batch turned, mirrored and restained by the compiled loop, beside the same in torch."""
    generator = torch.Generator().manual_seed(4)
    batch = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8, generator=generator)
    batch = batch.contiguous(memory_format=torch.channels_last)
    parameters, buffers = draw_parameters(BATCH, AugmentConfig(), generator), Buffers()

    def library() -> np.ndarray:
        turned = apply_symmetry(batch, parameters.element)
        return restain(turned, parameters.matrix, parameters.shift).numpy()

    return lambda: augment(batch, parameters, buffers).numpy(), library


CASES = {
    ("rank correlation", f"{N:,} x {G}; ours with seven other metrics"): spearman,
    ("ridge, strength by groups", f"{N:,} x {FEATURES} x {G}, {len(ALPHAS)} strengths"): ridge,
    ("pathway activity (ULM)", f"{N:,} x {G} x {SETS}"): pathway_activity,
    ("Moran's I", f"{N:,} x {G}"): spatial_autocorrelation,
    ("augmentation", f"{BATCH} patches of 64 px"): lambda: augmentation(64),
    ("augmentation", f"{BATCH} patches of 128 px"): lambda: augmentation(128),
}


def figure(row: str, case: str, rounds: int) -> Figure:
    """Time both ways in turn, once each before."""
    ours, library = CASES[row, case]()
    apart = float(np.nanmax(np.abs(ours() - library())))
    times = medians({"ours": lambda: seconds(ours), "library": lambda: seconds(library)}, rounds)
    ratio = times["library"] / times["ours"]
    theirs = f"{times['library']:.3g} s; results at most {apart:.1g} apart"
    return Figure(f"{row} by hand, beside the library", case, f"{times['ours']:.3g} s", theirs, ratio, ">= 1")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    given = parser.parse_args()
    show([figure(row, case, given.rounds) for row, case in CASES], record=given.record)
