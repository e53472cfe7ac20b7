"""Spreads: numbers by hand from the runs' own scores, and which one is larger."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.record import spread_rows
from prestige.analysis.spread import encoder_spread, spreads, unequal_minutes
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench
from prestige.stats.moments import Moments, mean_gene_pearson


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
    summary = summarise(load_bench(tiny_bench))
    one = next(one for key, one in spreads(summary).items() if key.label == "resnet18 at 32 µm")
    expected = np.std(own_scores(tiny_bench, "resnet18 at 32 µm"), ddof=1)
    assert one.patients == pytest.approx(expected, abs=1e-5)
    assert one.n_patients == 2
    assert np.isnan(one.seeds)
    of_all = encoder_spread(summary)
    assert of_all is not None
    every = [one for key, one in spreads(summary).items() if not key.baseline]
    assert (len(every), of_all.n_patients, of_all.n_both) == (6, 2, 0)
    assert of_all.patients == pytest.approx(np.sqrt(np.mean([one.patients**2 for one in every])))
    assert np.isnan(of_all.seeds)


@pytest.mark.parametrize(("shares", "larger"), [({1: 0.999, 2: 1.0}, "patient"), ({1: 0.2, 2: 1.0}, "seed")])
def test_which_one_is_larger_is_counted(tiny_bench: Path, shares: dict[int, float], larger: str) -> None:
    add_seeds(tiny_bench, shares)
    summary = summarise(load_bench(tiny_bench))
    of_all = encoder_spread(summary)
    assert of_all is not None
    assert of_all.n_both == 6
    assert (of_all.patients_of_both > of_all.seeds_of_patient) is (larger == "patient")
    assert (of_all.n_more > 3) is (larger == "patient")
    by_name = {row["configuration"]: row for row in spread_rows(summary, summary.groups[0].results)}
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
    assert row["sd_seeds_of_patient"] == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-6, abs=1e-9)
    assert by_name["training mean"]["sd_seeds"] is None


def test_baselines_alone_have_no_spread_of_encoders(tiny_bench: Path) -> None:
    for path in (tiny_bench / "runs").iterdir():
        if not path.name.startswith("baseline"):
            shutil.rmtree(path)
    assert encoder_spread(summarise(load_bench(tiny_bench))) is None


def test_minutes_are_unequal_beyond_a_quarter_more(tiny_bench: Path) -> None:
    paths = sorted((tiny_bench / "runs").glob("*/manifest.json"))
    for path in paths:
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps(manifest | {"seconds": {"train": 230.0, "validate": 10.0}}))
    assert unequal_minutes(load_bench(tiny_bench)) is None
    path = next(path for path in paths if "resnet18" in path.parent.name)
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"seconds": {"train": 360.0, "validate": 12.0}}))
    assert unequal_minutes(load_bench(tiny_bench)) == pytest.approx((4.0, 4.0, 6.2))
