"""Blocks merged for a whole bench: the same in every comparison."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.blocks import correlation_lengths
from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.gene_sets.comparison import common_sets, scored_sets
from prestige.analysis.summary import Summary, summarise
from prestige.evaluate.ceilings import read_ceilings
from prestige.records.folders import load_bench
from prestige.stats.ceilings import ceiling_log
from prestige.stats.compare import compare
from prestige.stats.moments import merge_blocks, spatial_blocks

from ..small_bench import UM_PER_PX

# The bench: two sections of 2,000 x 2,000 um, less a part of the last row, over blocks of 250 um: 62 each.


def give(bench: Path, *lengths: float | None) -> None:
    """Write the correlation length of each fold as a bench measures it (None: beyond the tissue)."""
    path = bench / "bench.json"
    raw = json.loads(path.read_text())
    for fold, length in zip(raw["folds"], lengths, strict=True):
        fold["correlation"] = {"length_um": length, "structured": 0.3, "longest_um": 1400.0}
    path.write_text(json.dumps(raw))


def test_every_comparison_is_over_the_merged_blocks(tiny_bench: Path) -> None:
    names = [f"GENE{i:02d}" for i in range(10)]
    raw = json.loads((tiny_bench / "bench.json").read_text())
    for fold in raw["folds"]:
        fold["gene_sets"] = {"easy": {"genes": names, "missing": [], "scored": True, "text": ""}}
    (tiny_bench / "bench.json").write_text(json.dumps(raw))
    before = summarise(load_bench(tiny_bench))
    assert before.groups[0].comparison.n_blocks == {"S1": 62, "S2": 62}
    give(tiny_bench, 120.0, 30.0)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (group,) = summary.groups
    (easy,) = scored_sets(summary, group, common_sets(bench, summary))
    for comparison in (group.comparison, group.with_own_rates, easy.group.comparison):
        assert comparison.n_blocks == {"S1": 16, "S2": 16}
    best = group.comparison.best
    runs = [merge_blocks(run.moments, 2) for run in bench.runs if run.configuration == best]
    alone = compare({best: runs}, genes=summary.common_genes).rows[best]
    assert group.results[best].interval == pytest.approx((alone.low, alone.high), abs=2e-3)
    assert group.results[best].score == pytest.approx(before.groups[0].results[best].score, abs=1e-12)
    assert group.results[best].interval != before.groups[0].results[best].interval


def _with_unknown_width(bench: Path) -> Summary:
    raw = json.loads((bench / "bench.json").read_text())
    del raw["evaluation"]
    (bench / "bench.json").write_text(json.dumps(raw))
    return summarise(load_bench(bench))


def test_blocks_of_unknown_width_stay(tiny_bench: Path) -> None:
    give(tiny_bench, 120.0, 120.0)
    summary = _with_unknown_width(tiny_bench)
    assert summary.blocks is None
    assert summary.groups[0].comparison.n_blocks == {"S1": 62, "S2": 62}


def test_bounds_of_ceilings_are_of_the_same_blocks(tiny_bench: Path) -> None:
    import anndata

    for fold in (0, 1):
        folder = tiny_bench / "truth" / f"fold-{fold}"
        measured = anndata.read_h5ad(folder / f"S{fold + 1}.h5ad")
        genes = list(measured.var_names)
        totals = measured.obs["total_counts"].to_numpy(float)
        xy_um = measured.obsm["spatial"] * UM_PER_PX
        kept = ceiling_log(measured.X, totals, 100.0, genes=genes, block_of=spatial_blocks(xy_um, 250.0))
        pd.DataFrame(
            {
                "sample": f"S{fold + 1}", "gene": genes, "n_obs": len(totals), "n_blocks": 64,
                "ceiling_counts": 0.9, "ceiling_counts_lower": 0.8,
                "ceiling_log": kept.value, "ceiling_log_lower": kept.lower,
            }
        ).to_parquet(folder / "ceilings.parquet")  # fmt: skip
    bench = load_bench(tiny_bench)
    kept = ceilings_of(bench, summarise(bench).blocks)
    give(tiny_bench, 120.0, 30.0)
    bench = load_bench(tiny_bench)
    found = ceilings_of(bench, summarise(bench).blocks)
    expected = read_ceilings(tiny_bench, block_um=500.0, total=100.0)
    assert expected is not None
    np.testing.assert_array_equal(found["ceiling"], kept["ceiling"])
    np.testing.assert_array_equal(found["lower"], expected.set_index("gene")["ceiling_log_lower"])
    varies = kept["lower"].notna()
    assert varies.sum() > 30
    assert (found["lower"][varies] != kept["lower"][varies]).mean() > 0.5


def test_a_length_is_finite_endless_or_unknown(tiny_bench: Path) -> None:
    give(tiny_bench, None, 120.0)
    assert correlation_lengths(load_bench(tiny_bench)) == {"fold 0": math.inf, "fold 1": 120.0}
    raw = json.loads((tiny_bench / "bench.json").read_text())
    raw["folds"][0]["correlation"]["structured"] = None  # nothing could be fitted
    (tiny_bench / "bench.json").write_text(json.dumps(raw))
    lengths = correlation_lengths(load_bench(tiny_bench))
    assert math.isnan(lengths["fold 0"])
    assert lengths["fold 1"] == 120.0
