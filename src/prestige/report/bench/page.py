"""One self-contained page, its figures and its tables, from the analysis of a bench."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.analysis import frames
from prestige.analysis.analyse import Analysis, analyse
from prestige.analysis.answer import Answer
from prestige.analysis.record import answer_record
from prestige.compute.files import whole_folder
from prestige.compute.outputs import check_folder
from prestige.compute.ownership import refuse_others
from prestige.records.folders import BenchFolder
from prestige.report.bench import method, tables
from prestige.report.bench.answer import sentences
from prestige.report.bench.facts import (
    ceiling_facts,
    effect_facts,
    sensitivity_facts,
    spread_facts,
    spread_text,
)
from prestige.report.bench.illustrate import illustrate
from prestige.report.bench.limits import blocks_words, limits
from prestige.report.bench.record import with_words
from prestige.report.biology import page as biology
from prestige.report.biology.of_bench import FOLDER, bench_biology
from prestige.report.gene_sets.comparison import set_facts
from prestige.report.gene_sets.section import set_section
from prestige.report.grid import grid, grid_columns
from prestige.report.rendering import render, write_tables
from prestige.report.style import MICRO
from prestige.text import format_number

_TABLES = ("runs", "summary", "genes", "per_observation", "gene_sets", "set_scores", "set_effects")
OWN = (
    *("index.html", "answer.json", "figures/*.png", "figures/*.svg"),
    *(f"tables/{name}.csv" for name in _TABLES),
    *(f"{FOLDER}/{name}" for name in biology.OWN),
)
"""What the folder of a report holds."""


def write_report(bench_folder: Path | str) -> Path:
    """Analyse a bench (or run) folder and write ``report/index.html`` with its figures and tables into it.

    Returns
    -------
    Path
        Of the page, which is one file that needs no network.

    Raises
    ------
    DataError
        When the folder is neither a bench nor a run.
    StorageError
        When the report cannot be written, or a finished run has lost its moments.

    Examples
    --------
    >>> import prestige
    >>> prestige.write_report("bench").as_posix()
    'bench/report/index.html'
    """
    check_report(BenchFolder(Path(bench_folder)))
    analysis = analyse(bench_folder)
    return write_page(analysis, analysis.bench.folder.report)


def check_report(folder: BenchFolder) -> None:
    """Check, before anything is computed, that a report can be written.

    Raises
    ------
    StorageError
        When something else stands in its place, or nothing can be written there.
    """
    if folder.path.is_dir():
        refuse_others(folder.report, OWN)
        check_folder(folder.report, whole=True)


def write_page(analysis: Analysis, folder: Path) -> Path:
    """Write ``index.html``, ``answer.json``, ``figures/`` and ``tables/`` of an analysis; return the page.

    The folder is replaced as a whole: it is the old report or the new one.

    Raises
    ------
    StorageError
        When the report cannot be written.
    """
    with whole_folder(folder, ours=OWN) as partial:
        write_tables(partial / "tables", _csv_tables(analysis))
        told = [_told(analysis, answer) for answer in analysis.answers]
        records = [one["record"] for one in told]
        (partial / "answer.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
        sets = set_facts(analysis)
        context = _context(analysis) | {"answers": told, "sets": sets}
        context |= illustrate(analysis, partial / "figures")
        context |= set_section(analysis, partial / "figures", maps=sets.get("maps", []))
        context |= {"biology": bench_biology(analysis, partial)}
        (partial / "index.html").write_text(render("report.html.j2", context), encoding="utf-8")
    return folder / "index.html"


def _csv_tables(analysis: Analysis) -> dict[str, pd.DataFrame]:
    written = {
        "runs": frames.runs_table(analysis.bench),
        "summary": analysis.table(),
        "genes": analysis.genes(),
        "per_observation": frames.observations_table(analysis.summary),
        "gene_sets": frames.sets_table(analysis.scored_sets),
    }
    if analysis.set_scores is not None:
        written["set_scores"] = frames.set_scores_table(analysis.set_scores)
    if analysis.effects_on_sets is not None:
        written["set_effects"] = analysis.effects_on_sets.table()
    return written


def _told(analysis: Analysis, answer: Answer) -> dict[str, Any]:
    """Return what is said of one group: sentences, limits, tiles, and the record for other programs."""
    bench, summary, group = analysis.bench, analysis.summary, analysis.group(answer.pretrained)
    lines, open_points = sentences(summary, group, answer), limits(bench, summary, group)
    effects = effect_facts(analysis.effects_of_groups[answer.pretrained])
    record = answer_record(summary, answer)
    return {
        "pretrained": answer.pretrained,
        "sentences": lines,
        "limits": open_points,
        "tiles": _tiles(answer),
        "record": with_words(record, lines, open_points, spread_text(analysis.spread), effects),
    }


def _context(analysis: Analysis) -> dict[str, Any]:
    """Return all that the template shows besides the answers, the figures and the pages beside it."""
    bench, summary, answer, best = analysis.bench, analysis.summary, analysis.leading, analysis.mapped
    rows, columns = grid(summary.table)
    control_rows, control_columns = grid(summary.table, controls=True)
    widths = [um for um, _, _ in grid_columns(summary.table[~summary.table["control"]])]
    oracle = [analysis.oracle(um) for um in widths]
    margin = answer.margin if answer is not None else math.nan
    return {
        "bench": bench,
        "summary": summary,
        "heat": {"rows": rows, "columns": columns, "oracle": oracle if set(oracle) - {None} else None},
        "controls": {"rows": control_rows, "columns": control_columns},
        "blocks": blocks_words(summary.blocks),
        "spread": spread_facts(summary, analysis.spread),
        "own_rates": any(key.own_rates for key in summary.used),
        "genes": tables.gene_data(summary, best, analysis.detected, analysis.ceilings),
        "questions": effect_facts(analysis.effects_of_groups[answer.pretrained]) if answer else {},
        "ceilings": ceiling_facts(analysis.fractions, len(summary.common_genes)),
        "sensitivity": sensitivity_facts(analysis.shifted, analysis.best_at_shifts, margin),
        "best_label": best.label if best else "",
        "observations": tables.observation_data(summary, best),
        "assumptions": method.assumptions(bench),
        "training": method.training_facts(bench),
        "scoring": method.scoring_facts(bench, summary),
        "split": method.split_facts(bench),
        "folds": method.fold_rows(bench),
        "audit": method.audit_facts(bench),
        "samples": method.sample_rows(bench),
        "costs": method.cost_rows(summary.table),
        "runs": tables.run_rows(bench),
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _tiles(answer: Answer) -> list[dict[str, str]]:
    """Return the few numbers that stand beside the answer."""
    tiles: list[tuple[str, str, str]] = []
    if answer.patch_um is not None:
        name = "patch to use" if answer.patch_shown else "patch, by the scores alone"
        note = f"smallest within {answer.margin:g} of the best"
        tiles.append((name, f"{format_number(answer.patch_um)} {MICRO}", note))
    if answer.best.baseline and answer.best_encoder is not None:
        encoder, score = answer.best_encoder
        tiles.append(("best encoder", f"{score:.3f}", encoder.label))
    ends = answer.interval
    note = f"95 %: {ends[0]:.3f} to {ends[1]:.3f}" if ends else "no interval, see below"
    tiles.append((f"best: {answer.best.label}", f"{answer.score:.3f}", note))
    notes = {"training mean": "the same everywhere", "ridge": "colour and texture of the patch"}
    for name, score in sorted(answer.baselines.items(), key=lambda item: -item[1]):
        if answer.best.name != name:
            tiles.append((f"baseline: {name}", f"{score:.3f}", notes.get(name, "")))
    if answer.right_patch_um is not None:
        agrees = {True: "\N{CHECK MARK} the report agrees", False: "\N{BALLOT X} the report does not agree"}
        note = agrees[answer.agrees] if answer.agrees is not None else ""
        tiles.append(("right answer (phantom)", f"{format_number(answer.right_patch_um)} {MICRO}", note))
    return [dict(zip(("name", "value", "note"), tile, strict=True)) for tile in tiles]
