"""The first sentences of a report: which encoder, at which patch size, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from prestige.analysis.advice import costs
from prestige.analysis.answer import Answer
from prestige.analysis.summary import Group, Summary
from prestige.records.configuration import Configuration
from prestige.report.rendering import listed
from prestige.text import format_number, shortened, si

NAMED_IN_LEAD = 3
NAMED = 4
WHERE_THE_MARGIN_IS = (
    "Another is written as evaluation: {margin: ...} in the bench's yaml, and repeats no run."
)


def sentences(summary: Summary, group: Group, answer: Answer) -> list[str]:
    """Return the lead in plain text, in which ``**`` encloses what matters most; the first is the answer."""
    lines = [
        _best_sentence(answer, group) + _tied_clause(answer, group) + ".",
        _patch_sentence(answer, group),
    ]
    lines += advice_sentences(summary, group, answer)
    lines += [_tied_sentence(answer, group), _baseline_sentence(answer), _truth_sentence(answer)]
    return [line for line in lines if line]


def plain(lines: Sequence[str]) -> str:
    """Join sentences without their marks."""
    return " ".join(lines).replace("**", "")


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
        first, encoder_score = answer.best_encoder
        return (
            f"None of the {kind} beats the baseline **{answer.best.label}**: it reaches {score}, "
            f"the best encoder, {first.label}, {encoder_score:.3f}"
        )
    if sum(not key.baseline for key in group.results) == 1:
        return f"**{answer.best.label}** reaches {score}"
    return f"**{answer.best.label}** predicts best: {score}"


def _tied_clause(answer: Answer, group: Group) -> str:
    """Continue the first sentence with who cannot be told from the best."""
    if len(group.results) < 2 or answer.tied is None:
        return ""
    it = "The baseline" if answer.best.baseline else "It"
    if not answer.tied:
        return (
            f". {it} is better than every other configuration by more than the chance of which tissue "
            "was scored explains"
        )
    if len(answer.tied) > NAMED_IN_LEAD:
        return f". {it} cannot be told from {len(answer.tied)} others, named below"
    return f". {it} cannot be told from {listed([_scored(key, group) for key in answer.tied])}"


def _tied_sentence(answer: Answer, group: Group) -> str:
    if len(group.results) < 2:
        return ""
    if answer.tied is None:
        return (
            f"Whether another one is as good cannot be said: {group.reason or 'no interval could be made'}."
        )
    if len(answer.tied) <= NAMED_IN_LEAD:
        return ""
    return f"Not to be told from the best: {listed([_scored(key, group) for key in answer.tied])}."


def _scored(key: Configuration, group: Group) -> str:
    return f"{key.label} ({group.results[key].score:.3f})"


def _patch_sentence(answer: Answer, group: Group) -> str:
    if answer.patch_um is None or answer.patch_best is None:
        return ""
    widths = {key.patch_um for key in group.results if not key.baseline and not key.control}
    width = f"**{format_number(answer.patch_um)} \N{MICRO SIGN}m**"
    if len(widths) < 2:
        return f"Only one patch width, {width}, was tried, so nothing is said about others."
    margin = f"{answer.margin:g}"
    encoder = f"{answer.patch_best.name}, {group.results[answer.patch_best].score:.3f}"
    use = f"Use patches {width} wide" if answer.patch_shown else f"By the scores alone {width} would do"
    sentence = (
        f"{use}: the smallest width whose best encoder ({encoder}) is within {margin} of the best encoder."
    )
    if answer.tied is None or answer.best.baseline:
        return sentence
    undecided = {key.patch_um for key in (answer.best, *answer.tied) if not key.baseline and not key.control}
    if undecided == {answer.patch_um}:
        return f"{sentence} No other width has an encoder that cannot be told from the best."
    if len(undecided) > 1:
        names = listed([format_number(item) for item in sorted(undecided)])
        return f"{sentence} What the data cannot tell apart: widths of {names} \N{MICRO SIGN}m."
    return sentence


def advice_sentences(summary: Summary, group: Group, answer: Answer) -> list[str]:
    """Return the recommendation with its numbers, and what the data could not decide."""
    advice = answer.recommendation
    if advice is None:
        return []
    rows, flops = group.comparison.rows, costs(summary, group)
    margin = f"{answer.margin:g}"
    if advice.chosen is None:
        without_intervals = group.comparison.reason is not None
        why = "it takes intervals" if without_intervals else advice.reason
        line = f"No encoder can be recommended: {why}{_named_in_brackets(advice.not_above_floor)}."
        if without_intervals or advice.not_above_floor:
            return [line]
        return [f"{line} {WHERE_THE_MARGIN_IS}"]
    row = rows[advice.chosen]
    best_itself = advice.chosen == advice.best
    below = "the best itself" if best_itself else f"at most {row.gap_high:.3f} below the best"
    lines = [
        f"Recommended: **{advice.chosen.label}**, the cheapest configuration "
        f"({si(flops[advice.chosen])}FLOPs a patch) that is shown to lie within {margin} of the best "
        f"{_where(summary, group)}: {row.score:.3f}, {below}, "
        f"with {100 * advice.level:g} % confidence for all configurations at once."
    ]
    if low := advice.cheaper_not_above_floor:
        lines.append(
            f"Cheaper and within {margin} of the best too, but not shown to be better than the training "
            f"mean{_named_in_brackets(low)}."
        )
    if advice.cheaper_undecided:
        named = _named_in_brackets(advice.cheaper_undecided)
        lines.append(f"Not decided by these data: whether a cheaper one would do{named}.")
    return lines


def _named_in_brackets(keys: Sequence[Configuration]) -> str:
    """Return " (the first, the second and 3 more)", "" where there is none."""
    return f" ({shortened([key.label for key in keys], NAMED)})" if keys else ""


def _where(summary: Summary, group: Group) -> str:
    """Say for whose tissue a recommendation is shown to hold."""
    if group.comparison.cluster == "patient":
        return "on new patients"
    patients = max((result.spread.n_patients for result in group.results.values()), default=0)
    if patients == 1:
        return "on more tissue of this patient"
    return f"on more tissue of these {patients} patients" if patients else "on more of this tissue"


def _baseline_sentence(answer: Answer) -> str:
    parts = []
    for name, score in answer.baselines.items():
        if name == "training mean":
            parts.append(f"the training mean {score:.3f} (it predicts the same everywhere)")
        else:
            parts.append(f"{name} {score:.3f}")
    if answer.best.baseline or not parts:
        return ""
    return f"Baselines beside it: {listed(parts)}."


def _truth_sentence(answer: Answer) -> str:
    if answer.right_patch_um is None:
        return ""
    right = f"{format_number(answer.right_patch_um)} \N{MICRO SIGN}m"
    if answer.agrees is None:
        return f"This is a phantom: the right patch width is {right}, which this bench cannot name yet."
    verdict = "**agrees**" if answer.agrees else "**does not agree**"
    return f"This is a phantom, so the right patch width is known: {right}. This report {verdict} with it."
