"""Which figures a report has, and of which configuration."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from prestige.analysis.answer import answers
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report.bench.illustrate import illustrate, leading, mapped

from ...small_bench import Recipe


def test_every_figure_is_saved_and_maps_are_of_the_best(tiny_bench: Path, tmp_path: Path) -> None:
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    found = answers(bench, summary)
    drawn = illustrate(bench, summary, found, tmp_path / "figures")
    saved = {path.name for path in (tmp_path / "figures").iterdir()}
    names = ("heatmap", "cost", "curves", "maps-S1-fold-0", "maps-S2-fold-1")
    assert saved == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    best = leading(found)
    assert best is not None
    assert drawn["map_label"] == best.best.label
    assert drawn["map_samples"] == 2
    assert [entry["title"] for entry in drawn["maps"]] == ["S1, fold 0", "S2, fold 1"]


def test_where_a_baseline_wins_the_maps_are_of_the_best_encoder(make_bench: Callable[[Recipe], Path]) -> None:
    recipe = Recipe(quality={"compact_s": (0.1, 0.15, 0.1)}, ridge=(0.6, 0.6, 0.6))
    bench = load_bench(make_bench(recipe))
    summary = summarise(bench)
    best = leading(answers(bench, summary))
    assert best is not None
    assert best.best.baseline
    shown = mapped(summary, best)
    assert (shown.encoder, shown.patch_um) == ("compact_s", 32.0)


def test_without_truth_there_are_no_maps_and_it_is_said(tiny_bench: Path, tmp_path: Path) -> None:
    shutil.rmtree(tiny_bench / "truth")
    bench = load_bench(tiny_bench)
    assert bench.truths == []
    summary = summarise(bench)
    drawn = illustrate(bench, summary, answers(bench, summary), tmp_path / "figures")
    assert drawn["maps"] == []
    assert len(drawn["map_notes"]) == 2
    assert not list((tmp_path / "figures").glob("maps-*"))
    assert drawn["cost"] is not None
