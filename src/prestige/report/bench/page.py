"""One self-contained page, its figures and its tables, from a bench folder."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.analysis.answer import Answer, answers
from prestige.analysis.blocks import blocks_words
from prestige.analysis.ceilings import ceiling_facts, ceilings_of
from prestige.analysis.effects import question_facts
from prestige.analysis.gene_sets.comparison import all_scored_sets, set_facts, sets_table
from prestige.analysis.sensitivity import sensitivity_facts
from prestige.analysis.spread import spread_facts
from prestige.analysis.summary import Summary, summarise
from prestige.compute.files import whole_folder
from prestige.records.folders import Bench, load_bench
from prestige.report.bench import method, tables
from prestige.report.bench.illustrate import illustrate, leading, mapped
from prestige.report.bench.record import answer_record
from prestige.report.biology.of_bench import bench_biology
from prestige.report.gene_sets.section import set_page
from prestige.report.rendering import render
from prestige.text import format_number


def write_report(bench_folder: Path | str) -> Path:
    """Write ``report/index.html`` with its figures and tables into a bench (or run) folder.

    The folder ``report`` is replaced as a whole: it is the old report or the new one.

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
    bench_folder = Path(bench_folder)
    bench = load_bench(bench_folder)
    summary = summarise(bench)
    found = answers(bench, summary)
    report = bench.folder.report
    with whole_folder(report, ours=None) as partial:
        detected = tables.detection(bench.truths)
        ceilings = ceilings_of(bench, summary.blocks)
        questions = {group.pretrained: question_facts(summary, group) for group in summary.groups}
        scored = all_scored_sets(bench, summary)
        tables.write_tables(partial / "tables", _csv_tables(bench, summary, detected, ceilings))
        tables.write_tables(partial / "tables", {"gene_sets": sets_table(scored)})
        records = [answer_record(summary, answer, questions[answer.pretrained]) for answer in found]
        (partial / "answer.json").write_text(json.dumps(records, indent=1), encoding="utf-8")
        context = _context(bench, summary, found, detected, ceilings)
        context["sets"] = set_facts(bench, summary, leading(found), scored)
        context |= {"questions": questions[first.pretrained] if (first := leading(found)) else {}}
        context |= illustrate(bench, summary, found, partial / "figures")
        maps = context["sets"].get("maps", [])
        context |= set_page(bench, summary, leading(found), ceilings, folder=partial, maps=maps)
        context |= {"biology": bench_biology(bench, summary, leading(found), partial)}
        (partial / "index.html").write_text(render("report.html.j2", context), encoding="utf-8")
    return report / "index.html"


def _csv_tables(
    bench: Bench, summary: Summary, detected: pd.Series, ceilings: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    return {
        "runs": tables.runs_table(bench),
        "summary": tables.summary_table(summary),
        "genes": tables.genes_table(summary, detected, ceilings),
        "per_observation": tables.observations_table(summary),
    }


def _context(
    bench: Bench, summary: Summary, found: list[Answer], detected: pd.Series, ceilings: pd.DataFrame
) -> dict[str, Any]:
    answer = leading(found)
    best = mapped(summary, answer) if answer else None
    rows, columns = tables.grid(summary.table)
    control_rows, control_columns = tables.grid(summary.table, controls=True)
    return {
        "bench": bench,
        "summary": summary,
        "answers": [{"answer": one, "tiles": _tiles(one)} for one in found],
        "heat": {"rows": rows, "columns": columns, "oracle": _oracle(bench, summary)},
        "controls": {"rows": control_rows, "columns": control_columns},
        "blocks": blocks_words(summary.blocks),
        "spread": spread_facts(summary),
        "own_rates": any(key.own_rates for key in summary.used),
        "genes": tables.gene_data(summary, best, detected, ceilings),
        "ceilings": ceiling_facts(summary, ceilings),
        "sensitivity": sensitivity_facts(bench, summary, answer),
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
        "run_head": tables.run_rows(bench)[0],
        "run_rows": tables.run_rows(bench)[1],
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def _tiles(answer: Answer) -> list[dict[str, str]]:
    """Return the few numbers that stand beside the answer."""
    interval = answer.interval
    tiles = []
    if answer.patch_um is not None:
        note = f"smallest within {f'{answer.margin:.3f}'.rstrip('0')} of the best"
        tiles.append(
            {
                "name": "patch to use" if answer.patch_shown else "patch, by the scores alone",
                "value": f"{format_number(answer.patch_um)} \N{MICRO SIGN}m",
                "note": note,
            }
        )
    note = f"95 %: {interval[0]:.3f} to {interval[1]:.3f}" if interval else "no interval, see below"
    if answer.best.baseline and answer.best_encoder is not None:
        label, score = answer.best_encoder[0].label, answer.best_encoder[1]
        tiles.append({"name": "best encoder", "value": f"{score:.3f}", "note": label})
    tiles.append({"name": f"best: {answer.best.label}", "value": f"{answer.score:.3f}", "note": note})
    notes = {"training mean": "the same everywhere", "ridge": "colour and texture of the patch"}
    for name, score in sorted(answer.baselines.items(), key=lambda item: -item[1]):
        if answer.best.name == name:
            continue
        tiles.append({"name": f"baseline: {name}", "value": f"{score:.3f}", "note": notes.get(name, "")})
    if answer.right_patch_um is not None:
        note = {
            True: "\N{CHECK MARK} the report agrees",
            False: "\N{BALLOT X} the report does not agree",
            None: "",
        }[answer.agrees]
        tiles.append(
            {
                "name": "right answer (phantom)",
                "value": f"{format_number(answer.right_patch_um)} \N{MICRO SIGN}m",
                "note": note,
            }
        )
    return tiles


def _oracle(bench: Bench, summary: Summary) -> list[float | None] | None:
    """Return the phantom's oracle under the heat map's columns, None where there is no phantom."""
    scores = bench.record.truth.oracle if bench.record.truth is not None else {}
    if not scores:
        return None
    table = summary.table[~summary.table["control"]]
    keys = sorted(
        {
            k
            for k in zip(table["patch_um"], table["input_px"], table["visible_um"], strict=True)
            if math.isfinite(k[0])
        }
    )
    found = []
    for um, _, _ in keys:
        near = min(scores, key=lambda width: abs(width - um))
        found.append(scores[near] if abs(near - um) <= 0.02 * um else None)
    return found
