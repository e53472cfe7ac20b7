"""Blocks merged for the whole report: the same in every comparison, and said beside the intervals."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.answer import answers
from prestige.analysis.blocks import blocks_record, blocks_words, correlation_lengths, length_words
from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.gene_sets.comparison import scored_sets
from prestige.analysis.summary import Summary, summarise
from prestige.evaluate.ceilings import read_ceilings
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.bench.method import scoring_facts
from prestige.stats.ceilings import ceiling_log
from prestige.stats.compare import compare
from prestige.stats.moments import merge_blocks, spatial_blocks

from ..small_bench import UM_PER_PX, Recipe

# The bench: two sections of 2,000 x 2,000 um, less a part of the last row, over blocks of 250 um: 62 each.
SAID = "blocks of 250 µm merged to 500 µm: the correlation length is 120 µm"


def give(bench: Path, *lengths: float | None) -> None:
    """Write the correlation length of each fold as a bench measures it (None: beyond the tissue)."""
    path = bench / "bench.json"
    raw = json.loads(path.read_text())
    for fold, length in zip(raw["folds"], lengths, strict=True):
        fold["correlation"] = {"length_um": length, "structured": 0.3, "longest_um": 1400.0}
    path.write_text(json.dumps(raw))


def limits(bench: Path) -> str:
    loaded = load_bench(bench)
    return " ".join(answers(loaded, summarise(loaded))[0].limits)


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
    (group,), (easy,) = summary.groups, scored_sets(bench, summary, pretrained=False)
    for comparison in (group.comparison, group.asked, easy.group.comparison):
        assert comparison.n_blocks == {"S1": 16, "S2": 16}
    best = group.comparison.best
    runs = [merge_blocks(run.moments, 2) for run in bench.runs if run.configuration == best]
    alone = compare({best: runs}, genes=summary.common_genes).rows[best]
    assert group.standings[best].interval == pytest.approx((alone.low, alone.high), abs=2e-3)
    assert group.standings[best].score == pytest.approx(before.groups[0].standings[best].score, abs=1e-12)
    assert group.standings[best].interval != before.groups[0].standings[best].interval


def test_the_page_and_the_record_say_which_blocks(tiny_bench: Path) -> None:
    give(tiny_bench, 120.0, 30.0)
    text = re.sub(r"<[^>]+>", "", write_report(tiny_bench).read_text(encoding="utf-8"))
    assert f"with its 95 % interval ({SAID})" in text
    assert f"Intervals from {SAID}." in text
    bench = load_bench(tiny_bench)
    method = scoring_facts(bench, summarise(bench))
    assert ("Blocks of the bootstrap", SAID.removeprefix("blocks of ")) in method
    lengths = [words for name, words in method if name == "Correlation length"]
    assert "the blocks are 4.2 lengths wide" in lengths[0]
    assert "the blocks are 16.7 lengths wide" in lengths[1]
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["blocks"]
    assert record == {
        "kept_um": 250.0,
        "merged_um": 500.0,
        "correlation_length_um": 120.0,
        "wide_enough": True,
    }
    assert "too narrow" not in limits(tiny_bench)


def test_blocks_that_are_wide_enough_stay_and_nothing_is_said(tiny_bench: Path) -> None:
    give(tiny_bench, 80.0, 30.0)
    summary = summarise(load_bench(tiny_bench))
    assert summary.groups[0].comparison.n_blocks == {"S1": 62, "S2": 62}
    assert blocks_words(summary.blocks) == "blocks of 250 µm"
    assert "narrow" not in limits(tiny_bench)


def test_where_wider_blocks_leave_too_few_the_widest_are_taken_and_that_is_a_limit(tiny_bench: Path) -> None:
    # 8 x 8 blocks in each of two sections.  12 a side (for 700 um) leave 2; 4 leave 2 x 2 = 4 each, 8 in all;
    # 3 leave 3, 3 and 2 a side: 18.
    give(tiny_bench, 700.0, 30.0)
    said = limits(tiny_bench)
    assert "Merged to 750 µm, blocks are still too narrow for this tissue, which is alike over 700 µm" in said
    assert "wider ones would be too few (2 spatial blocks are too few, at least 10" in said
    assert summarise(load_bench(tiny_bench)).groups[0].comparison.n_blocks == {"S1": 9, "S2": 9}


def test_without_any_interval_the_width_is_no_matter(make_bench: Callable[[Recipe], Path]) -> None:
    folder = make_bench(Recipe(block_um=1000.0))  # 2 x 2 blocks in each section
    give(folder, 700.0, 30.0)
    assert "narrow" not in limits(folder)
    assert "8 spatial blocks" in str(summarise(load_bench(folder)).groups[0].reason)


def test_a_fold_that_is_alike_all_over_is_a_limit(tiny_bench: Path) -> None:
    give(tiny_bench, None, 120.0)
    bench = load_bench(tiny_bench)
    assert [length.um for length in correlation_lengths(bench)] == [math.inf, 120.0]
    said = limits(tiny_bench)
    assert "In fold 0 expression is alike across the whole test tissue" in said
    assert "Blocks of 750 µm are taken, the widest that leave enough of them" in said
    summary = summarise(bench)
    assert summary.blocks is not None
    assert summary.blocks.times == 3  # the other one asks for 2
    assert blocks_words(summary.blocks).endswith("expression is alike across the whole test tissue of a fold")
    assert "distrust" in length_words(bench, summary.blocks)[0]
    write_report(tiny_bench)
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]["blocks"]
    assert record == {
        "kept_um": 250.0,
        "merged_um": 750.0,
        "correlation_length_um": None,
        "wide_enough": False,
    }


def test_a_length_that_is_not_known_leaves_it_open(tiny_bench: Path) -> None:
    give(tiny_bench, None, 30.0)
    path = tiny_bench / "bench.json"
    raw = json.loads(path.read_text())
    raw["folds"][0]["correlation"]["structured"] = None  # nothing could be fitted
    path.write_text(json.dumps(raw))
    bench = load_bench(tiny_bench)
    blocks = summarise(bench).blocks
    assert blocks is not None
    record = blocks_record(blocks)
    assert record is not None
    assert (record["correlation_length_um"], record["wide_enough"]) == (30.0, None)
    assert "alike is not known in fold 0: whether blocks of 250 µm are wide enough" in limits(tiny_bench)
    for fold in raw["folds"]:
        del fold["correlation"]
    path.write_text(json.dumps(raw))
    record = blocks_record(summarise(load_bench(tiny_bench)).blocks)
    assert record is not None
    assert (record["correlation_length_um"], record["wide_enough"]) == (None, None)
    assert "alike is not known: whether blocks of 250 µm" in limits(tiny_bench)


def _with_unknown_width(bench: Path) -> Summary:
    raw = json.loads((bench / "bench.json").read_text())
    del raw["evaluation"]
    (bench / "bench.json").write_text(json.dumps(raw))
    return summarise(load_bench(bench))


def test_blocks_of_unknown_width_stay(tiny_bench: Path) -> None:
    give(tiny_bench, 120.0, 120.0)
    summary = _with_unknown_width(tiny_bench)
    assert summary.blocks is None
    assert blocks_words(summary.blocks) == ""
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
