"""How it was measured: the facts a reader needs before believing a number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from prestige.analysis.blocks import blocks_words, length_words
from prestige.analysis.summary import Summary
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.stats import BLOCK_LENGTHS, MIN_CLUSTERS
from prestige.text import format_number, number, si

Facts = list[tuple[str, str]]
MERGED = (
    "the same for every configuration, gene set, effect and ceiling: so many of the kept blocks a side as "
    f"hold {BLOCK_LENGTHS:g} of the longest correlation length, or fewer where less than {MIN_CLUSTERS} "
    "blocks would be left"
)
_SIDES = ("train", "validation", "test")
_DROPPED = {
    "unmeasured": "without counts",
    "few_counts": "too few counts",
    "buffer": "within the buffer",
    "not_in_split": "of no side",
    "edge": "largest patch leaves the image",
}


def span(values: Iterable[Any], write: Any = si, unit: str = "") -> str:
    """Write the range of some numbers, once where they are all alike."""
    finite = [v for v in map(number, values) if math.isfinite(v)]
    if not finite:
        return "not recorded"
    low, high = write(min(finite)), write(max(finite))
    return (low if low == high else f"{low} to {high}") + (f" {unit}" if unit else "")


def training_facts(bench: Bench) -> Facts:
    """Return budget, steps, observations seen, seconds, learning rates, hardware and versions."""
    trained = [run for run in bench.runs if not run.configuration.baseline]
    found: Facts = [("Budget", _budget(trained))]
    if trained:
        rates = dict.fromkeys(
            rate
            for run in trained
            if not run.configuration.own_rates
            for rate in run.manifest.get("learning_rates_tried") or []
        )
        own = dict.fromkeys(run.configuration.name for run in trained if run.configuration.own_rates)
        found += [
            ("Steps", f"{_of(trained, 'steps')}, batches of {_of(trained, 'batch_size', '{:.0f}'.format)}"),
            (
                "Observations seen",
                f"{_of(trained, 'observations_seen')} a run, {_of(trained, 'epochs_seen')} epochs; "
                "trials of learning rates that lost are not counted",
            ),
            ("Training time", span((_second(run, "train") for run in trained), unit="s a run")),
            ("Learning rates", _rates(list(rates), list(own))),
        ]
    settings = _flat(dict(bench.info.get("train") or {}))
    if settings:
        found.append(("Further settings", ", ".join(f"{name} {value}" for name, value in settings.items())))
    found += [
        (
            "Time in all",
            _duration([_second(run, "total") for run in bench.runs]),
        ),
        (
            "Peak memory",
            span(
                (number(run.manifest.get("peak_memory_bytes")) / 2**30 for run in bench.runs),
                "{:.2g}".format,
                "GiB",
            ),
        ),
        ("Hardware", _distinct(_hardware(run) for run in bench.runs)),
        ("Precision", _distinct(str(run.manifest.get("precision", "not recorded")) for run in trained)),
        ("Seeds", _distinct(str(run.seed) for run in bench.runs)),
        ("Versions", _distinct(_versions(run) for run in bench.runs)),
    ]
    return found


def scoring_facts(bench: Bench, summary: Summary) -> Facts:
    """Return what was scored, how it was averaged and what the intervals rest on."""
    panel = dict(bench.info.get("panel") or {})
    config = dict(panel.get("config") or {})
    scored = summary.groups[0].n_genes_scored if summary.groups else 0
    total = number(config.get("total"))
    found: Facts = [
        (
            "Score",
            "Pearson correlation of each gene over the test observations of a sample; mean over genes, then "
            "over samples and folds, seeds averaged. A gene whose measurement is constant counts for no "
            "configuration; a constant prediction counts 0. Samples are never pooled.",
        ),
        (
            "Genes",
            f"{len(summary.common_genes)} in the panel of every fold (of {summary.n_panel_genes} in any), "
            f"{scored} of them vary on the test side and are scored; "
            f"chosen on training data: {_genes_choice(config)}",
        ),
    ]
    if math.isfinite(total):
        found.append(
            (
                "Normalisation",
                f"counts scaled to a total of {format_number(total)} an observation, then log1p",
            )
        )
    for one in bench.info.get("skipped") or []:
        found.append(("Not run", f"{one.get('name')} on fold {one.get('fold')}: {one.get('reason')}"))
    found += [("Intervals", note) for note in dict.fromkeys(group.note for group in summary.groups)]
    if (blocks := summary.blocks) is not None:
        width = blocks_words(blocks).removeprefix("blocks of ")
        found.append(("Blocks of the bootstrap", width if blocks.times > 1 else f"{width} wide"))
        if blocks.times > 1:
            found.append(("Merged blocks", MERGED))
    found += [("Correlation length", words) for words in length_words(bench, summary.blocks)]
    return found


def split_facts(bench: Bench) -> Facts:
    """Return the split's settings as they were given, and what splitting noted."""
    split = dict(bench.info.get("split") or {})
    found = [(_named(key), _plain(value)) for key, value in split.items() if value not in (None, [])]
    for fold in bench.info.get("folds") or []:
        found += [(f"fold {fold.get('index')}", str(note)) for note in fold.get("notes") or []]
    return found


