"""The analysis of a bench: computed once, in tidy frames, for a notebook and for other programs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import prestige
from prestige.analysis import advice, analyse, answer
from prestige.errors import DataError
from prestige.report.bench.page import write_page

from .gene_sets.test_comparison import EASY, HARD, give
from .gene_sets.test_scores import keep_ceilings
from .test_sensitivity import KEPT, keep


def give_margin(bench: Path, margin: float) -> None:
    raw = json.loads((bench / "bench.json").read_text())
    (bench / "bench.json").write_text(json.dumps(raw | {"truth": {"margin": margin}}))


def test_the_table_has_a_row_a_configuration(tiny_bench: Path) -> None:
    analysis = prestige.analyse(tiny_bench)
    table = analysis.table()
    assert len(table) == 12
    best = table[table["best"].astype(bool)]
    assert (best["encoder"].item(), best["patch_um"].item()) == ("compact_s", 64.0)
    assert best["pearson"].item() == pytest.approx(analysis.answers[0].score)


def test_the_genes_have_their_ceilings(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench)
    genes = prestige.analyse(str(tiny_bench)).genes()
    assert len(genes) == 12 * 40
    assert set(genes.loc[genes["gene"] == "GENE05", "ceiling"]) == {0.8}
    assert (genes.loc[genes["gene"] == "GENE38", "detection"] == 0).all()  # it has no count anywhere


def test_the_recommendation_is_the_cheapest_of_those_near_enough(tiny_bench: Path) -> None:
    narrow = prestige.analyse(tiny_bench).recommendation
    assert narrow is not None
    assert narrow.chosen is None
    assert "none is shown to lie within 0.01 of the best" in str(narrow.reason)
    give_margin(tiny_bench, 0.02)
    analysis = prestige.analyse(tiny_bench)
    found = analysis.recommendation
    assert found is not None
    assert found.reason is None
    assert str(found.chosen) == "compact_s at 64 µm"
    rows = analysis.summary.groups[0].comparison.rows
    assert {rows[key].gap_high <= found.margin for key in found.not_worse} == {True}  # type: ignore[operator]


def test_effects_are_numbers_or_what_they_take(tiny_bench: Path) -> None:
    table = prestige.analyse(tiny_bench).effects()
    tested = table[table["why_not"] == ""]
    assert list(tested["effect"]) == list(prestige.analyse(tiny_bench).effects_of_groups[False].tested)
    assert (tested["low"] < tested["estimate"]).all()
    assert table.loc[table["why_not"] != "", ["estimate", "low", "high"]].isna().all(axis=None)


def test_without_a_finished_run_there_is_nothing(tiny_bench: Path) -> None:
    for marker in (tiny_bench / "runs").glob("*/DONE"):
        marker.unlink()
    analysis = prestige.analyse(tiny_bench)
    assert (analysis.answers, analysis.leading, analysis.recommendation) == ([], None, None)
    assert (analysis.mapped, analysis.spread, analysis.set_scores) == (None, None, None)
    assert (analysis.best_at_shifts, analysis.bests_of_sets, analysis.effects_on_sets) == ([], [], None)
    assert analysis.table().empty
    assert analysis.effects().empty
    assert json.loads(analysis.to_json()) == []
    assert analysis._repr_html_() == "<p>No run is finished.</p>"
    assert repr(analysis) == "Analysis of 'tiny': 0 runs finished, best: none"


def test_a_folder_that_is_no_bench_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a bench nor a run"):
        prestige.analyse(tmp_path)


def test_json_has_numbers_and_labels_alone(tiny_bench: Path) -> None:
    give_margin(tiny_bench, 0.02)
    analysis = prestige.analyse(tiny_bench)
    (record,) = json.loads(analysis.to_json())
    assert (record["best"], record["patch_um"]) == ("compact_s at 64 µm", analysis.answers[0].patch_um)
    assert record["recommended"]["chosen"] == "compact_s at 64 µm"
    assert [one["effect"] for one in record["effects"]] == list(analysis.effects_of_groups[False].tested)
    assert "text" not in record
    prestige.write_report(tiny_bench)
    (written,) = json.loads((tiny_bench / "report" / "answer.json").read_text())
    words = {key: written.pop(key) for key in ("text", "limits", "questions", "not_asked")}
    assert all(words.values())
    assert written["spread"].pop("text")
    del record["effects"]
    assert written == record


def test_a_notebook_shows_the_recommendation_and_the_scores(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").glob("resnet18-*/manifest.json"):
        raw = json.loads(path.read_text())
        path.write_text(json.dumps(raw | {"variant": "<script>"}))
    give_margin(tiny_bench, 0.02)
    analysis = prestige.analyse(tiny_bench)
    html = analysis._repr_html_()
    assert html.startswith("<p><b>best</b> compact_s at 64 µm (0.387), <b>recommended</b> compact_s at 64 µm")
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert html.count("<tr") == 13


def test_a_page_computes_nothing_twice(
    tiny_bench: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(tiny_bench, *[{"easy": EASY, "hard": HARD}] * 2)
    keep(tiny_bench, KEPT)
    calls: Counter[str] = Counter()

    def counted(module: Any, name: str) -> None:
        function = getattr(module, name)

        def wrapper(*args: Any, **named: Any) -> Any:
            calls[name] += 1
            return function(*args, **named)

        monkeypatch.setattr(module, name, wrapper)

    computed = (
        "summarise", "answers", "ceilings_of", "common_sets", "effects_of", "effects_on_sets",
        "encoder_spread", "fractions", "scored_sets", "set_scores", "shifted_scores",
    )  # fmt: skip
    for name in computed:
        counted(analyse, name)
    counted(advice, "recommend")
    analysis = analyse.analyse(tiny_bench)
    assert answer.advise is advice.advise
    write_page(analysis, tmp_path / "once")
    write_page(analysis, tmp_path / "again")
    # One recommendation for all genes and one for each of the two sets.
    assert calls == dict.fromkeys(computed, 1) | {"recommend": 3}


def test_it_needs_neither_torch_nor_matplotlib() -> None:
    code = "import sys, prestige; prestige.analyse; assert not {'torch', 'matplotlib'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_oracle_is_known_at_its_own_widths(tiny_bench: Path) -> None:
    assert prestige.analyse(tiny_bench).oracle(32.0) is None
    raw = json.loads((tiny_bench / "bench.json").read_text())
    (tiny_bench / "bench.json").write_text(
        json.dumps(raw | {"truth": {"oracle": {"16.0": 0.5, "32.0": 0.7}}})
    )
    analysis = prestige.analyse(tiny_bench)
    assert [analysis.oracle(width) for width in (16.0, 32.5, 33.0, 64.0)] == [0.5, 0.7, None, None]
