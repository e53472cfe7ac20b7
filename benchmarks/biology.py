"""What do the questions of biology cost?  Seconds and memory for one pair of measured and predicted.

By default 100,000 observations x 400 genes; each row names one question.  Making the tissue is not counted.

    OMP_NUM_THREADS=2 python benchmarks/biology.py --write docs/results/biology-cost.md
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter, zoom
from scipy.sparse import csr_matrix

from prestige.analysis.gene_sets.of_pair import pair_set_scores
from prestige.biology.genes.activity import network, pathway_activity
from prestige.biology.genes.cell_types import cell_types
from prestige.biology.genes.correlations import gene_correlations
from prestige.biology.genes.enrichment import enrichment
from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.biology.space.domains import domains
from prestige.biology.space.gradients import gradients
from prestige.biology.space.marks import region_of_genes
from prestige.biology.space.structure import structure
from prestige.biology.study import Study
from prestige.evaluate import evaluate
from prestige.genesets import GeneSet, GeneSetConfig
from prestige.stats.ceilings import ceiling_log
from prestige.stats.moments import spatial_blocks

DEPTH = 150.0
SPACING_UM = 10.0
BLOCK_UM = 250.0
COMPARED = "decoupler"
"""How the rows begin that are there to be compared with, and are no part of a study."""
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
PATHWAYS: list[Step] = [
    (
        "activity of 3,000 sets of 40",
        lambda pair, drawn: pathway_activity(pair, _gene_sets(pair, 3000), drawn=drawn),
    ),
    (
        "decoupler's ULM of the same sets, 1,000 observations, measured only",
        lambda pair, drawn: _decoupler(pair.take(slice(0, 1000)), 3000),
    ),
    (
        "enrichment of 3,000 sets",
        lambda pair, drawn: enrichment(
            np.random.default_rng(2).random(len(pair.genes)), pair.genes, _gene_sets(pair, 3000)
        ),
    ),
]
CELLS: list[Step] = [
    ("cell types, 8 of 12 markers", lambda pair, drawn: cell_types(pair, _types(pair), drawn=drawn)),
    ("around a region, 999 moves of it", lambda pair, drawn: _around(pair, drawn)),
]
SETS: list[Step] = [
    ("scores of 3,000 sets beside 1,000 random ones each", lambda pair, drawn: _set_scores(pair, 3000))
]
ROWS: dict[str, list[Step]] = {"structure": STRUCTURE, "pathways": PATHWAYS, "cells": CELLS, "sets": SETS}


def _sets(pair: Pair, number: int) -> dict[str, list[str]]:
    rng = np.random.default_rng(1)
    size = min(40, len(pair.genes))
    return {f"set {i}": list(rng.choice(pair.genes, size, replace=False)) for i in range(number)}


def _gene_sets(pair: Pair, number: int) -> dict[str, GeneSet]:
    return {name: GeneSet(name, tuple(genes), "drawn") for name, genes in _sets(pair, number).items()}


def _types(pair: Pair) -> dict[str, GeneSet]:
    return {f"type {i}": GeneSet(f"type {i}", pair.genes[12 * i : 12 * i + 12], "drawn") for i in range(8)}


def _decoupler(pair: Pair, number: int) -> object:
    import decoupler

    table = pd.DataFrame(pair.z(pair.measured), columns=list(pair.genes), index=pair.obs.index)
    return decoupler.mt.ulm(table, network(_sets(pair, number)), tmin=5, empty=False)


def _around(pair: Pair, drawn: Drawn) -> object:
    region = region_of_genes(pair, pair.genes[:3], seed=drawn.seed)
    return gradients(pair, region, max_um=150.0, drawn=drawn)


def _set_scores(pair: Pair, number: int) -> object:
    evaluation = evaluate(
        pair.predicted,
        pair.measured,
        genes=pair.genes,
        sample_of=pair.sample_of,
        xy_um=pair.xy_um,
        train_mean=None,
        block_um=BLOCK_UM,
    )
    blocks = spatial_blocks(pair.xy_um, BLOCK_UM)
    ceiling = ceiling_log(
        pair.counts, pair.totals, pair.total, genes=pair.genes, sample_of=pair.sample_of, block_of=blocks
    )
    sets = _gene_sets(pair, number)
    return pair_set_scores(Study(pair, evaluation, ceiling, sets, sets, BLOCK_UM), GeneSetConfig())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--observations", type=int, default=100_000)
    parser.add_argument("--genes", type=int, default=400)
    parser.add_argument("--write", type=Path, help="the page to write")
    asked = parser.parse_args()
    pair = tissue(asked.observations, asked.genes)
    lines = [
        f"{asked.observations:,} observations x {asked.genes} genes, "
        f"{os.environ.get('OMP_NUM_THREADS', 'all')} thread(s).",
        "",
        "| step | seconds | seconds of processor | peak so far, GiB |",
        "|---|---|---|---|",
    ]
    print("\n".join(lines))

    spent = np.zeros(2)

    def timed(name: str, call: Callable[[], object]) -> object:
        wall, processor = time.perf_counter(), time.process_time()
        answer = call()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        if not name.startswith(COMPARED):
            spent[:] += wall, processor
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB on Linux
        lines.append(f"| {name} | {wall:.1f} | {processor:.1f} | {peak:.2f} |")
        print(lines[-1], flush=True)
        return answer

    drawn = timed("counting noise and halves", lambda: draw(pair))
    assert isinstance(drawn, Drawn)
    for row in asked.rows:
        for name, step in ROWS[row]:
            timed(name, lambda step=step: step(pair, drawn))
    lines.append(f"| **all but {COMPARED}** | **{spent[0]:.0f}** | **{spent[1]:.0f}** | |")
    print(lines[-1])
    if asked.write is not None:
        asked.write.write_text(page(lines, " ".join(sys.argv[1:])), encoding="utf-8")


def page(lines: list[str], arguments: str) -> str:
    """Return the page: what it is, the command, the table."""
    head = [
        "# What the questions of biology cost",
        "",
        f"Written by `OMP_NUM_THREADS=2 python benchmarks/biology.py {arguments}`; do not edit by hand.",
        "Synthetic tissue; making it is not counted, and the peak holds it.",
        "",
    ]
    return "\n".join([*head, *lines]) + "\n"


if __name__ == "__main__":
    main()
