"""The first sentences of a report: which encoder, at which patch size, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from prestige.analysis.advice import advice_sentences, advise
from prestige.analysis.blocks import width_limits
from prestige.analysis.spread import seeds_limit
from prestige.analysis.summary import Group, Standing, Summary, within_section
from prestige.records.bench import TruthRecord
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.text import format_number

DEFAULT_MARGIN = 0.01
FEW_PATIENTS = 10
NAMED_IN_LEAD = 3
_WIDTH_TOLERANCE = 0.02
_MINUTES_TOLERANCE = 1.25


@dataclass(frozen=True)
class Answer:
    """What a group of configurations says.

    ``sentences`` is the lead (the first is the answer), ``limits`` what does not follow from it; both
    are plain text in which ``**`` encloses what matters most.  ``tied`` is None where it cannot be said;
    ``patch_shown`` is whether the recommended configuration, which takes proof, has that patch too.
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
    right_patch_um: float | None = None
    agrees: bool | None = None
    sentences: tuple[str, ...] = ()
    limits: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """The sentences without marks."""
        return " ".join(self.sentences).replace("**", "")


def answers(bench: Bench, summary: Summary) -> list[Answer]:
    """Return an answer for each group that was compared (from scratch, pretrained)."""
    return [found for group in summary.groups if (found := _answer(bench, summary, group)) is not None]


def choose_patch(
    standings: dict[Configuration, Standing], margin: float
) -> tuple[float, Configuration] | None:
    """Return the smallest patch width whose best is within ``margin`` of the best of all, and that best.

    Baselines, and patches of which a part was greyed out, do not count.
    """
    eligible = {
        key: standing.score
        for key, standing in standings.items()
        if not key.baseline
        and not key.control
        and math.isfinite(standing.score)
        and math.isfinite(key.patch_um)
    }
    if not eligible:
        return None
    threshold = max(eligible.values()) - margin
    width = min(key.patch_um for key, score in eligible.items() if score >= threshold)
    return width, max((key for key in eligible if key.patch_um == width), key=eligible.__getitem__)


def _answer(bench: Bench, summary: Summary, group: Group) -> Answer | None:
    best = group.best
    if best is None:
        return None
    truth = bench.record.truth or TruthRecord()
    margin = truth.margin
    margin = margin if math.isfinite(margin) else DEFAULT_MARGIN
    chosen = choose_patch(group.standings, margin)
    right = truth.right_patch_um
    standing = group.standings[best]
    advised = advise(summary, group, margin)
    known = standing.interval is not None
    tied = (
        tuple(key for key, other in group.standings.items() if other.tied and key != best) if known else None
    )
    facts: dict[str, Any] = {
        "pretrained": group.pretrained,
        "best": best,
        "score": standing.score,
        "interval": standing.interval,
        "tied": tied,
        "patch_um": chosen[0] if chosen else None,
        "patch_best": chosen[1] if chosen else None,
        "patch_shown": bool(chosen and advised and advised.chosen and advised.chosen.patch_um == chosen[0]),
        "margin": margin,
        "baselines": _baselines(group),
        "best_encoder": _best_encoder(group),
        "right_patch_um": right if math.isfinite(right) else None,
        "agrees": abs(chosen[0] - right) <= _WIDTH_TOLERANCE * right
        if chosen and math.isfinite(right)
        else None,
    }
    plain = Answer(**facts)
    said = [_best_sentence(plain, group) + _tied_clause(plain, group) + ".", _patch_sentence(plain, group)]
    said += advice_sentences(summary, group, margin)
    said += [_tied_sentence(plain, group), _baseline_sentence(plain), _truth_sentence(plain)]
    return Answer(**facts, sentences=tuple(filter(None, said)), limits=tuple(_limits(bench, summary, group)))


def _baselines(group: Group) -> dict[str, float]:
    found: dict[str, float] = {}
    for key, standing in group.standings.items():
        if key.baseline and not key.control:
            found[key.name] = max(found.get(key.name, -math.inf), standing.score)
    return found


