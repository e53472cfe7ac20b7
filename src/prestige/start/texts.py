"""dataset.yaml and bench.yaml of the samples that were found, with comments on what somebody has to write."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from prestige.inputs import real_path
from prestige.start.found import UNFILLED, Found, Value

_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "nan", "inf", "y", "n"}


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
    lines += [f"name: {_scalar(name)}", "samples:"]
    for one in found:
        lines += _sample(one, base)
    if left_out:
        lines.append("# Left out:")
        lines += [f"#   {_shortest(path, base)}: {_line(why)}" for path, why in list(left_out.items())[:50]]
    return "\n".join(lines) + "\n"


def _sample(one: Found, base: Path) -> list[str]:
    lines = [f"  # {_line(one.what)}", f"  - id: {_scalar(one.id)}", f"    source: {one.source}"]
    lines.append(f"    path: {_scalar(_shortest(one.path, base))}")
    lines.append(f"    patient: {json.dumps(UNFILLED) if one.patient is None else _scalar(one.patient)}")
    if not one.has_counts:
        lines.append("    prediction_only: true")
    for key, value in one.keys.items():
        lines.append(f"    {key}: {_value(value, base)}")
    if one.covariates:
        pairs = ", ".join(f"{key}: {_scalar(value)}" for key, value in one.covariates.items())
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
        f"name: {_scalar(name)}",
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
        return _scalar(_shortest(value, base))
    return _scalar(value) if isinstance(value, str) else f"{value:g}"


def _shortest(path: Path, base: Path) -> str:
    """Return a path as the yaml names it: short where it lies below the yaml's folder."""
    path, base = real_path(path.parent) / path.name if path.name else real_path(path), real_path(base)
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)


def _line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _scalar(text: str) -> str:
    """Return text as yaml holds it: in quotes where it could be read as something else."""
    letters = all(one.isascii() and (one.isalnum() or one in "_./-") for one in text)
    plain = letters and (text[:1].isalpha() or text[:1] == "/") and text.casefold() not in _WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)
