"""The first sentences, in the situations a bench can end in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prestige.analysis.advice import advise, costs
from prestige.analysis.analyse import analyse
from prestige.analysis.answer import Answer
from prestige.report.bench.answer import NAMED, advice_sentences, plain, sentences

from ...small_bench import Recipe

Maker = Callable[[Recipe], Path]


def told(folder: Path) -> tuple[Answer, list[str]]:
    """Return the one answer of a bench, and its sentences."""
    analysis = analyse(folder)
    (answer,) = analysis.answers
    lines = sentences(analysis.summary, analysis.group(answer.pretrained), answer)
    return answer, lines


def test_a_clear_winner_is_named_with_interval_patch_and_baselines(make_bench: Maker) -> None:
    clear = {"compact_s": (0.2, 0.6, 0.3), "resnet18": (0.2, 0.3, 0.2)}
    answer, lines = told(make_bench(Recipe(quality=clear)))
    text = plain(lines)
    assert answer.best.label == "compact_s at 32 µm"
    assert answer.tied == ()
    assert answer.interval is not None
    assert answer.interval[0] < answer.score < answer.interval[1]
    assert answer.patch_um == 32.0
    assert lines[0].startswith("**compact_s at 32 µm** predicts best: mean per-gene Pearson **0.")
    assert "(95 % interval " in text
    assert "better than every other configuration" in lines[0]
    assert "Use patches 32 µm wide" in text
    assert "No other width has an encoder that cannot be told from the best." in text
    assert "ridge 0." in text
    assert "the training mean 0.000" in text
    assert "**" not in text


def test_every_configuration_that_cannot_be_told_apart_is_named(make_bench: Maker) -> None:
    alike = {"compact_s": (0.4, 0.4, 0.4), "resnet18": (0.4, 0.4, 0.4)}
    answer, lines = told(make_bench(Recipe(quality=alike, n_obs=144)))
    text = plain(lines)
    assert answer.tied is not None
    assert len(answer.tied) >= 4
    assert "What the data cannot tell apart: widths of " in text
    assert "others, named below" in lines[0]
    for key in answer.tied:
        assert f"{key.label} (0." in text
    assert answer.best not in answer.tied


def test_few_ties_are_named_in_the_first_sentence(tiny_bench: Path) -> None:
    answer, lines = told(tiny_bench)
    assert answer.best.label == "compact_s at 64 µm"
    assert [key.label for key in answer.tied or ()] == ["compact_s at 32 µm"]
    assert "It cannot be told from compact_s at 32 µm (0." in lines[0]


def test_a_baseline_that_wins_is_said_to_win(make_bench: Maker) -> None:
    weak = {"compact_s": (0.05, 0.1, 0.05), "resnet18": (0.05, 0.05, 0.1)}
    answer, lines = told(make_bench(Recipe(quality=weak, ridge=(0.3, 0.5, 0.3))))
    assert answer.best.baseline
    assert lines[0].startswith("None of the encoders beats the baseline **ridge at 32 µm**")
    assert ", the best encoder, " in lines[0]
    assert "The baseline is better than every other configuration" in lines[0]
    assert answer.patch_best is not None
    assert not answer.patch_best.baseline


def test_with_fewer_than_ten_clusters_there_is_no_interval_and_the_reason_is_given(make_bench: Maker) -> None:
    answer, lines = told(make_bench(Recipe(block_um=1000.0)))  # 2 samples of 2 x 2 blocks
    text = plain(lines)
    assert answer.interval is None
    assert answer.tied is None
    assert "interval 0" not in text
    assert "cannot be said: 8 spatial blocks are too few, at least 10" in text


@pytest.mark.parametrize(("right", "agrees"), [(32.0, True), (16.0, False)])
def test_a_phantom_says_the_right_answer_and_whether_it_was_found(
    tiny_bench: Path, right: float, agrees: bool
) -> None:
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["truth"] = {"radius_um": 20.0, "margin": 0.02, "oracle": {"32.0": 0.7}, "right_patch_um": right}
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    answer, lines = told(tiny_bench)
    text = plain(lines)
    assert answer.margin == 0.02
    assert answer.agrees is agrees
    assert f"right patch width is known: {right:.0f} µm" in text
    assert ("This report agrees with it." in text) is agrees
    assert ("This report does not agree with it." in text) is not agrees


def test_without_intervals_nothing_is_advised_and_the_patch_is_of_the_scores_alone(make_bench: Maker) -> None:
    answer, lines = told(make_bench(Recipe(block_um=2000.0, folds=5, patients=tuple("ABCDE"))))
    text = plain(lines)
    assert not answer.patch_shown
    assert "By the scores alone 32 µm would do: the smallest width" in text
    assert "Use patches" not in text
    assert "No encoder can be recommended: it takes intervals." in text
    assert text.count("5 spatial blocks are too few") == 1


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
    answer, lines = told(make_bench(recipe))
    text = plain(lines)
    assert answer.patch_shown
    assert "Use patches 32 µm wide" in text
    assert f"is shown to lie within 0.01 of the best {where}: " in text


@pytest.mark.parametrize("margin", [0.0, 0.02, 2.0])
def test_the_recommendation_has_its_numbers(tiny_bench: Path, margin: float) -> None:
    analysis = analyse(tiny_bench)
    group = analysis.summary.groups[0]
    advice = advise(analysis.summary, group, margin)
    assert advice is not None
    answer = replace(analysis.answers[0], recommendation=advice, margin=margin)
    lines = advice_sentences(analysis.summary, group, answer)
    if advice.chosen is None:
        assert lines[0].startswith("No encoder can be recommended")
    else:
        assert f"**{advice.chosen.label}**" in lines[0]
        gap = f"{group.comparison.rows[advice.chosen].gap_high:.3f} below the best"
        assert ("the best itself" if advice.chosen == group.comparison.best else gap) in lines[0]


def test_what_is_not_shown_to_beat_the_training_mean_is_named(tiny_bench: Path) -> None:
    analysis = analyse(tiny_bench)
    summary, group = analysis.summary, analysis.summary.groups[0]
    mean = next(key for key in group.results if key.name == "training mean")
    best = group.comparison.best
    # All are near enough to the best, and the bounds of the training mean reach theirs.
    rows = {key: replace(row, gap_low=0.0, gap_high=0.01) for key, row in group.comparison.rows.items()}
    alike = replace(group, comparison=replace(group.comparison, rows=rows, best=best))
    cost = costs(summary, alike)
    cheapest = sorted(cost, key=cost.__getitem__)
    answer = replace(analysis.answers[0], recommendation=advise(summary, alike, 0.02), margin=0.02)
    (line,) = advice_sentences(summary, alike, answer)
    assert line.startswith("No encoder can be recommended")
    assert cheapest[0].label in line
    # The mean lies apart now, but only from the dearest one.
    rows[mean] = replace(rows[mean], gap_low=0.009, gap_high=0.02)
    rows[cheapest[-1]] = replace(rows[cheapest[-1]], gap_low=0.0, gap_high=0.008)
    apart = replace(group, comparison=replace(group.comparison, rows=rows, best=best))
    answer = replace(answer, recommendation=advise(summary, apart, 0.02))
    lines = advice_sentences(summary, apart, answer)
    (line,) = [one for one in lines if one.startswith("Cheaper and")]
    assert "not shown to be better than the training mean" in line
    cheaper = {key for key in cost if cost[key] < cost[cheapest[-1]]}
    assert sum(key.label in line for key in cheaper) == min(len(cheaper), NAMED)
