"""Scores beside what counting noise allows: gene by gene, and as a fraction of it a configuration."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from prestige.analysis.summary import Summary
from prestige.analysis.values import with_zeros
from prestige.evaluate.ceilings import read_ceilings
from prestige.records.folders import Bench
from prestige.stats.block_width import Blocks
from prestige.stats.ceilings import MIN_SHOWN

COLUMNS = ("configuration", "n_genes", "score", "ceiling", "fraction")


def ceilings_of(bench: Bench, blocks: Blocks | None = None) -> pd.DataFrame:
    """Return ``ceiling``, ``lower`` and ``usable`` by gene, on the scale of the scores; empty without any.

    Usable are ceilings whose lower bound is above 0.2: below, a fraction of them says nothing.  Bounds are of
    the blocks of the scores' intervals, also where those were merged.
    """
    total = bench.record.panel.config.total
    if blocks is not None and blocks.times > 1 and math.isfinite(total):
        kept = read_ceilings(bench.folder.path, block_um=blocks.width_um, total=total)
    else:
        kept = read_ceilings(bench.folder.path)
    if kept is None or kept.empty:
        return pd.DataFrame(columns=["ceiling", "lower", "usable"], dtype=float)
    table = kept.set_index("gene")[["ceiling_log", "ceiling_log_lower"]]
    table.columns = pd.Index(["ceiling", "lower"])
    return table.assign(usable=table["lower"] > MIN_SHOWN)


def fractions(summary: Summary, ceilings: pd.DataFrame) -> pd.DataFrame:
    """Return a row a configuration: mean score and mean fraction of the ceiling over the usable genes.

    The genes are the same for every configuration: those in every fold's panel whose ceiling can be used.
    """
    if ceilings.empty:
        return pd.DataFrame(columns=list(COLUMNS))
    usable = ceilings.index[ceilings["usable"].astype(bool)]
    genes: Any = summary.genes[summary.genes["gene"].isin(set(usable) & set(summary.common_genes))]
    rows = []
    for key, of_key in with_zeros(genes).groupby("configuration", sort=False):
        scored = of_key.set_index("gene")["pearson"].dropna()
        ceiling = ceilings.loc[scored.index, "ceiling"]
        rows.append((key, len(scored), scored.mean(), ceiling.mean(), (scored / ceiling).mean()))
    return pd.DataFrame(rows, columns=list(COLUMNS)).sort_values("score", ascending=False, ignore_index=True)
