"""What do the questions of biology cost?  Seconds and memory for one pair of measured and predicted.

By default 100,000 observations x 400 genes; each row names one question.  Making the tissue is not counted.

    OMP_NUM_THREADS=1 python benchmarks/biology.py [structure]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, zoom
from scipy.sparse import csr_matrix

from prestige.biology.correlations import gene_correlations
from prestige.biology.domains import domains
from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.biology.structure import structure

DEPTH = 150.0
SPACING_UM = 10.0
Step = tuple[str, Callable[[Pair, Drawn], object]]


def tissue(n: int, g: int, seed: int = 0) -> Pair:
    """Return counts that follow smooth programmes of 30 um, and a prediction that knows half of it."""
    rng = np.random.default_rng(seed)
    side = int(np.ceil(np.sqrt(n)))
    xy = SPACING_UM * np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2)[:n]
    fields = [
        zoom(gaussian_filter(rng.standard_normal((side // 2 + 1,) * 2), 1.5), 2)[:side, :side].ravel()[:n]
        for _ in range(8)
    ]
    programmes = np.stack(fields, axis=1) / np.std(fields)
    loading = rng.normal(0, 0.25, (8, g))
    base = rng.normal(0, 1.0, g)
    counts, predicted = [], []
    for rows in np.array_split(np.arange(n), max(1, n // 5000)):
        rate = np.exp(base + programmes[rows] @ loading)
        share = rate / rate.sum(axis=1, keepdims=True)
        counts.append(csr_matrix(rng.poisson(DEPTH * share).astype(np.float32)))
        half = np.exp(base + 0.5 * programmes[rows] @ loading)
        predicted.append(np.log1p(100 * half / half.sum(axis=1, keepdims=True)).astype(np.float32))
    table = csr_matrix(_stacked(counts))
    totals = np.asarray(table.sum(axis=1), dtype=np.float64).ravel()
    return Pair(
        genes=tuple(f"G{i}" for i in range(g)),
        counts=table,
        totals=np.maximum(totals, 1.0),
        predicted=np.concatenate(predicted),
        xy_um=xy.astype(np.float64),
        sample_of=np.full(n, "S"),
        obs=pd.DataFrame(index=np.arange(n).astype(str)),
    )


def _stacked(parts: list[csr_matrix]) -> csr_matrix:
    from scipy.sparse import vstack

    return csr_matrix(vstack(parts))


STRUCTURE: list[Step] = [
    ("structure in space", lambda pair, drawn: structure(pair, drawn)),
    (
        "correlations between genes, 3,000 sets of 40",
        lambda pair, drawn: gene_correlations(pair, _sets(pair, 3000), drawn),
    ),
    ("domains", lambda pair, drawn: domains(pair, drawn)),
]
ROWS: dict[str, list[Step]] = {"structure": STRUCTURE}


def _sets(pair: Pair, number: int) -> dict[str, list[str]]:
    rng = np.random.default_rng(1)
    size = min(40, len(pair.genes))
    return {f"set {i}": list(rng.choice(pair.genes, size, replace=False)) for i in range(number)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=400)
    asked = parser.parse_args()
    pair = tissue(asked.observations, asked.genes)
    print(f"{asked.observations:,} observations x {asked.genes} genes\n")
    print("| step | seconds | seconds of processor | peak so far, GiB |\n|---|---|---|---|")
    found: list[object] = []

    def timed(name: str, call: Callable[[], object]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        found.append(call())
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
        print(f"| {name} | {wall:.1f} | {processor:.1f} | {peak:.2f} |", flush=True)

    timed("counting noise and halves", lambda: draw(pair))
    drawn = found[0]
    assert isinstance(drawn, Drawn)
    for row in asked.rows:
        for name, step in ROWS[row]:
            timed(name, lambda step=step: step(pair, drawn))
    for answer in found[1:]:
        for sentence in answer.sentences()[:3]:  # type: ignore[attr-defined]
            print(f"\n{sentence}")


if __name__ == "__main__":
    main()
