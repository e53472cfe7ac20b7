"""Tidy frames hold the numbers of the runs."""

from __future__ import annotations

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from prestige.analysis.effects import WIDTH, effects_of
from prestige.analysis.frames import (
    detection,
    effects_table,
    runs_table,
    set_scores_table,
    sets_table,
    summary_table,
)
from prestige.analysis.gene_sets.comparison import common_sets, scored_sets
from prestige.analysis.summary import summarise
from prestige.records.folders import load_bench

from .gene_sets.test_comparison import give
from .gene_sets.test_scores import EASY, scored


def test_every_run_has_a_row_with_its_own_score(tiny_bench: Path) -> None:
    (tiny_bench / "runs" / "resnet18-64-0" / "DONE").unlink()
    bench = load_bench(tiny_bench)
    table = runs_table(bench).set_index("folder")
    assert len(table) == len(json.loads((tiny_bench / "bench.json").read_text())["runs"])
    scores = pd.read_parquet(tiny_bench / "runs" / "compact_s-32-1" / "scores.parquet")
    expected = scores.query("level == 'genes' and metric == 'pearson'")["value"].mean()
    assert table.loc["compact_s-32-1", "pearson"] == pytest.approx(expected)
    unfinished = [name for name, state in table["state"].items() if state != "finished"]
    assert len(unfinished) == 1
    assert "resnet18-64-0" in str(unfinished[0])


def test_the_summary_has_one_best_and_the_scores_beside_it(tiny_bench: Path) -> None:
    table = summary_table(summarise(load_bench(tiny_bench)))
    best = table[table["best"].astype(bool)]
    assert len(best) == 1
    assert best["encoder"].item() == "compact_s"
    assert best["pearson_low"].item() < best["pearson"].item() < best["pearson_high"].item()
    assert set(table.loc[~table["baseline"], "patch_um"]) == {16.0, 32.0, 64.0}
    assert table["r2_mean_over_genes"].notna().all()


def test_detection_is_the_share_of_observations_with_a_count(tmp_path: Path) -> None:
    for fold, counts in enumerate(([[1, 0], [0, 0]], [[5, 0], [2, 1]])):
        (tmp_path / f"fold-{fold}").mkdir()
        table = ad.AnnData(np.array(counts, dtype=np.float32), var=pd.DataFrame(index=["A", "B"]))
        table.write_h5ad(tmp_path / f"fold-{fold}" / "S.h5ad")
    assert detection([tmp_path]).to_dict() == {"A": 0.75, "B": 0.25}
    (tmp_path / "fold-0" / "S.h5ad").write_bytes(b"cut off")
    assert detection([tmp_path]).to_dict() == {"A": 1.0, "B": 0.5}


def test_the_table_says_of_which_configuration_a_row_is(tiny_bench: Path) -> None:
    scores, _, _ = scored(tiny_bench, easy=EASY)
    table = set_scores_table(scores)
    assert {"encoder", "patch_um", "gene_set", "genes", "metric", "statistic", "value", "low", "high"} <= set(
        table
    )
    assert "configuration" not in table
    assert not table.duplicated(["encoder", "patch_um", "gene_set", "genes", "metric", "statistic"]).any()
    empty, _, _ = scored(tiny_bench)
    assert set_scores_table(empty).empty


def test_a_row_a_set_and_configuration(tiny_bench: Path) -> None:
    give(tiny_bench, *[{"easy": list(EASY)}] * 2)
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    (group,) = summary.groups
    table = sets_table({False: scored_sets(summary, group, common_sets(bench, summary))})
    assert len(table) == len(group.results)
    assert set(table["gene_set"]) == {"easy"}
    assert table["best"].sum() == 1
    assert sets_table({}).empty


def test_an_effect_has_its_numbers_or_what_it_takes(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    effects = effects_of(summary, summary.groups[0])
    table = effects_table({False: effects}).set_index("effect")
    assert table.at[WIDTH, "estimate"] == effects.tested[WIDTH].estimate
    assert table.at[WIDTH, "why_not"] == ""
    assert list(table.index[table["estimate"].isna()]) == list(effects.untested)
    assert (table.loc[list(effects.untested), "why_not"] != "").all()
    assert effects_table({}).empty


def test_counts_lie_in_the_bench(tiny_bench: Path) -> None:
    assert load_bench(tiny_bench).truths == [tiny_bench / "truth"]
    run = load_bench(tiny_bench / "runs" / "compact_s-32-0")
    assert [folder.resolve() for folder in run.truths] == [(tiny_bench / "truth").resolve()]
