"""How it was measured: the facts a reader needs before believing a number."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from prestige.analysis.answer import margin_of
from prestige.analysis.summary import Summary
from prestige.records.bench import PanelSettings
from prestige.records.folders import Bench
from prestige.records.manifest import Budget
from prestige.records.run import Run
from prestige.report.bench.answer import WHERE_THE_MARGIN_IS
from prestige.report.bench.limits import blocks_words, length_words
from prestige.report.style import MICRO
from prestige.stats.bootstrap import MIN_CLUSTERS
from prestige.stats.correlogram import BLOCK_LENGTHS
from prestige.text import format_number, number, si, written

Facts = list[tuple[str, str]]
MERGED = (
    "the same for every configuration, gene set, effect and ceiling: so many of the kept blocks a side as "
    f"hold {BLOCK_LENGTHS:g} of the longest correlation length, or fewer where less than {MIN_CLUSTERS} "
    "blocks would be left"
)
_MARGIN = (
    "a configuration that is shown to lie no further below the best score counts as not worse. "
    + WHERE_THE_MARGIN_IS
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
    facts: Facts = [("Budget", _budget(trained))]
    if trained:
        of_bench = [run for run in trained if not run.configuration.own_rates]
        rates = dict.fromkeys(rate for run in of_bench for rate in run.manifest.learning_rates_tried)
        with_own_rates = dict.fromkeys(
            run.configuration.name for run in trained if run.configuration.own_rates
        )
        facts += [
            ("Steps", f"{_of(trained, 'steps')}, batches of {_of(trained, 'batch_size', '{:.0f}'.format)}"),
            (
                "Observations seen",
                f"{_of(trained, 'observations_seen')} a run, {_of(trained, 'epochs_seen')} epochs; "
                "trials of learning rates that lost are not counted",
            ),
            ("Training time", span((run.manifest.seconds.train for run in trained), unit="s a run")),
            ("Learning rates", _rates(list(rates), list(with_own_rates))),
        ]
    settings = _flat(bench.record.train)
    if settings:
        facts.append(("Further settings", ", ".join(f"{name} {value}" for name, value in settings.items())))
    memory_gib = [number(run.manifest.peak_memory_bytes) / 2**30 for run in bench.runs]
    facts += [
        ("Time in all", _duration([run.manifest.seconds.total for run in bench.runs])),
        ("Peak memory", span(memory_gib, "{:.2g}".format, "GiB")),
        ("Hardware", _distinct(_hardware(run) for run in bench.runs)),
        ("Precision", _distinct(run.manifest.precision or "not recorded" for run in trained)),
        ("Seeds", _distinct(str(run.seed) for run in bench.runs)),
        ("Versions", _distinct(_versions(run) for run in bench.runs)),
    ]
    return facts


def scoring_facts(bench: Bench, summary: Summary) -> Facts:
    """Return what was scored, how it was averaged and what the intervals rest on."""
    panel = bench.record.panel.config
    scored = summary.groups[0].comparison.n_genes_scored if summary.groups else 0
    facts: Facts = [
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
            f"chosen on training data: {_genes_choice(panel)}",
        ),
    ]
    if math.isfinite(panel.total):
        scaled = f"counts scaled to a total of {format_number(panel.total)} an observation, then log1p"
        facts.append(("Normalisation", scaled))
    for skipped in bench.record.skipped:
        facts.append(("Not run", f"{skipped.name} on fold {skipped.fold}: {skipped.reason}"))
    notes = dict.fromkeys(group.comparison.note for group in summary.groups)
    facts += [("Intervals", note) for note in notes]
    if (blocks := summary.blocks) is not None:
        width = blocks_words(blocks).removeprefix("blocks of ")
        facts.append(("Blocks of the bootstrap", width if blocks.times > 1 else f"{width} wide"))
        if blocks.times > 1:
            facts.append(("Merged blocks", MERGED))
    facts.append(("Margin", f"{margin_of(bench):g}: {_MARGIN}"))
    facts += [("Correlation length", words) for words in length_words(bench, summary.blocks)]
    return facts


def split_facts(bench: Bench) -> Facts:
    """Return the split's settings as they were given, and what splitting noted."""
    split = bench.record.split
    facts = [(_named(key), _plain(value)) for key, value in split.items() if value not in (None, [])]
    for fold in bench.record.folds:
        facts += [(f"fold {fold.index}", note) for note in fold.notes]
    return facts


def audit_facts(bench: Bench) -> dict[str, Any]:
    """Return what the audit looked at and found: ``checked``, ``findings`` and ``distance``."""
    audit = bench.record.audit
    findings = []
    for finding in audit.findings:
        where = "" if finding.fold is None else f"fold {finding.fold}: "
        word = f"accepted by {finding.accepted}" if finding.accepted else finding.severity
        findings.append({"word": word, "name": finding.name, "text": f"{where}{finding.text}"})
    nearest = [of_fold.train_test_um for of_fold in audit.distances if not math.isnan(of_fold.train_test_um)]
    buffer_um = bench.record.buffer_um
    distance = "Training and test tissue are on different slides."
    if nearest:
        distance = (
            f"Training and test tissue come no nearer than {format_number(min(nearest))} {MICRO} "
            f"(Chebyshev; the buffer is {format_number(buffer_um)} {MICRO})."
        )
    return {"checked": list(audit.checked), "findings": findings, "distance": distance}


def fold_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the table of folds: sides' sizes and what was dropped."""
    folds = bench.record.folds
    reasons = list(dict.fromkeys(reason for fold in folds for reason in fold.dropped))
    dropped = [f"dropped: {_DROPPED.get(reason, reason.replace('_', ' '))}" for reason in reasons]
    rows = []
    for fold in folds:
        counts = [getattr(fold.counts, side) for side in _SIDES]
        counts += [fold.dropped.get(reason, 0) for reason in reasons]
        rows.append([fold.name or str(fold.index), *(written(count, ",.0f") for count in counts)])
    return ["fold", *_SIDES, *dropped], rows


