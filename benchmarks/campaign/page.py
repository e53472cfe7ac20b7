"""The page of the campaign: how inputs and kills ended, and which other results were right."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from campaign.registry import kind_of
from campaign.watched import CLASSES

FOUND = Path(__file__).resolve().parent / "found.md"
"""What the campaign found and what was mended, in words."""
_LIBRARIES = (
    "anndata",
    "h5py",
    "imagecodecs",
    "numcodecs",
    "numpy",
    "pandas",
    "pyarrow",
    "pyyaml",
    "safetensors",
    "scipy",
    "tifffile",
    "timm",
    "torch",
    "zarr",
)
_WORDS = {
    "line": "one line that names the file, exit 2",
    "line with chatter": "more than that line",
    "same result": "the result of the sound input",
    "another result": "another result, for a reason that stands below",
    "files left": "something was left behind",
    "reached": "code of the input ran, or a file or host outside it was opened",
}


_SCRATCH = re.compile(
    r"/\S*?/(?:trial/(?:in|out)/|(?=src/prestige/))"
)  # folders of an input and of the source, others at every time


def head(command: str, seconds: float) -> dict[str, Any]:
    """Return what is to be known of a run of the campaign: how, when and where."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
    ).stdout.strip()
    return {
        "by": command,
        "seconds": round(seconds),
        "day": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "commit": commit,
        "machine": f"{os.cpu_count()} cores, {processor or platform.machine()}",
    }


def page(outcomes: Sequence[dict[str, Any]]) -> str:
    """Return the page in Markdown: of one run of the campaign, or of several."""
    found = [one for one in outcomes if "kind" in one]
    rounds = [one for one in outcomes if "kills" in one]
    wrong = [one for one in found if one["fault"]]
    kills = sum(len(one["kills"]) for one in rounds)
    spoilt = [one for one in rounds if one["faults"]]
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _LIBRARIES)
    parts = [
        "# Hostile and damaged inputs, and commands that are killed\n",
        f"{len(found):,} changed inputs and {kills:,} kills. **{len(wrong)} of {len(found):,} inputs and "
        f"{len(spoilt)} of {len(rounds):,} killed commands ended as they must not.**\n",
        *(
            f"- `{one['by']}`: {one['seconds'] / 60:.0f} min; "
            f"{one['day']}, commit {one['commit']}, {one['machine']}"
            for one in outcomes
            if "by" in one
        ),
        f"\nPython {platform.python_version()}, {versions}.\n",
        _classes(found),
        _kills(rounds),
        _others(found),
    ]
    if wrong or spoilt:
        parts.append(_faults(wrong, spoilt))
    if FOUND.is_file():
        parts.append(FOUND.read_text(encoding="utf-8"))
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row) + " |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def _classes(found: Sequence[dict[str, Any]]) -> str:
    counts = Counter((one["kind"], one["class"]) for one in found)
    kinds = list(dict.fromkeys(one["kind"] for one in found))
    rows: list[list[Any]] = [
        [kind, sum(counts[kind, name] for name in CLASSES), *(counts[kind, name] for name in CLASSES)]
        for kind in kinds
    ]
    rows.append(["**all**", len(found), *(sum(counts[kind, name] for kind in kinds) for name in CLASSES)])
    words = "; ".join(f"*{name}*: {text}" for name, text in _WORDS.items())
    note = "An input is changed in one place, one of three in two or three. "
    return f"## Inputs\n\n{note}{words}.\n\n" + _table(["kind", "inputs", *CLASSES], rows)


def _kills(rounds: Sequence[dict[str, Any]]) -> str:
    names = list(dict.fromkeys(one["command"] for one in rounds))
    rows = []
    for name in names:
        mine = [one for one in rounds if one["command"] == name]
        sent = Counter(kill["signal"] for one in mine for kill in one["kills"])
        rows.append(
            [
                name,
                sum(sent.values()),
                *(sent[s] for s in ("SIGKILL", "SIGTERM", "SIGINT", "SIGHUP")),
                len(mine),
                sum(not one["faults"] for one in mine),
            ]
        )
    words = (
        "A command is ended at random moments, up to eight times, then let through. Sound: the same bytes "
        "as undisturbed (scores, moments, predictions, weights, truth, tables of genes, answer.json, "
        "pictures), nothing missing, nothing left in results, cache or temporary folder, inputs untouched; "
        "after SIGTERM, SIGINT and SIGHUP one line and the promised exit code.\n"
    )
    head = ["command", "kills", "SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "let through", "sound"]
    return f"## Kills\n\n{words}\n" + _table(head, rows)


def _others(found: Sequence[dict[str, Any]]) -> str:
    reasons: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in found:
        if one["class"] == "another result":
            mine = [
                change
                for change in kind_of(one["kind"]).changes
                if change.name in one["changes"] and change.other
            ]
            for change in mine[:1]:
                reasons[change.name, change.other or ""][one["kind"]] += 1
    rows = [
        [name, sum(kinds.values()), reason, ", ".join(f"{kind} {n}" for kind, n in sorted(kinds.items()))]
        for (name, reason), kinds in sorted(reasons.items())
    ]
    head = ["change", "inputs", "why another result is right", "kinds"]
    return "## Where another result is right\n\n" + _table(head, rows)


def _faults(wrong: Sequence[dict[str, Any]], spoilt: Sequence[dict[str, Any]]) -> str:
    rows = [
        [
            one["kind"],
            one["seed"],
            one["class"],
            "; ".join(one["words"])[:120].replace("|", "/"),
            _SCRATCH.sub("", one["told"])[:160].replace("|", "/"),
        ]
        for one in wrong[:60]
    ]
    lines = [f"- {one['command']}, seed {one['seed']}: {'; '.join(one['faults'][:3])}" for one in spoilt[:40]]
    return (
        "## Faults\n\n"
        + _table(["kind", "seed", "class", "changed", "told"], rows)
        + "\n"
        + "\n".join(lines)
        + "\n"
    )
