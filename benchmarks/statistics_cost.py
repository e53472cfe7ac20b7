"""What do the statistics of a large bench cost?  Seconds and memory, from predictions to recommendation.

By default 48 runs (16 configurations, 3 seeds) of 100,000 observations x 400 genes in 400 blocks, and
1,000 draws.  Making the synthetic predictions is not counted.

    OMP_NUM_THREADS=2 python benchmarks/statistics_cost.py
"""

from __future__ import annotations

import argparse
import math
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from prestige.stats import (
    Moments,
    compare,
    contrasts,
    correlogram,
    interaction_weights,
    moments_of,
    recommend,
    slope_weights,
    spatial_blocks,
)

MICRONS = 6000.0  # side of the section
ENCODERS, WIDTHS = 4, 4
Key = tuple[int, int]


class Clock:
    """Seconds and peak memory of each step, in order."""

    def __init__(self) -> None:
        self.rows: dict[str, list[float]] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.process_time()
        yield
        row = self.rows.setdefault(step, [0.0, 0.0, 0.0])
        row[0] += time.perf_counter() - wall
        row[1] += time.process_time() - processor
        row[2] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux

    def table(self) -> str:
        lines = ["| step | seconds | seconds of processor | peak so far, GiB |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {wall:.1f} | {own:.1f} | {peak:.2f} |"
            for name, (wall, own, peak) in self.rows.items()
        ]
        wall, own = (sum(row[i] for row in self.rows.values()) for i in (0, 1))
        return "\n".join(
            [*lines, f"| all | {wall:.1f} | {own:.1f} | {max(r[2] for r in self.rows.values()):.2f} |"]
        )


def section(n: int, genes: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and a truth that follows tiles of 150 um."""
    xy = rng.uniform(0, MICRONS, (n, 2))
    tile = np.floor(xy / 150).astype(np.int64)
    level = rng.normal(size=(tile.max() + 1, tile.max() + 1, genes)).astype(np.float32)
    return xy, 0.7 * level[tile[:, 0], tile[:, 1]] + rng.standard_normal((n, genes), dtype=np.float32)


def predicted(truth: np.ndarray, key: Key, seed: int) -> np.ndarray:
    rng = np.random.default_rng([*key, seed])
    return (0.1 + 0.02 * key[0] + 0.01 * key[1]) * truth + rng.standard_normal(truth.shape, dtype=np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=3, help="of each of 16 configurations")
    parser.add_argument("--blocks", type=int, default=20, help="along a side of the section")
    parser.add_argument("--draws", type=int, default=1000)
    asked = parser.parse_args()
    clock = Clock()
    xy, truth = section(asked.observations, asked.genes, np.random.default_rng(0))
    sample, names = np.full(len(xy), "S"), tuple(f"G{g}" for g in range(asked.genes))
    keys = [(encoder, width) for encoder in range(ENCODERS) for width in range(WIDTHS)]
    runs: dict[Key, list[Moments]] = {key: [] for key in keys}
    for key in keys:
        for seed in range(asked.seeds):
            pred = predicted(truth, key, seed)
            with clock("moments of every run"):
                blocks = spatial_blocks(xy, MICRONS / asked.blocks)
                runs[key].append(moments_of(pred, truth, sample, blocks, names))
    residual = truth - predicted(truth, keys[-1], 0)
    with clock("correlation length"):
        found = correlogram(xy, residual)
    with clock("comparison, all genes"):
        compared = compare(runs, draws=asked.draws)
    with clock("comparison, a gene set of 40"):
        compare(runs, draws=asked.draws, genes=names[:40])
    parameters, doublings = {key: float(key[0]) for key in keys}, {key: float(key[1]) for key in keys}
    with clock("recommendation and effects"):
        choice = recommend(compared, {key: 4.0 ** key[0] * 2.0 ** key[1] for key in keys}, 0.01)
        effects = contrasts(
            compared,
            {
                "tenfold parameters": slope_weights(parameters, doublings),
                "doubled patch": slope_weights(doublings, parameters),
                "interaction": interaction_weights(parameters, doublings),
            },
        )
    print(
        f"{len(keys) * asked.seeds} runs, {asked.observations:,} observations x {asked.genes} genes, ", end=""
    )
    print(f"{compared.n_clusters} blocks, {asked.draws:,} draws\n\n{clock.table()}\n")
    print(f"Correlation length {found.length_um:.0f} um; recommended: {choice.chosen}.")
    for name, effect in effects.items():
        assert effect.low is not None
        assert math.isfinite(effect.low)
        print(f"{name}: {effect.estimate:.4f} ({effect.low:.4f} to {effect.high:.4f})")


if __name__ == "__main__":
    main()
