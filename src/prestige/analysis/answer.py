"""What a group of configurations says, in numbers: the best, its equals, and the patch to use."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prestige.analysis.advice import advise
from prestige.analysis.summary import Group, Result, Summary
from prestige.config import EvaluationConfig
from prestige.records.bench import TruthRecord
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.settings import at_line, build
from prestige.stats.recommend import Recommendation

DEFAULT_MARGIN = 0.01
WIDTH_TOLERANCE = 0.02
"""Share by which widths differ that are called the same."""


@dataclass(frozen=True)
class Answer:
    """What a group of configurations says, in numbers.

    Attributes
    ----------
    pretrained
        Whether its encoders are: which group it is of.
    best, score, interval
        The configuration with the highest score, that score, and its 95 % interval (None without one).
    tied
        Those that cannot be told from the best; None where that cannot be said.
    patch_um, patch_best
        The smallest width whose best encoder lies within ``margin`` of the best encoder, and that encoder.
    patch_shown
        Whether the recommended configuration, which takes proof, has that patch too.
    margin
        How much of the score may be given up.
    baselines
        The best score of each baseline, by its name.
    best_encoder
        The encoder with the highest score, and that score.
    recommendation
        What is recommended within the margin; None where no encoder has a cost.
    shown
        The recommended configuration, or the best encoder that sees its whole patch where none is.
    right_patch_um, agrees
        Of a phantom: the right width, and whether ``patch_um`` is it (None where it cannot be said).
    """

    pretrained: bool
    best: Configuration
    score: float
    interval: tuple[float, float] | None
    tied: tuple[Configuration, ...] | None
    patch_um: float | None
    patch_best: Configuration | None
    margin: float
    baselines: dict[str, float]
    best_encoder: tuple[Configuration, float] | None = None
    patch_shown: bool = False
    recommendation: Recommendation[Configuration] | None = None
    shown: Configuration | None = None
    right_patch_um: float | None = None
    agrees: bool | None = None


def answers(bench: Bench, summary: Summary) -> list[Answer]:
    """Return an answer for each group that was compared (from scratch, pretrained)."""
    return [answer for group in summary.groups if (answer := _answer(bench, summary, group)) is not None]


def leading(of_groups: Sequence[Answer]) -> Answer | None:
    """Return the answer whose best configuration scores highest: maps and the gene table are of it."""
    return max(of_groups, key=lambda answer: answer.score, default=None)


def mapped(summary: Summary, answer: Answer) -> Configuration:
    """Return the best configuration, or the best that is no baseline where one is finished."""
    encoders: Any = summary.table[~summary.table["baseline"] & summary.table["score"].notna()]
    if not answer.best.baseline or encoders.empty:
        return answer.best
    return encoders.loc[encoders["score"].idxmax(), "configuration"]


def choose_patch(results: dict[Configuration, Result], margin: float) -> tuple[float, Configuration] | None:
    """Return the smallest patch width whose best is within ``margin`` of the best of all, and that best.

    Baselines, and patches of which a part was greyed out, do not count.
    """
    eligible = {
        key: result.score
        for key, result in results.items()
        if not key.baseline
        and not key.control
        and math.isfinite(result.score)
        and math.isfinite(key.patch_um)
    }
    if not eligible:
        return None
    threshold = max(eligible.values()) - margin
    width = min(key.patch_um for key, score in eligible.items() if score >= threshold)
    return width, max((key for key in eligible if key.patch_um == width), key=eligible.__getitem__)


def margin_of(bench: Bench) -> float:
    """Return how much of the score may be given up: what the bench's yaml says, else its data, else 0.01.

    Raises
    ------
    ConfigError
        When the yaml cannot be read, or its margin is no number of 0 or more.
    """
    stored = bench.folder.settings_of("evaluation") or {}
    asked = {key: value for key, value in stored.items() if key == "margin"}
    margin = build(EvaluationConfig, asked, where=at_line(bench.folder.settings, stored, ("margin",))).margin
    if margin is not None:
        return margin
    truth = bench.record.truth or TruthRecord()
    return truth.margin if math.isfinite(truth.margin) else DEFAULT_MARGIN


def _answer(bench: Bench, summary: Summary, group: Group) -> Answer | None:
    best = group.best
    if best is None:
        return None
    truth = bench.record.truth or TruthRecord()
    margin = margin_of(bench)
    right = truth.right_patch_um
    patch_um, patch_best = choose_patch(group.results, margin) or (None, None)
    result = group.results[best]
    advice = advise(summary, group, margin)
    chosen = advice.chosen if advice is not None else None
    tied = tuple(key for key, other in group.results.items() if other.tied and key != best)
    known = math.isfinite(right)
    return Answer(
        pretrained=group.pretrained,
        best=best,
        score=result.score,
        interval=result.interval,
        tied=None if result.interval is None else tied,
        patch_um=patch_um,
        patch_best=patch_best,
        margin=margin,
        baselines=_baselines(group),
        best_encoder=_best_encoder(group),
        patch_shown=chosen is not None and chosen.patch_um == patch_um,
        recommendation=advice,
        shown=chosen or whole_patch_best(group.results),
        right_patch_um=right if known else None,
        agrees=abs(patch_um - right) <= WIDTH_TOLERANCE * right if known and patch_um is not None else None,
    )


def whole_patch_best(results: dict[Configuration, Result]) -> Configuration | None:
    """Return the best encoder that sees its whole patch, None without any."""
    scores = {key: one.score for key, one in results.items() if not key.baseline and not key.control}
    return max(scores, key=scores.__getitem__, default=None)


def _baselines(group: Group) -> dict[str, float]:
    best_scores: dict[str, float] = {}
    for key, result in group.results.items():
        if key.baseline and not key.control:
            best_scores[key.name] = max(best_scores.get(key.name, -math.inf), result.score)
    return best_scores


def _best_encoder(group: Group) -> tuple[Configuration, float] | None:
    scores = {key: one.score for key, one in group.results.items() if not key.baseline}
    return max(scores.items(), key=lambda item: item[1], default=None)
