"""dataset.yaml and bench.yaml of the samples that were found, with comments on what somebody has to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from prestige.data.spec import UNFILLED
from prestige.settings.written import scalar, short_path
from prestige.start.found import Found, Value


def dataset_text(name: str, found: Sequence[Found], left_out: Mapping[Path, str], base: Path) -> str:
    """Return a dataset.yaml.

    Parameters
    ----------
    name
        Of the data set.
    found, left_out
        Its samples, and files that are in none, with the reason.
    base
        The folder in which it will lie: paths below it are written short.
    """
    lines = ["# Written by `prestige init` from what the files say; `prestige inspect` shows if it is right."]
    if any(one.patient is None for one in found):
        lines += [
            f'# No file names the patients marked "{UNFILLED}": write whose tissue each is, in one and',
            "# the same way for all samples of a patient. One patient never trains and tests.",
        ]
    lines += [f"name: {scalar(name)}", "samples:"]
    for one in found:
        lines += _sample(one, base)
    if left_out:
        lines.append("# Left out:")
        lines += [
            f"#   {_line(short_path(path, base))}: {_line(why)}" for path, why in list(left_out.items())[:50]
        ]
    return "\n".join(lines) + "\n"


def _sample(one: Found, base: Path) -> list[str]:
    lines = [f"  # {_line(one.what)}", f"  - id: {scalar(one.id)}", f"    source: {one.source}"]
    lines.append(f"    path: {scalar(short_path(one.path, base))}")
    lines.append(f"    patient: {scalar(UNFILLED if one.patient is None else one.patient)}")
    if not one.has_counts:
        lines.append("    prediction_only: true")
    for key, value in one.keys.items():
        lines.append(f"    {key}: {_value(value, base)}")
    if one.covariates:
        pairs = ", ".join(f"{key}: {scalar(value)}" for key, value in one.covariates.items())
        lines.append(f"    covariates: {{{pairs}}}")
    lines += [f"    # {key}:  # {_line(words)}" for key, words in one.to_write.items()]
    return lines


def bench_text(name: str, found: Sequence[Found]) -> str | None:
    """Return a bench.yaml over dataset.yaml beside it; None where no sample has counts to train on."""
    trained = [one for one in found if one.has_counts]
    if not trained:
        return None
    widths = (64, 128, 256) if all(one.coarse for one in trained) else (32, 64, 128)
    known = {one.patient for one in trained if one.patient is not None}
    unfilled = sum(one.patient is None for one in trained)
    if len(known) + unfilled > 1:
        folds = 2 if unfilled else min(len(known), 5)
        split = [
            "  by: patient           # folds hold out whole patients; of one patient alone, write",
            "                        # by: blocks and within_section: true",
            f"  folds: {folds}              # as many as there are patients, at most",
            "  run_folds: [0]        # the first fold alone; take the line away for all",
        ]
    else:
        split = [
            "  by: blocks            # one patient: the sides are spatial blocks,",
            "  within_section: true  # and nothing follows for other patients",
            "  folds: 4",
            "  run_folds: [0]        # the first fold alone; take the line away for all",
        ]
    patches = ", ".join(f"{{patch_um: {um}}}" for um in widths)
    lines = [
        "# Which encoder, at which patch width? A first look; written by `prestige init`.",
        f"#   prestige bench bench.yaml --out {name}",
        f"name: {scalar(name)}",
        "dataset: dataset.yaml",
        "split:",
        *split,
        f"  buffer_um: {widths[-1] + 4}        # no less than the largest patch",
        "panel: {genes: all}     # or {genes: most_variable, number: 200}",
        f"patches: [{patches}]",
        "encoders: [compact_xs, compact_s]",
        "baselines: [mean, ridge, coordinates]",
        "seeds: [0]",
        "train:",
        "  budget: {minutes: 2}  # of each run",
    ]
    return "\n".join(lines) + "\n"


def _value(value: Value, base: Path) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Path):
        return scalar(short_path(value, base))
    return scalar(value) if isinstance(value, str) else f"{value:g}"


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
