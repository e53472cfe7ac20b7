"""The page of `validity.py`: what was planted, how often the bench said the right thing, and by chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scipy.stats import binomtest
from validity_kept import n_seeds

Kept = dict[str, list[dict[str, Any]]]


def page(kept: Kept, planned: Mapping[str, int]) -> str:
    """Return the whole page; a row without results, or without all that were planned, says so."""
    rows = [_row(*parts) for parts in _rows(kept)]
    done = {row: sum(map(n_seeds, kept[row])) for row in planned}
    missing = [f"{row} {done[row]} of {n}" for row, n in planned.items() if done[row] < n]
    return "\n".join(
        [
            "# The benchmark on trial",
            "",
            "Written by `python benchmarks/validity.py ROW ... --out out/validity`, then with",
            "`--write docs/validity.md`; do not edit by hand. Every row plants one thing in phantoms",
            "(synthetic tissue whose answer is known) and counts how often the bench says what is true.",
            "Beside it: how often someone who guesses would, where that can be worked out, and the 95 %",
            "interval of the share (Wilson). Rows that ask for intervals need them to pass.",
            "",
            *([f"**Not complete.** Done so far: {', '.join(missing)}.", ""] if missing else []),
            "| planted | wanted | passed | 95 % interval | by chance | what was seen |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            *_details(kept),
        ]
    )


def _row(planted: str, wanted: str, results: Sequence[dict[str, Any]], chance: str, seen: str) -> str:
    if not results:
        return f"| {planted} | {wanted} | not run | | {chance} | |"
    passed, n = sum(int(one["passed"]) for one in results), sum(map(n_seeds, results))
    low, high = binomtest(passed, n).proportion_ci(method="wilson")
    return f"| {planted} | {wanted} | {passed} of {n} | {low:.0%} to {high:.0%} | {chance} | {seen} |"


def _rows(kept: Kept) -> list[tuple[str, str, list[dict[str, Any]], str, str]]:
    radii, null, own = kept["radii"], kept["null"], kept["own"]
    stain, far = kept["stain"], kept["stain_far"]
    shuffled, parameters = kept["shuffled"], kept["parameters"]
    intervals, covering = (sum(one[key] for one in null) for key in ("intervals", "covering"))
    return [
        (
            "radius of 10 to 120 um, seven patch widths",
            "right width, or a neighbour that the oracle cannot tell from it: at least 18 of 20",
            radii,
            "1 in 7 exactly right",
            f"exactly right in {sum(one['exact'] for one in radii)}" if radii else "",
        ),
        (
            "expression independent of the image, both smooth in space",
            "nothing recommended, though there are intervals: at least 95 %",
            null,
            "95 % if the intervals keep their word",
            f"{covering:,} of {intervals:,} intervals hold 0 ({covering / intervals:.1%})"
            if intervals
            else "",
        ),
        (
            "only the own nucleus matters",
            "no larger patch gains more than 0.01",
            own,
            "1 in 4 at most, the widths there are",
            _mean(own, "gain", "mean gain of the best larger patch {:+.3f}"),
        ),
        (
            "stain of patients shifted, the first patient is tested",
            "the score falls, and stain jitter (0.2) wins a part back",
            stain,
            "1 in 3: the least of three equal scores",
            _stained(stain),
        ),
        (
            "stain of patients shifted, the patient stained most unlike the others is tested",
            "the score falls, and stain jitter (as strong as the shift) wins a part back",
            far,
            "1 in 3: the least of three equal scores",
            _stained(far),
        ),
        (
            "one gene shuffled within samples",
            "its score at chance, the others within the spread of seeds",
            shuffled,
            "none worked out",
            _mean(shuffled, "before", "{:.2f} before") + _mean(shuffled, "after", ", {:+.3f} after"),
        ),
        (
            "twice the parameters, nothing more to find",
            "no gain above 0.01 claimed",
            parameters,
            "95 % if the bounds keep their word",
            _mean(parameters, "difference", "mean difference {:+.4f}"),
        ),
    ]


def _stained(results: Sequence[dict[str, Any]]) -> str:
    return _mean(results, "fallen", "falls by {:.3f}") + _mean(results, "won_back", ", {:+.3f} with jitter")


def _mean(results: Sequence[dict[str, Any]], key: str, words: str) -> str:
    if not results:
        return ""
    return words.format(sum(n_seeds(one) * one[key] for one in results) / sum(map(n_seeds, results)))


def _details(kept: Kept) -> list[str]:
    lines: list[str] = []
    if kept["stain"] or kept["stain_far"]:
        lines += ["## Stain", "", *STAIN, ""]
        lines += [
            "| tested | no shift | no shift, jitter | shift | shift, jitter | passed |",
            "|---|---|---|---|---|---|",
        ]
        for which, name in (("stain", "the first patient"), ("stain_far", "the one most unlike")):
            for one in kept[which]:
                scores = [f"{one['scores'][key]:.3f}" for key in sorted(one["scores"], key=_by_shift)]
                lines.append(f"| {name} | {' | '.join(scores)} | {'yes' if one['passed'] else 'no'} |")
        lines.append("")
    if kept["radii"]:
        lines += ["## Radii", "", "| radius, um | right width | named | passed |", "|---|---|---|---|"]
        for one in sorted(kept["radii"], key=lambda found: found["radius_um"]):
            passed = "yes" if one["passed"] else "no"
            lines.append(f"| {one['radius_um']:g} | {one['right']:g} um | {one['named']:g} um | {passed} |")
        lines.append("")
    return lines


STAIN = (
    "Each patient's amounts of both stains are scaled by a log-normal factor (0.35). Jitter costs some score",
    "where nothing is shifted: the training is short and sees more unlike patches. It pays only where the",
    "shift costs more than that: the first row fails wherever the patient who happens to be tested is",
    "stained like one of those in training; the second tests the one who is not.",
)


def _by_shift(name: str) -> tuple[float, float]:
    """Return shift and jitter of a score's name: ``shift 0.35, jitter 0.2``."""
    shift, jitter = (float(part.split()[1]) for part in name.split(", "))
    return shift, jitter
