"""The first sentences, in the situations a bench can end in."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from prestige.analysis.answer import Answer, answers, choose_patch
from prestige.analysis.summary import Standing, summarise
from prestige.records.configuration import Configuration
from prestige.records.folders import load_bench

from ..small_bench import Recipe

Maker = Callable[[Recipe], Path]


def _answer(folder: Path) -> Answer:
    bench = load_bench(folder)
    found = answers(bench, summarise(bench))
    assert len(found) == 1
    return found[0]


def _standing(score: float) -> Standing:
    return Standing(score, None, best=False, tied=None)


def _key(
    encoder: str, patch_um: float, *, baseline: bool = False, visible_um: float = math.inf
) -> Configuration:
    return Configuration(False, baseline, encoder, patch_um, 32, visible_um)


def test_a_clear_winner_is_named_with_interval_patch_and_baselines(make_bench: Maker) -> None:
    answer = _answer(make_bench(Recipe(quality={"compact_s": (0.2, 0.6, 0.3), "resnet18": (0.2, 0.3, 0.2)})))
    assert answer.best.label == "compact_s at 32 µm"
    assert answer.tied == ()
    assert answer.interval is not None
    assert answer.interval[0] < answer.score < answer.interval[1]
    assert answer.patch_um == 32.0
    assert answer.sentences[0].startswith("**compact_s at 32 µm** predicts best: mean per-gene Pearson **0.")
    assert "(95 % interval " in answer.text
    assert "better than every other configuration" in answer.sentences[0]
    assert "Use patches 32 µm wide" in answer.text
    assert "No other width has an encoder that cannot be told from the best." in answer.text
    assert "ridge 0." in answer.text
    assert "the training mean 0.000" in answer.text
    assert "**" not in answer.text


def test_every_configuration_that_cannot_be_told_apart_is_named(make_bench: Maker) -> None:
    alike = {"compact_s": (0.4, 0.4, 0.4), "resnet18": (0.4, 0.4, 0.4)}
    answer = _answer(make_bench(Recipe(quality=alike, n_obs=144)))
    assert answer.tied is not None
    assert len(answer.tied) >= 4
    assert "What the data cannot tell apart: widths of " in answer.text
    assert "others, named below" in answer.sentences[0]
    for key in answer.tied:
        assert f"{key.label} (0." in answer.text
    assert answer.best not in answer.tied


def test_few_ties_are_named_in_the_first_sentence(tiny_bench: Path) -> None:
    answer = _answer(tiny_bench)
    assert answer.best.label == "compact_s at 64 µm"
    assert [key.label for key in answer.tied or ()] == ["compact_s at 32 µm"]
    assert "It cannot be told from compact_s at 32 µm (0." in answer.sentences[0]


def test_a_baseline_that_wins_is_said_to_win(make_bench: Maker) -> None:
    weak = {"compact_s": (0.05, 0.1, 0.05), "resnet18": (0.05, 0.05, 0.1)}
    answer = _answer(make_bench(Recipe(quality=weak, ridge=(0.3, 0.5, 0.3))))
    assert answer.best.baseline
    assert answer.sentences[0].startswith("None of the encoders beats the baseline **ridge at 32 µm**")
    assert ", the best encoder, " in answer.sentences[0]
    assert "The baseline is better than every other configuration" in answer.sentences[0]
    assert answer.patch_best is not None
    assert not answer.patch_best.baseline


def test_with_fewer_than_ten_clusters_there_is_no_interval_and_the_reason_is_given(make_bench: Maker) -> None:
    answer = _answer(make_bench(Recipe(block_um=1000.0)))  # 2 samples of 2 x 2 blocks
    assert answer.interval is None
    assert answer.tied is None
    assert "interval 0" not in answer.text
    assert "cannot be said: 8 spatial blocks are too few, at least 10" in answer.text


def test_one_patient_says_nothing_about_others(make_bench: Maker, tiny_bench: Path) -> None:
    one = _answer(make_bench(Recipe(patients=("P1",))))
    assert any("one patient: nothing about other patients follows" in limit for limit in one.limits)
    assert any(limit.startswith("2 patients were scored") for limit in _answer(tiny_bench).limits)


def test_what_the_interval_does_not_hold_is_said(tiny_bench: Path) -> None:
    answer = _answer(tiny_bench)
    assert any("not that of the training: each encoder was trained with one seed" in s for s in answer.limits)


def test_minutes_that_were_not_equal_are_told(tiny_bench: Path) -> None:
    def limits() -> str:
        return " ".join(_answer(tiny_bench).limits)

    paths = sorted((tiny_bench / "runs").glob("*/manifest.json"))
    for path in paths:
        manifest = json.loads(path.read_text())
        path.write_text(json.dumps(manifest | {"seconds": {"train": 230.0, "validate": 10.0}}))
    assert "not equal" not in limits()
    path = next(path for path in paths if "resnet18" in path.parent.name)
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"seconds": {"train": 360.0, "validate": 12.0}}))
    assert "The minutes were not equal: runs planned for 4 took 4 to 6.2," in limits()


def test_tissue_of_the_same_patients_speaks_of_no_others_however_many_there_are(make_bench: Maker) -> None:
    many = tuple(f"P{i}" for i in range(10))
    folder = make_bench(Recipe(folds=10, patients=many, n_obs=100))
    assert summarise(load_bench(folder)).groups[0].basis == "10 patients"
    info = json.loads((folder / "bench.json").read_text())
    info["split"] |= {"by": "blocks", "within_section": True}
    (folder / "bench.json").write_text(json.dumps(info))
    bench = load_bench(folder)
    summary = summarise(bench)
    assert summary.groups[0].basis.endswith("spatial blocks")
    limits = answers(bench, summary)[0].limits
    assert any("of the same patients: nothing about other patients follows" in limit for limit in limits)


@pytest.mark.parametrize(("right", "agrees"), [(32.0, True), (16.0, False)])
def test_a_phantom_says_the_right_answer_and_whether_it_was_found(
    tiny_bench: Path, right: float, agrees: bool
) -> None:
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["truth"] = {"radius_um": 20.0, "margin": 0.02, "oracle": {"32.0": 0.7}, "right_patch_um": right}
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    answer = _answer(tiny_bench)
    assert answer.margin == 0.02
    assert answer.agrees is agrees
    assert f"right patch width is known: {right:.0f} µm" in answer.text
    assert ("This report agrees with it." in answer.text) is agrees
    assert ("This report does not agree with it." in answer.text) is not agrees


def test_an_unfinished_bench_compares_only_what_shares_folds(tiny_bench: Path) -> None:
    shutil.rmtree(tiny_bench / "runs" / "compact_s-64-1")
    (tiny_bench / "runs" / "resnet18-16-1" / "DONE").unlink()
    bench = load_bench(tiny_bench)
    summary = summarise(bench)
    answer = answers(bench, summary)[0]
    assert {item.reason for item in bench.missing} == {"not started", "not finished: main at step 400"}
    assert summary.folds == (0, 1)
    assert summary.excluded == ["compact_s at 64 µm", "resnet18 at 16 µm"]
    assert answer.best.label == "compact_s at 32 µm"
    limit = next(limit for limit in answer.limits if "not finished" in limit)
    assert "22 runs" in limit
    assert "compact_s at 64 µm and resnet18 at 16 µm" in limit


def test_a_constant_prediction_counts_zero_and_a_constant_truth_not_at_all(tiny_bench: Path) -> None:
    summary = summarise(load_bench(tiny_bench))
    best = summary.genes[summary.genes["configuration"] == summary.groups[0].best].set_index("gene")
    assert math.isnan(best.at["GENE38", "pearson"])
    assert math.isnan(best.at["GENE39", "pearson"])
    assert summary.groups[0].n_genes_scored == 39
    by_hand = best.drop(index="GENE38")["pearson"].fillna(0.0).mean()
    score = summary.table.loc[summary.table["best"], "score"].item()
    assert score == pytest.approx(by_hand, abs=1e-6)


def test_the_smallest_width_within_the_margin_is_chosen() -> None:
    standings = {
        _key("a", 16.0): _standing(0.139),
        _key("a", 32.0): _standing(0.141),
        _key("b", 32.0): _standing(0.120),
        _key("b", 64.0): _standing(0.150),
        _key("a", 64.0, visible_um=16.0): _standing(0.149),
        _key("baseline:ridge", 8.0, baseline=True): _standing(0.200),
    }
    assert choose_patch(standings, 0.01) == (32.0, _key("a", 32.0))
    assert choose_patch(standings, 0.02) == (16.0, _key("a", 16.0))
    assert choose_patch(standings, 0.0) == (64.0, _key("b", 64.0))
    assert choose_patch({_key("baseline:ridge", 8.0, baseline=True): _standing(0.2)}, 0.01) is None
    assert np.isinf(_key("baseline:mean", math.inf, baseline=True).patch_um)


def test_too_few_seeds_are_a_limit(tiny_bench: Path) -> None:
    runs = tiny_bench / "runs"
    needs = "a bench that claims something needs 3"
    assert f"One seed: the spread over trainings is unknown; {needs}." in _answer(tiny_bench).limits
    raw = json.loads((tiny_bench / "bench.json").read_text())
    for seed in (1, 2):
        for path in sorted(runs.glob("*-0")) + sorted(runs.glob("*-1")):
            if path.name.startswith("baseline"):
                continue
            copy = shutil.copytree(path, runs / f"{path.name}-seed-{seed}")
            manifest = json.loads((copy / "manifest.json").read_text())
            (copy / "manifest.json").write_text(json.dumps(manifest | {"seed": seed}))
            raw["runs"].append({"folder": f"runs/{copy.name}"})
        (tiny_bench / "bench.json").write_text(json.dumps(raw))
        told = [limit for limit in _answer(tiny_bench).limits if needs in limit]
        assert told == (
            [] if seed == 2 else [f"2 seeds: the spread over trainings is hardly known; {needs}."]
        )


def test_without_intervals_nothing_is_advised_and_the_patch_is_of_the_scores_alone(make_bench: Maker) -> None:
    answer = _answer(make_bench(Recipe(block_um=2000.0, folds=5, patients=tuple("ABCDE"))))
    assert not answer.patch_shown
    assert "By the scores alone 32 µm would do: the smallest width" in answer.text
    assert "Use patches" not in answer.text
    assert "No encoder can be recommended: it takes intervals." in answer.text
    assert answer.text.count("5 spatial blocks are too few") == 1
    assert any(limit.startswith("5 patients were scored: what is said") for limit in answer.limits)


@pytest.mark.parametrize(
    ("patients", "where"),
    [
        (("P1",), "on more tissue of this patient"),
        (tuple("ABCDE"), "on more tissue of these 5 patients"),
        (tuple("ABCDEFGHIJ"), "on new patients"),
    ],
)
def test_a_recommendation_says_for_whose_tissue_it_is_shown(
    make_bench: Maker, patients: tuple[str, ...], where: str
) -> None:
    better = {"compact_s": (0.2, 0.6, 0.3), "resnet18": (0.2, 0.3, 0.2)}
    recipe = Recipe(quality=better, folds=len(patients), patients=patients, n_obs=200)
    answer = _answer(make_bench(recipe))
    assert answer.patch_shown
    assert "Use patches 32 µm wide" in answer.text
    assert f"is shown to lie within 0.01 of the best {where}: " in answer.text
    assert any("one patient: nothing about other patients" in one for one in answer.limits) is (
        len(patients) == 1
    )