def audit_facts(bench: Bench) -> dict[str, Any]:
    """Return what the audit looked at and found: ``checked``, ``findings`` and ``distance``."""
    audit = dict(bench.info.get("audit") or {})
    findings = []
    for one in audit.get("findings") or []:
        accepted = one.get("accepted")
        where = "" if one.get("fold") is None else f"fold {one['fold']}: "
        word = f"accepted by {accepted}" if accepted else str(one.get("severity"))
        findings.append({"word": word, "name": one.get("name"), "text": f"{where}{one.get('text')}"})
    nearest = [
        number(distances["train and test"])
        for distances in audit.get("distances") or []
        if distances.get("train and test") is not None
    ]
    buffer_um = number(dict(bench.info.get("split") or {}).get("buffer_um"))
    distance = "Training and test tissue are on different slides."
    if nearest:
        distance = (
            f"Training and test tissue come no nearer than {format_number(min(nearest))} \N{MICRO SIGN}m "
            f"(Chebyshev; the buffer is {format_number(buffer_um)} \N{MICRO SIGN}m)."
        )
    return {"checked": list(audit.get("checked") or []), "findings": findings, "distance": distance}


def fold_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the table of folds: sides' sizes and what was dropped."""
    folds = list(bench.info.get("folds") or [])
    reasons = list(dict.fromkeys(reason for fold in folds for reason in fold.get("dropped") or {}))
    head = [
        "fold",
        *_SIDES,
        *(f"dropped: {_DROPPED.get(reason, reason.replace('_', ' '))}" for reason in reasons),
    ]
    rows = []
    for fold in folds:
        counts, dropped = fold.get("counts") or {}, fold.get("dropped") or {}
        rows.append(
            [
                str(fold.get("name") or fold.get("index")),
                *(_count(counts.get(side)) for side in _SIDES),
                *(_count(dropped.get(reason, 0)) for reason in reasons),
            ]
        )
    return head, rows


def sample_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the table of samples, saying where the pixel size was assumed."""
    head = [
        "sample",
        "patient",
        "source",
        "observations",
        "measured",
        "image, px",
        "\N{MICRO SIGN}m per px",
    ]
    rows = []
    for sample in dict(bench.info.get("dataset") or {}).get("samples") or []:
        scale = f"{number(sample.get('um_per_px')):.4g}"
        rows.append([
            str(sample.get("id")), str(sample.get("patient")), str(sample.get("source")),
            _count(sample.get("n_obs")), _count(sample.get("n_measured")),
            f"{sample.get('width_px', '?')} \N{MULTIPLICATION SIGN} {sample.get('height_px', '?')}",
            f"{scale} (assumed)" if sample.get("um_per_px_assumed") else scale,
        ])  # fmt: skip
    return head, rows


def assumptions(bench: Bench) -> list[str]:
    """Return what was assumed rather than known, and what reading noted."""
    samples = dict(bench.info.get("dataset") or {}).get("samples") or []
    assumed = [str(sample["id"]) for sample in samples if sample.get("um_per_px_assumed")]
    found = []
    if assumed:
        found.append(
            f"The pixel size of {', '.join(assumed)} was assumed, not stated by the data: "
            "every width in \N{MICRO SIGN}m here rests on it."
        )
    noted: dict[str, list[str]] = {}
    for sample in samples:
        for note in sample.get("notes") or []:
            noted.setdefault(str(note), []).append(str(sample["id"]))
    if bench.single:  # a bench's runs repeat what its samples say
        noted = {str(note): [] for run in bench.runs for note in run.manifest.get("notes") or []}
    return found + [(", ".join(of) + ": " if of else "") + note for note, of in noted.items()]


def cost_rows(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of what each configuration cost."""
    head = [
        "configuration",
        "parameters",
        "FLOPs",
        "steps",
        "observations seen",
        "epochs",
        "training, s",
        "total, s",
    ]
    rows = [
        [row["label"], *(si(row[name]) for name in ("parameters", "flops", "steps", "observations_seen")),
         *(si(row[name]) for name in ("epochs_seen", "train_seconds", "total_seconds"))]
        for _, row in table.iterrows()
    ]  # fmt: skip
    return head, rows


