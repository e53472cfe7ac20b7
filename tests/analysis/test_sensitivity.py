"""Scores at moved centres in the report."""

from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.answer import answers
from prestige.analysis.sensitivity import sensitivity_facts, shifted_scores
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.stats.moments import Moments, mean_gene_pearson


def keep(bench: Path, kept_at_8_um: dict[str, float]) -> None:
    """Give every run moments at 0 and 8 um; at 8 um products with the truth are so much of what they were."""
    for run in load_bench(bench).runs:
        moments = run.moments
        moments.save(run.folder.moments_at(0.0))
        share = kept_at_8_um[run.configuration.name]
        n = np.maximum(moments.n, 1)[:, None]
        product = moments.sum_p * moments.sum_t / n + share * (
            moments.sum_pt - moments.sum_p * moments.sum_t / n
        )
        sums = {name: getattr(moments, name) for name in ("sum_p", "sum_t", "sum_pp", "sum_tt")}
        Moments(moments.sample, moments.block, moments.n, sum_pt=product, genes=moments.genes, **sums).save(
            run.folder.moments_at(8.0)
        )


KEPT = {"compact_s": 0.3, "resnet18": 1.0, "ridge": 0.9, "training mean": 1.0}


def test_each_configuration_has_its_score_at_each_shift(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    table = shifted_scores(bench, summary)
    assert list(table.columns) == [0.0, 8.0]
    assert len(table) == summary.table["compared"].sum()
    for key in table.index:
        runs = [run for run in bench.runs if run.configuration == key]
        assert table.at[key, 0.0] == pytest.approx(np.mean([mean_gene_pearson(run.moments) for run in runs]))
        if key.name == "compact_s":
            assert table.at[key, 8.0] < table.at[key, 0.0]


def test_the_page_says_which_encoder_is_best_where(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    text = sensitivity_facts(bench, summary, answers(bench, summary)[0])["text"]
    before, after = text.split("; moved by 8")
    assert "where they are: compact_s" in before
    assert "resnet18" in after
    assert "If the registration erred" in write_report(tiny_bench).read_text(encoding="utf-8")


def test_a_shift_that_one_configuration_lacks_is_left_out_for_all(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    bench = load_bench(tiny_bench)
    (bench.runs[0].folder.moments_at(8.0)).unlink()
    assert shifted_scores(bench, summarise(bench)).empty


def test_without_shifts_nothing_is_said(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    assert sensitivity_facts(bench, summary, answers(bench, summary)[0]) == {}
    assert "If the registration erred" not in write_report(tiny_bench).read_text(encoding="utf-8")