def _best_encoder(group: Group) -> tuple[Configuration, float] | None:
    scores = {key: one.score for key, one in group.standings.items() if not key.baseline}
    return max(scores.items(), key=lambda item: item[1], default=None)


def _score(score: float, interval: tuple[float, float] | None) -> str:
    text = f"mean per-gene Pearson **{score:.3f}**"
    return text + (
        f" (95 % interval {interval[0]:.3f} to {interval[1]:.3f})"
        if interval and interval[1] > interval[0]
        else ""
    )


def _best_sentence(answer: Answer, group: Group) -> str:
    kind = "pretrained encoders" if answer.pretrained else "encoders"
    score = _score(answer.score, answer.interval)
    if answer.best.baseline:
        if answer.best_encoder is None:
            return f"Only baselines are finished; the best is **{answer.best.label}**: {score}"
        first, own = answer.best_encoder
        return (
            f"None of the {kind} beats the baseline **{answer.best.label}**: it reaches {score}, "
            f"the best encoder, {first.label}, {own:.3f}"
        )
    if sum(not key.baseline for key in group.standings) == 1:
        return f"**{answer.best.label}** reaches {score}"
    return f"**{answer.best.label}** predicts best: {score}"


def _tied_clause(answer: Answer, group: Group) -> str:
    """Continue the first sentence with who cannot be told from the best."""
    if len(group.standings) < 2 or answer.tied is None:
        return ""
    it = "The baseline" if answer.best.baseline else "It"
    if not answer.tied:
        return (
            f". {it} is better than every other configuration by more than the chance of which tissue "
            "was scored explains"
        )
    if len(answer.tied) > NAMED_IN_LEAD:
        return f". {it} cannot be told from {len(answer.tied)} others, named below"
    return f". {it} cannot be told from {_listed([_scored(key, group) for key in answer.tied])}"


def _tied_sentence(answer: Answer, group: Group) -> str:
    if len(group.standings) < 2:
        return ""
    if answer.tied is None:
        return (
            f"Whether another one is as good cannot be said: {group.reason or 'no interval could be made'}."
        )
    if len(answer.tied) <= NAMED_IN_LEAD:
        return ""
    return f"Not to be told from the best: {_listed([_scored(key, group) for key in answer.tied])}."


def _scored(key: Configuration, group: Group) -> str:
    return f"{key.label} ({group.standings[key].score:.3f})"


def _patch_sentence(answer: Answer, group: Group) -> str:
    if answer.patch_um is None or answer.patch_best is None:
        return ""
    widths = {key.patch_um for key in group.standings if not key.baseline and not key.control}
    width = f"**{format_number(answer.patch_um)} \N{MICRO SIGN}m**"
    if len(widths) < 2:
        return f"Only one patch width, {width}, was tried, so nothing is said about others."
    margin = f"{answer.margin:.3f}".rstrip("0")
    own = f"{answer.patch_best.name}, {group.standings[answer.patch_best].score:.3f}"
    use = f"Use patches {width} wide" if answer.patch_shown else f"By the scores alone {width} would do"
    said = f"{use}: the smallest width whose best encoder ({own}) is within {margin} of the best encoder."
    if answer.tied is None or answer.best.baseline:
        return said
    undecided = {key.patch_um for key in (answer.best, *answer.tied) if not key.baseline and not key.control}
    if undecided == {answer.patch_um}:
        return f"{said} No other width has an encoder that cannot be told from the best."
    if len(undecided) > 1:
        names = _listed([format_number(item) for item in sorted(undecided)])
        return f"{said} What the data cannot tell apart: widths of {names} \N{MICRO SIGN}m."
    return said


def _baseline_sentence(answer: Answer) -> str:
    parts = []
    for name, score in answer.baselines.items():
        if name == "training mean":
            parts.append(f"the training mean {score:.3f} (it predicts the same everywhere)")
        else:
            parts.append(f"{name} {score:.3f}")
    if answer.best.baseline or not parts:
        return ""
    return f"Baselines beside it: {_listed(parts)}."


