"""Spreads in the report: numbers by hand from the runs' own scores, and which one is larger."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.analysis.spread import seeds_limit, spread_facts, spread_record, spread_text, spreads
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.report import write_report
from prestige.stats.moments import Moments, mean_gene_pearson

from ..small_bench import Recipe


def add_seeds(bench: Path, shares: dict[int, float]) -> None:
    """Add seeds of every encoder, of which a share of the covariance with the truth is left."""
    raw = json.loads((bench / "bench.json").read_text())
    for entry in list(raw["runs"]):
        path = bench / entry["folder"]
        if path.name.startswith("baseline"):
            continue
        for seed, share in shares.items():
            copy = shutil.copytree(path, path.with_name(f"{path.name}-seed-{seed}"))
            manifest = json.loads((copy / "manifest.json").read_text())
            (copy / "manifest.json").write_text(json.dumps(manifest | {"seed": seed}))
            one = Moments.load(copy / "moments.npz")
            at_random = one.sum_p * one.sum_t / np.maximum(one.n, 1)[:, None]
            sums = {name: getattr(one, name) for name in ("sum_p", "sum_t", "sum_pp", "sum_tt")}
            product = at_random + share * (one.sum_pt - at_random)
            Moments(one.sample, one.block, one.n, **sums, sum_pt=product, genes=one.genes).save(
                copy / "moments.npz"
            )
            raw["runs"].append({"folder": f"runs/{copy.name}"})
    (bench / "bench.json").write_text(json.dumps(raw))


def own_scores(bench: Path, label: str) -> list[float]:
    """Return the scores of a configuration's runs, as they stand in their own files."""
    return [
        run.scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
        for run in load_bench(bench).runs
        if run.configuration.label == label
    ]


def test_over_patients_it_is_the_deviation_of_their_scores(tiny_bench: Path) -> None:
    write_report(tiny_bench)
    table = pd.read_csv(tiny_bench / "report" / "tables" / "summary.csv")
    row = table[(table["encoder"] == "resnet18") & (table["patch_um"] == 32)].squeeze()
    expected = np.std(own_scores(tiny_bench, "resnet18 at 32 µm"), ddof=1)
    assert row["sd_patients"] == pytest.approx(expected, abs=1e-5)
    assert row["n_patients"] == 2
    assert np.isnan(row["sd_seeds"])
    summary = summarise(load_bench(tiny_bench))
    text = spread_text(summary)
    assert text.startswith(
        "The encoders' scores of single patients vary from patient to patient with a standard deviation of 0."
    )
    assert "whether they vary more from training to training is unknown" in text


@pytest.mark.parametrize(("shares", "larger"), [({1: 0.999, 2: 1.0}, "patient"), ({1: 0.2, 2: 1.0}, "seed")])
def test_which_one_is_larger_is_said(tiny_bench: Path, shares: dict[int, float], larger: str) -> None:
    add_seeds(tiny_bench, shares)
    summary = summarise(load_bench(tiny_bench))
    text = spread_text(summary)
    first = "vary more from patient to patient" if larger == "patient" else "vary no more from patient"
    assert first in text
    assert "of 6 of them" in text
    assert "a part is the chance of which tissue" in text
    record = spread_record(summary, summary.groups[0].standings)
    assert record["text"] == text
    by_name = {row["configuration"]: row for row in record["rows"]}
    row = by_name["compact_s at 64 µm"]
    assert (row["n_seeds"], row["n_patients"]) == (3, 2)
    assert (row["sd_seeds_of_patient"] > row["sd_patients"]) is (larger == "seed")
    # One patient a fold: each fold's own scores over its seeds.
    scores: dict[int, list[float]] = {fold: [] for fold in (0, 1)}
    for run in load_bench(tiny_bench).runs:
        if run.configuration.label == "compact_s at 64 µm":
            moments = run.moments.take_genes(summary.common_genes)
            scores[run.fold].append(mean_gene_pearson(moments))
    squares = [np.var(of_fold, ddof=1) for of_fold in scores.values()]
    assert row["sd_seeds_of_patient"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6)
    assert by_name["training mean"]["sd_seeds"] is None
    assert seeds_limit(summary, summary.groups[0].standings) == []
    page = write_report(tiny_bench).read_text(encoding="utf-8")
    assert text.replace("'", "&#39;") in page


@pytest.mark.parametrize("folds", [1, 2])
@pytest.mark.parametrize("seeds", [1, 3])
def test_with_one_patient_there_is_no_verdict(
    make_bench: Callable[[Recipe], Path], folds: int, seeds: int
) -> None:
    folder = make_bench(Recipe(folds=folds, patients=("P1",)))
    if seeds > 1:
        add_seeds(folder, {1: 0.999, 2: 1.0})
    summary = summarise(load_bench(folder))
    facts = spread_facts(summary)
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


def test_a_bench_under_way_says_how_many_seeds_there_are(tiny_bench: Path) -> None:
    add_seeds(tiny_bench, {1: 0.9})
    for run in (tiny_bench / "runs").glob("resnet18*-seed-1"):
        (run / "DONE").unlink()
    summary = summarise(load_bench(tiny_bench))
    (said,) = seeds_limit(summary, summary.groups[0].standings)
    assert said.startswith("1 to 2 seeds: the spread over trainings is not known of every encoder;")