def _of(runs: Sequence[Run], name: str, write: Any = si) -> str:
    return span((run.manifest.get(name) for run in runs), write)


def _second(run: Run, name: str) -> float:
    return number(dict(run.manifest.get("seconds") or {}).get(name))


def _budget(trained: Sequence[Run]) -> str:
    said = []
    for run in trained:
        budget = dict(run.manifest.get("budget") or {})
        kind = budget.get("kind")
        if kind == "minutes":
            said.append(
                f"equal minutes: {format_number(number(budget.get('minutes')))} a run, made into a number of "
                "steps timed before the first; the best state on validation is kept, and never shortens "
                "the budget. "
                "It speaks of what is learnt in that time, not of capacity."
            )
        elif kind == "steps":
            said.append(
                f"equal steps: {si(number(budget.get('steps')))} a run. "
                "It speaks of equal data seen, not of capacity."
            )
        elif kind == "convergence":
            said.append(_convergence(budget))
        else:
            said.append("not recorded")
    return _distinct(said) if said else "nothing was trained"


def _convergence(budget: dict[str, Any]) -> str:
    if budget.get("converged", True):
        return "training to convergence: this speaks of capacity."
    return (
        "some runs that should have trained to convergence took all the steps they were allowed while their "
        "validation score still rose: theirs speaks of that limit, not of capacity."
    )


def _rates(rates: Sequence[float], own: Sequence[str]) -> str:
    if not rates:
        return "not recorded"
    tried = ", ".join(f"{rate:g}" for rate in rates)
    said = f"{tried} for every encoder and patch"
    if len(rates) > 1:
        said = f"{tried} tried for every encoder and patch, the best on validation chosen"
    if own:
        said += (
            f". Apart from these, {', '.join(own)}: set against the same encoder with the bench's rates, to "
            "see what hangs on them, and no candidate for the best or the recommendation"
        )
    return said


def _hardware(run: Run) -> str:
    hardware = dict(run.manifest.get("hardware") or {})
    if not hardware:
        return "not recorded"
    parts = [hardware.get("cpu"), hardware.get("device"), hardware.get("platform")]
    return ", ".join(str(part) for part in parts if part) + f", threads: {hardware.get('threads', '?')}"


def _versions(run: Run) -> str:
    versions = dict(run.manifest.get("versions") or {})
    return ", ".join(f"{name} {version}" for name, version in versions.items()) or "not recorded"


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "not recorded"


def _duration(seconds: Sequence[float]) -> str:
    minutes = sum(value for value in seconds if math.isfinite(value)) / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _genes_choice(config: dict[str, Any]) -> str:
    genes = config.get("genes")
    if isinstance(genes, list | tuple):
        return f"a list of {len(genes)}"
    n = config.get("n")
    return (f"the {n} " if n else "") + str(genes if genes is not None else "not recorded").replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " and ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(settings: dict[str, Any], *, prefix: str = "") -> dict[str, str]:
    """Return settings within settings side by side, without those that have a line of their own."""
    found: dict[str, str] = {}
    for key, value in settings.items():
        if key in ("budget", "learning_rates", "batch_size") or value is None:
            continue
        if isinstance(value, dict):
            found |= _flat(value, prefix=f"{prefix}{_named(key)} ")
        else:
            found[prefix + _named(key)] = _plain(value)
    return found


def _named(key: str) -> str:
    """Write a setting's name with its unit apart."""
    stem = key.removesuffix("_um")
    return stem.replace("_", " ") + (", \N{MICRO SIGN}m" if stem != key else "")


def _count(value: Any) -> str:
    found = number(value)
    return f"{found:,.0f}" if math.isfinite(found) else "\N{EN DASH}"
