"""Gene sets on the page: a table on disk, two figures, and nothing where there are no sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from prestige.analysis.answer import answers
from prestige.analysis.ceilings import ceilings_of
from prestige.analysis.gene_sets.comparison import all_scored_sets, set_facts
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.report.gene_sets.section import set_page

from ...analysis.gene_sets.test_comparison import give
from ...analysis.gene_sets.test_scores import EASY, ODD, keep_ceilings


def test_tables_figures_and_words_are_of_one_configuration(tiny_bench: Path, tmp_path: Path) -> None:
    give(tiny_bench, *[{"easy": list(EASY), "odd": list(ODD)}] * 2)
    keep_ceilings(tiny_bench)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    answer = answers(bench, summary)[0]
    facts = set_facts(bench, summary, answer, all_scored_sets(bench, summary))
    found = set_page(bench, summary, answer, ceilings_of(bench), folder=tmp_path, maps=facts["maps"])
    shown = found["set_scores"]
    assert [row[0] for row in shown["rows"]] == ["easy", "odd"]
    assert found["set_forest"].startswith("<svg")
    assert found["set_maps"].startswith("<svg")
    assert (tmp_path / "figures" / "set_forest.png").is_file()
    assert (tmp_path / "figures" / "set_maps.svg").is_file()
    table = pd.read_csv(tmp_path / "tables" / "set_scores.csv")
    mean = table[
        (table["metric"] == "pearson") & (table["statistic"] == "mean") & (table["gene_set"] == "odd")
    ]
    kept = mean[(mean["genes"] == "measurable") & (mean["encoder"] == "compact_s")]
    label = shown["label"]
    patch = next(key.patch_um for key in summary.used if key.label == label)
    value = float(kept.set_index("patch_um").at[patch, "value"])
    assert shown["rows"][1][2].startswith(f"{value:.3f} (")


def test_a_bench_without_sets_has_nothing_of_them(tiny_bench: Path, tmp_path: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    answer = answers(bench, summary)[0]
    empty = {"set_scores": {}, "set_effects": {}, "set_forest": None, "set_maps": None}
    assert set_page(bench, summary, answer, ceilings_of(bench), folder=tmp_path, maps=[]) == empty
    assert set_page(bench, summary, None, ceilings_of(bench), folder=tmp_path, maps=[]) == empty
    assert not (tmp_path / "tables").exists()


def test_the_page_shows_the_sets_beside_their_random_sets(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": list(EASY), "odd": list(ODD)}] * 2)
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "Sets against matched random sets" in page
    assert "it describes and is no test" in page
    assert 'aria-label="Each gene set beside its random sets' in page
    assert (tiny_bench / "report" / "tables" / "set_scores.csv").is_file()
    assert (tiny_bench / "report" / "figures" / "set_forest.svg").is_file()
