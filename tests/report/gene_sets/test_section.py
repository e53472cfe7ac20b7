"""Gene sets on the page: a table on disk, two figures, and nothing where there are no sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from prestige.analysis.analyse import analyse
from prestige.report import write_report
from prestige.report.gene_sets.comparison import set_facts
from prestige.report.gene_sets.section import set_section

from ...analysis.gene_sets.test_comparison import give
from ...analysis.gene_sets.test_scores import EASY, ODD, keep_ceilings


def test_tables_figures_and_words_are_of_one_configuration(tiny_bench: Path, tmp_path: Path) -> None:
    give(tiny_bench, *[{"easy": list(EASY), "odd": list(ODD)}] * 2)
    keep_ceilings(tiny_bench)
    analysis = analyse(tiny_bench)
    found = set_section(analysis, tmp_path, maps=set_facts(analysis)["maps"])
    shown = found["set_scores"]
    assert [row[0] for row in shown["rows"]] == ["easy", "odd"]
    assert found["set_forest"].startswith("<svg")
    assert found["set_maps"].startswith("<svg")
    assert (tmp_path / "set_forest.png").is_file()
    assert (tmp_path / "set_maps.svg").is_file()
    write_report(tiny_bench)
    table = pd.read_csv(tiny_bench / "report" / "tables" / "set_scores.csv")
    mean = table[
        (table["metric"] == "pearson") & (table["statistic"] == "mean") & (table["gene_set"] == "odd")
    ]
    kept = mean[(mean["genes"] == "measurable") & (mean["encoder"] == "compact_s")]
    label = shown["label"]
    patch = next(key.patch_um for key in analysis.summary.used if key.label == label)
    value = float(kept.set_index("patch_um").at[patch, "value"])
    assert shown["rows"][1][2].startswith(f"{value:.3f} (")


def test_a_bench_without_sets_has_nothing_of_them(tiny_bench: Path, tmp_path: Path) -> None:
    empty = {"set_scores": {}, "set_effects": {}, "set_forest": None, "set_maps": None}
    assert set_section(analyse(tiny_bench), tmp_path, maps=[]) == empty
    for marker in (tiny_bench / "runs").glob("*/DONE"):
        marker.unlink()
    assert set_section(analyse(tiny_bench), tmp_path, maps=[]) == empty
    assert not list(tmp_path.glob("set_*"))


def test_the_page_shows_the_sets_beside_their_random_sets(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": list(EASY), "odd": list(ODD)}] * 2)
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "Sets against matched random sets" in page
    assert "it describes and is no test" in page
    assert 'aria-label="Each gene set beside its random sets' in page
    assert (tiny_bench / "report" / "tables" / "set_scores.csv").is_file()
    assert (tiny_bench / "report" / "figures" / "set_forest.svg").is_file()