def _truth_sentence(answer: Answer) -> str:
    if answer.right_patch_um is None:
        return ""
    right = f"{format_number(answer.right_patch_um)} \N{MICRO SIGN}m"
    if answer.agrees is None:
        return f"This is a phantom: the right patch width is {right}, which this bench cannot name yet."
    verdict = "**agrees**" if answer.agrees else "**does not agree**"
    return f"This is a phantom, so the right patch width is known: {right}. This report {verdict} with it."


def _limits(bench: Bench, summary: Summary, group: Group) -> list[str]:
    found = _whose_tissue(bench)
    standing = group.standings[group.best] if group.best else None
    if standing and standing.interval is None and len(group.standings) < 2:
        found.append(f"No interval is given: {group.reason or 'none could be made'}.")
    if standing and standing.interval is not None:
        found += width_limits(bench, summary.blocks)
    found += _unequal_minutes(bench)
    if standing and standing.interval is not None:
        found += _training_chance(summary, group)
    if not bench.single:
        found += seeds_limit(summary, group.standings)
    if not bench.finished and not bench.single:
        found.append(_unfinished(bench, summary))
    if bench.single:
        found.append(
            "A single run compares nothing: it says neither which encoder nor which patch size is better."
        )
    if len({summary_pretrained.pretrained for summary_pretrained in summary.groups}) > 1:
        found.append(
            "Encoders trained from scratch and pretrained ones are answered apart: they are not equals."
        )
    return found


def _whose_tissue(bench: Bench) -> list[str]:
    """Say of whose tissue the intervals speak."""
    patients = len(bench.patients)
    if patients == 1:
        return ["All scored tissue is of one patient: nothing about other patients follows."]
    if within_section(bench):
        return ["Training and test tissue are of the same patients: nothing about other patients follows."]
    if 1 < patients < FEW_PATIENTS:
        return [
            f"{patients} patients were scored: what is said is of tissue of these patients, "
            f"not of patients in general, which takes {FEW_PATIENTS}."
        ]
    return []


def _unequal_minutes(bench: Bench) -> list[str]:
    """Say where runs of equal minutes took unequal ones: steps are planned by timing a few of them."""
    spent, planned = [], ""
    for run in bench.runs:
        budget, seconds = run.manifest.budget, run.manifest.seconds
        minutes = (seconds.train + seconds.validation) / 60
        if not run.configuration.baseline and budget.kind == "minutes" and math.isfinite(minutes):
            spent.append(minutes)
            planned = format_number(budget.minutes)
    if not spent or max(spent) <= _MINUTES_TOLERANCE * min(spent):
        return []
    return [
        f"The minutes were not equal: runs planned for {planned} took {min(spent):.2g} to {max(spent):.2g}, "
        "as happens where the machine does other work meanwhile. Small differences in score may be of that."
    ]


def _training_chance(summary: Summary, group: Group) -> list[str]:
    """Say that another training might rank otherwise: the intervals resample tissue, not trainings."""
    trained = summary.table[~summary.table["baseline"] & summary.table["configuration"].isin(group.standings)]
    if trained.empty:
        return []
    least, most = int(trained["n_seeds"].min()), int(trained["n_seeds"].max())
    number_of = f"{most}" if least == most else f"{least} to {most}"
    seeds = "one seed" if most == 1 else f"{number_of} seeds, whose scores are averaged"
    return [
        f"Intervals and ties hold the chance of which tissue was scored, not that of the training: "
        f"each encoder was trained with {seeds}."
    ]


def _unfinished(bench: Bench, summary: Summary) -> str:
    runs = f"{len(bench.runs)} run" + ("s" if len(bench.runs) != 1 else "")
    text = f"The bench is not finished: this report is of what is ({runs})"
    if summary.excluded:
        text += f"; not compared, because a fold is missing: {_listed(summary.excluded)}"
    return text + ". The answer may change."


def _listed(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return ", ".join(items[:-1]) + " and " + items[-1]
