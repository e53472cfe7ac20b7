"""What the page says of spreads, ceilings, registration and effects."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.analyse import analyse
from prestige.analysis.effects import WIDTH
from prestige.analysis.spread import spreads
from prestige.report import write_report
from prestige.report.bench.facts import (
    ceiling_facts,
    effect_facts,
    sensitivity_facts,
    spread_facts,
    spread_text,
)
from prestige.stats.effects import Contrast

from ...analysis.test_ceilings import keep as keep_ceilings
from ...analysis.test_sensitivity import KEPT, keep
from ...analysis.test_spread import add_seeds
from ...small_bench import Recipe


@pytest.mark.parametrize(("shares", "larger"), [({1: 0.999, 2: 1.0}, "patient"), ({1: 0.2, 2: 1.0}, "seed")])
def test_which_spread_is_larger_is_said(tiny_bench: Path, shares: dict[int, float], larger: str) -> None:
    add_seeds(tiny_bench, shares)
    text = spread_text(analyse(tiny_bench).spread)
    first = "vary more from patient to patient" if larger == "patient" else "vary no more from patient"
    assert first in text
    assert "of 6 of them" in text
    assert "a part is the chance of which tissue" in text
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert text.replace("'", "&#39;") in page
    (record,) = json.loads((tiny_bench / "report" / "answer.json").read_text())
    assert record["spread"]["text"] == text


def test_one_seed_leaves_it_open(tiny_bench: Path) -> None:
    text = spread_text(analyse(tiny_bench).spread)
    assert text.startswith(
        "The encoders' scores of single patients vary from patient to patient with a standard deviation of 0."
    )
    assert "whether they vary more from training to training is unknown" in text
    assert spread_text(None) == ""


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("seeds", [1, 3])
def test_with_one_patient_there_is_no_verdict(
    make_bench: Callable[[Recipe], Path], folds: int, seeds: int
) -> None:
    folder = make_bench(Recipe(folds=folds, patients=("P1",)))
    if seeds > 1:
        add_seeds(folder, {1: 0.999, 2: 1.0})
    analysis = analyse(folder)
    summary = analysis.summary
    facts = spread_facts(summary, analysis.spread)
    at = facts["head"].index("SD over patients")
    assert {row[at] for row in facts["rows"]} == {"n/a: one patient"}
    text = facts["text"]
    assert text.startswith("All is of one patient: no spread over patients.")
    assert "more" not in text
    own = [one for key, one in spreads(summary).items() if not key.baseline]
    error = np.sqrt(np.mean([one.blocks**2 for one in own]))
    assert f"their standard error over resampled tissue is {error:.3f}" in text
    if seeds > 1:
        deviation = np.sqrt(np.mean([one.seeds**2 for one in own]))
        assert f"vary from seed to seed with a standard deviation of {deviation:.3f}" in text
    else:
        assert "are each of one seed" in text
    best = summary.groups[0].comparison.best
    row = next(row for row in facts["rows"] if row[0] == best.label)
    se = summary.groups[0].comparison.rows[best].se
    assert se is not None
    assert float(row[facts["head"].index("standard error over tissue")]) == pytest.approx(se, abs=1e-4)


def test_the_page_says_how_much_of_the_ceiling_is_reached(tiny_bench: Path) -> None:
    keep_ceilings(tiny_bench, {"GENE00": (0.8, 0.7), "GENE01": (0.5, 0.4)})
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "What counting noise allows" in page
    assert "For 2 of" in page
    genes = pd.read_csv(tiny_bench / "report" / "tables" / "genes.csv")
    assert genes.loc[genes["gene"] == "GENE01", "ceiling"].unique().tolist() == [0.5]
    assert genes.loc[genes["gene"] == "GENE05", "ceiling"].isna().all()


def test_without_ceilings_nothing_is_said(tiny_bench: Path) -> None:
    analysis = analyse(tiny_bench)
    assert analysis.ceilings.empty
    assert ceiling_facts(analysis.fractions, 40) == {}
    assert "counting noise allows" not in write_report(tiny_bench).read_text(encoding="utf-8")


def test_the_page_says_which_encoder_is_best_where(tiny_bench: Path) -> None:
    keep(tiny_bench, KEPT)
    analysis = analyse(tiny_bench)
    text = sensitivity_facts(analysis.shifted, analysis.best_at_shifts, 0.01)["text"]
    before, after = text.split("; moved by 8")
    assert "where they are: compact_s" in before
    assert "resnet18" in after
    assert "If the registration erred" in write_report(tiny_bench).read_text(encoding="utf-8")


def test_without_shifts_nothing_is_said(tiny_bench: Path) -> None:
    analysis = analyse(tiny_bench)
    assert sensitivity_facts(analysis.shifted, analysis.best_at_shifts, 0.01) == {}
    assert "If the registration erred" not in write_report(tiny_bench).read_text(encoding="utf-8")


def test_the_page_and_the_record_carry_the_answers(tiny_bench: Path) -> None:
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert WIDTH in page
    record = json.loads((tiny_bench / "report" / "answer.json").read_text())[0]
    assert record["questions"][0][0] == WIDTH


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.01, 0.03, "a gain"), (-0.03, -0.01, "a loss"), (-0.01, 0.02, "neither a gain nor a loss is shown")],
)
def test_an_effect_is_a_gain_or_a_loss_where_its_interval_leaves_out_nought(
    tiny_bench: Path, low: float, high: float, words: str
) -> None:
    effects = analyse(tiny_bench).effects_of_groups[False]
    effects.tested.clear()
    effects.tested[WIDTH] = Contrast((low + high) / 2, low, high, 0.01, 0.95, True, None)
    facts = effect_facts(effects)
    assert facts["rows"] == [[WIDTH, f"{(low + high) / 2:+.4f}", f"{low:+.4f} to {high:+.4f}", words]]
    assert facts["open"] == [f"{name}: {lack}" for name, lack in effects.untested.items()]