def sample_rows(bench: Bench) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of the table of samples, saying where the pixel size was assumed."""
    head = ["sample", "patient", "source", "observations", "measured", "image, px", f"{MICRO} per px"]
    rows = []
    for sample in bench.record.dataset.samples:
        scale = f"{sample.um_per_px:.4g}"
        rows.append([
            sample.id, str(sample.patient), str(sample.source),
            written(sample.n_obs, ",.0f"), written(sample.n_measured, ",.0f"),
            f"{sample.width_px or '?'} \N{MULTIPLICATION SIGN} {sample.height_px or '?'}",
            f"{scale} (assumed)" if sample.um_per_px_assumed else scale,
        ])  # fmt: skip
    return head, rows


def assumptions(bench: Bench) -> list[str]:
    """Return what was assumed rather than known, and what reading noted."""
    samples = bench.record.dataset.samples
    assumed = [sample.id for sample in samples if sample.um_per_px_assumed]
    lines = []
    if assumed:
        lines.append(
            f"The pixel size of {', '.join(assumed)} was assumed, not stated by the data: "
            "every width in \N{MICRO SIGN}m here rests on it."
        )
    noted: dict[str, list[str]] = {}
    for sample in samples:
        for note in sample.notes:
            noted.setdefault(note, []).append(sample.id)
    if bench.single:  # a bench's runs repeat what its samples say
        noted = {note: [] for run in bench.runs for note in run.manifest.notes}
    return lines + [(", ".join(of) + ": " if of else "") + note for note, of in noted.items()]


def cost_rows(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return the head and rows of what each configuration cost."""
    heads = {
        "parameters": "parameters",
        "flops": "FLOPs",
        "steps": "steps",
        "observations_seen": "observations seen",
        "epochs_seen": "epochs",
        "train_seconds": "training, s",
        "total_seconds": "total, s",
    }
    rows = [[row["label"], *(si(row[name]) for name in heads)] for _, row in table.iterrows()]
    return ["configuration", *heads.values()], rows


def _of(runs: Sequence[Run], name: str, write: Any = si) -> str:
    return span((getattr(run.manifest, name) for run in runs), write)


def _budget(trained: Sequence[Run]) -> str:
    sentences = []
    for run in trained:
        budget = run.manifest.budget
        kind = budget.kind
        if kind == "minutes":
            sentences.append(
                f"equal minutes: {format_number(budget.minutes)} a run, made into a number of "
                "steps timed before the first; the best state on validation is kept, and never shortens "
                "the budget. "
                "It speaks of what is learnt in that time, not of capacity."
            )
        elif kind == "steps":
            sentences.append(
                f"equal steps: {si(number(budget.steps))} a run. "
                "It speaks of equal data seen, not of capacity."
            )
        elif kind == "convergence":
            sentences.append(_convergence(budget))
        else:
            sentences.append("not recorded")
    return _distinct(sentences) if sentences else "nothing was trained"


def _convergence(budget: Budget) -> str:
    if budget.converged is not False:
        return "training to convergence: this speaks of capacity."
    return (
        "some runs that should have trained to convergence took all the steps they were allowed while their "
        "validation score still rose: theirs speaks of that limit, not of capacity."
    )


def _rates(rates: Sequence[float], with_own_rates: Sequence[str]) -> str:
    if not rates:
        return "not recorded"
    tried = ", ".join(f"{rate:g}" for rate in rates)
    sentence = f"{tried} for every encoder and patch"
    if len(rates) > 1:
        sentence = f"{tried} tried for every encoder and patch, the best on validation chosen"
    if with_own_rates:
        sentence += (
            f". Apart from these, {', '.join(with_own_rates)}: set against the same encoder with the bench's "
            "rates, to see what hangs on them, and no candidate for the best or the recommendation"
        )
    return sentence


def _hardware(run: Run) -> str:
    hardware = run.manifest.hardware
    if not hardware.model_fields_set:
        return "not recorded"
    machine = filter(None, (hardware.cpu, hardware.device, hardware.platform))
    return f"{', '.join(machine)}, threads: {hardware.threads or '?'}"


def _versions(run: Run) -> str:
    versions = run.manifest.versions.items()
    return ", ".join(f"{name} {version}" for name, version in versions) or "not recorded"


def _distinct(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or "not recorded"


def _duration(seconds: Sequence[float]) -> str:
    minutes = sum(value for value in seconds if math.isfinite(value)) / 60
    return f"{minutes:.1f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def _genes_choice(panel: PanelSettings) -> str:
    if isinstance(panel.genes, tuple):
        return f"a list of {len(panel.genes)}"
    return (f"the {panel.n} " if panel.n else "") + (panel.genes or "not recorded").replace("_", " ")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return " and ".join(map(_plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _flat(settings: dict[str, Any], *, prefix: str = "") -> dict[str, str]:
    """Return settings within settings side by side, without those that have a line of their own."""
    flat: dict[str, str] = {}
    for key, value in settings.items():
        if key in ("budget", "learning_rates", "batch_size") or value is None:
            continue
        if isinstance(value, dict):
            flat |= _flat(value, prefix=f"{prefix}{_named(key)} ")
        else:
            flat[prefix + _named(key)] = _plain(value)
    return flat


def _named(key: str) -> str:
    """Write a setting's name with its unit apart."""
    stem = key.removesuffix("_um")
    return stem.replace("_", " ") + (", \N{MICRO SIGN}m" if stem != key else "")
