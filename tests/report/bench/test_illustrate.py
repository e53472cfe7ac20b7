"""Which figures a report has, and of which configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

from prestige.analysis.analyse import analyse
from prestige.report.bench.illustrate import illustrate


def test_every_figure_is_saved_and_maps_are_of_the_best(tiny_bench: Path, tmp_path: Path) -> None:
    analysis = analyse(tiny_bench)
    drawn = illustrate(analysis, tmp_path / "figures")
    saved = {path.name for path in (tmp_path / "figures").iterdir()}
    names = ("heatmap", "cost", "curves", "maps-S1-fold-0", "maps-S2-fold-1")
    assert saved == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert analysis.leading is not None
    assert drawn["map_label"] == analysis.leading.best.label
    assert drawn["map_samples"] == 2
    assert [entry["title"] for entry in drawn["maps"]] == ["S1, fold 0", "S2, fold 1"]


def test_without_truth_there_are_no_maps_and_it_is_said(tiny_bench: Path, tmp_path: Path) -> None:
    shutil.rmtree(tiny_bench / "truth")
    analysis = analyse(tiny_bench)
    assert analysis.bench.truths == []
    drawn = illustrate(analysis, tmp_path / "figures")
    assert drawn["maps"] == []
    assert len(drawn["map_notes"]) == 2
    assert not list((tmp_path / "figures").glob("maps-*"))
    assert drawn["cost"] is not None
