"""One row a configuration: score, interval, ties, cost; and the values of every gene.

Configurations are compared on the same folds and the same genes only.  A bench that is not
finished is therefore cut to the folds that serve the most configurations; those that lack one of
these folds keep their row, without a score that could be mistaken for a comparable one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from prestige.analysis.blocks import blocks_of, merged
from prestige.analysis.values import gene_table, observation_table
from prestige.records.configuration import Configuration
from prestige.records.folders import Bench
from prestige.records.run import Run
from prestige.stats.block_width import Blocks
from prestige.stats.compare import Comparison, compare
from prestige.stats.spread import Spread, spread_of
from prestige.text import number

_IDENTITY = (
    "label", "name", "encoder", "baseline", "pretrained", "control", "patch_um", "input_px", "visible_um",
)  # fmt: skip
_COSTS = ("parameters", "flops", "observations_seen", "epochs_seen", "steps")
_COLUMNS = (
    "configuration", *_IDENTITY, "compared", "n_folds", "n_seeds", "score", "low", "high", "best", "tied",
    "spread", *_COSTS, "train_seconds", "total_seconds", "ms_per_observation",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """A configuration's score, its 95 % interval (None where none can be given) and place.

    ``tied`` says whether it cannot be told from the best one, None where that cannot be said; ``by_seed`` are
    the scores of its seeds, ``se`` is the standard error, ``spread`` how far it varies over seeds and tissue.
    """

    score: float
    interval: tuple[float, float] | None
    best: bool
    tied: bool | None
    by_seed: tuple[float, ...] = ()
    se: float | None = None
    spread: Spread = field(default_factory=Spread)


@dataclass(frozen=True, eq=False)
class Group:
    """Configurations that may be compared: all from scratch or all pretrained, and the baselines.

    ``reason`` is why there is no interval (None where there is one); ``comparison`` holds the paired draws,
    for effects and recommendations, and what was resampled; ``with_own_rates``
    those of entries with learning rates of their own as well, which are set against their equals alone (the
    same one without any).
    """

    pretrained: bool
    results: dict[Configuration, Result]
    reason: str | None
    comparison: Comparison[Configuration]
    with_own_rates: Comparison[Configuration]

    @property
    def best(self) -> Configuration | None:
        """The configuration with the highest score."""
        return next((key for key, result in self.results.items() if result.best), None)


@dataclass(frozen=True, eq=False)
class Summary:
    """What the report states about configurations and genes.

    ``table`` has one row a configuration; ``genes`` one row a gene and configuration; ``observations``
    one row a configuration and per-observation metric.  ``used`` holds the runs that were compared,
    ``patient_of`` the patients that were resampled, None where there is no such thing; ``blocks`` those over
    which the moments of ``used`` are, None where their width is not recorded.
    """

    table: pd.DataFrame
    genes: pd.DataFrame
    observations: pd.DataFrame
    groups: list[Group]
    folds: tuple[int, ...]
    common_genes: tuple[str, ...]
    n_panel_genes: int
    excluded: list[str]
    used: dict[Configuration, list[Run]]
    patient_of: dict[str, str] | None
    blocks: Blocks | None


def summarise(bench: Bench) -> Summary:
    """Compare the finished runs of a bench.

    Raises
    ------
    DataError
        When no gene of any finished run varies on the test side.
    """
    by_configuration = _by_configuration(bench.runs)
    folds = comparable_folds({key: {run.fold for run in runs} for key, runs in by_configuration.items()})
    complete = [
        key for key, runs in by_configuration.items() if folds <= {run.fold for run in runs} and folds
    ]
    used = {key: [run for run in by_configuration[key] if run.fold in folds] for key in complete}
    common, n_panel = _common_genes(used)
    known_patients = _patient_of(bench)
    # Where training and test tissue may be of the same patient, patients are not resampled.
    patients = None if bench.record.within_section else known_patients
    blocks = blocks_of(bench, used, patients)
    used = merged(used, blocks)
    groups = _groups(used, common, patients)
    results = [group.results for group in groups] + _alone(used, common, patients)
    results = [_with_spread(of_group, used, common, known_patients) for of_group in results]
    groups = [replace(group, results=of_group) for group, of_group in zip(groups, results, strict=False)]
    return Summary(
        table=_table(by_configuration, used, results),
        genes=gene_table(used),
        observations=observation_table(used),
        groups=groups,
        folds=tuple(sorted(folds)),
        common_genes=common,
        n_panel_genes=n_panel,
        excluded=[key.label for key in by_configuration if key not in used],
        used=used,
        patient_of=patients,
        blocks=blocks,
    )


def comparable_folds(folds_of: dict[Configuration, set[int]]) -> set[int]:
    """Return the folds on which the most runs can be compared: most (folds x configurations that have them).

    Ties go to more configurations, then to more folds.
    """
    candidates = {frozenset(folds) for folds in folds_of.values()}
    candidates |= {a & b for a in candidates for b in candidates} - {frozenset()}

    def worth(folds: frozenset[int]) -> tuple[int, int, list[int]]:
        having = sum(folds <= other for other in folds_of.values())
        return having * len(folds), having, sorted(-fold for fold in folds)

    return set(max(candidates, key=worth)) if candidates else set()


def _by_configuration(runs: Sequence[Run]) -> dict[Configuration, list[Run]]:
    runs_of: dict[Configuration, list[Run]] = {}
    for run in runs:
        runs_of.setdefault(run.configuration, []).append(run)
    order = {name: i for i, name in enumerate(dict.fromkeys(key.encoder for key in runs_of))}
    keys = sorted(
        runs_of, key=lambda key: (key.baseline, key.pretrained, order[key.encoder], key.patch_um, key)
    )
    return {key: sorted(runs_of[key], key=lambda run: (run.fold, run.seed)) for key in keys}


def _common_genes(used: dict[Configuration, list[Run]]) -> tuple[tuple[str, ...], int]:
    """Return the genes of every fold's panel in order, and how many genes any panel holds."""
    panels: dict[tuple[str, ...], None] = {}
    for runs in used.values():
        for run in runs:
            names = run.scores.loc[run.scores["level"] == "gene", "name"]
            panels[tuple(dict.fromkeys(names.astype(str)))] = None
    if not panels:
        return (), 0
    shared = set.intersection(*(set(panel) for panel in panels))
    return tuple(gene for gene in next(iter(panels)) if gene in shared), len(set().union(*panels))


def _patient_of(bench: Bench) -> dict[str, str] | None:
    """Return the patient of each sample, None where the runs do not say."""
    patient_of: dict[str, str] = {}
    for run in bench.runs:
        if "patient" in run.scores:
            pairs = run.scores[["sample", "patient"]].drop_duplicates()
            patient_of.update(zip(pairs["sample"].astype(str), pairs["patient"].astype(str), strict=True))
    return patient_of or None


def _groups(
    used: dict[Configuration, list[Run]], genes: tuple[str, ...], patient_of: dict[str, str] | None
) -> list[Group]:
    baselines = [key for key in used if key.baseline and not key.diagnostic]
    encoders = {
        flag: [key for key in used if not key.baseline and key.pretrained is flag] for flag in (False, True)
    }
    groups = []
    for pretrained, every in encoders.items():
        keys = [key for key in every if not key.own_rates]
        if keys or (baselines and not pretrained and not encoders[True]):
            group = compare_group(pretrained, {key: used[key] for key in keys + baselines}, genes, patient_of)
            if len(keys) < len(every):
                moments = {key: [run.moments for run in used[key]] for key in every + baselines}
                group = replace(
                    group, with_own_rates=compare(moments, genes=genes or None, patient_of=patient_of)
                )
            groups.append(group)
    return groups


def _alone(
    used: dict[Configuration, list[Run]], genes: tuple[str, ...], patient_of: dict[str, str] | None
) -> list[dict[Configuration, Result]]:
    """Return the score of each diagnostic, and of what had learning rates of its own: never best nor tied."""
    results = []
    for key in used:
        if key.diagnostic or key.own_rates:
            alone = compare_group(False, {key: used[key]}, genes, patient_of).results[key]
            results.append({key: replace(alone, best=False, tied=None)})
    return results


def compare_group(
    pretrained: bool,
    runs: dict[Configuration, list[Run]],
    genes: tuple[str, ...],
    patient_of: dict[str, str] | None,
) -> Group:
    """Compare configurations on some genes (all that they share where none are given).

    Raises
    ------
    DataError
        When none of the genes varies on the test side.
    """
    moments = {key: [run.moments for run in of_key] for key, of_key in runs.items()}
    comparison = compare(moments, genes=genes or None, patient_of=patient_of)
    results = {}
    for key, row in comparison.rows.items():
        interval = (float(row.low), float(row.high)) if row.low is not None and row.high is not None else None
        tied = row.tied if interval is not None else None
        results[key] = Result(row.score, interval, key == comparison.best, tied, row.by_seed, row.se)
    reason = comparison.reason.removeprefix("no interval: ") if comparison.reason is not None else None
    return Group(pretrained, results, reason, comparison, comparison)


def _with_spread(
    results: dict[Configuration, Result],
    used: dict[Configuration, list[Run]],
    genes: tuple[str, ...],
    patient_of: dict[str, str] | None,
) -> dict[Configuration, Result]:
    """Return the results with how far each score varies over seeds, patients and blocks."""
    with_spread = {}
    for key, result in results.items():
        runs = [run.moments.take_genes(genes) if genes else run.moments for run in used[key]]
        seeds = [run.seed for run in used[key]]
        spread = spread_of(runs, result.by_seed, se=result.se, patient_of=patient_of, seed_of=seeds)
        with_spread[key] = replace(result, spread=spread)
    return with_spread


def _place(key: Configuration, results: Sequence[dict[Configuration, Result]]) -> dict[str, Any]:
    """Return the table's columns on a configuration's place; a baseline's is that in the first group."""
    nothing = Result(math.nan, None, best=False, tied=None)
    result = next((group[key] for group in results if key in group), nothing)
    low, high = result.interval or (math.nan, math.nan)
    place = {name: getattr(result, name) for name in ("score", "best", "tied", "spread")}
    return place | {"low": low, "high": high}


def _table(
    everything: dict[Configuration, list[Run]],
    used: dict[Configuration, list[Run]],
    results: Sequence[dict[Configuration, Result]],
) -> pd.DataFrame:
    rows = []
    for key, runs in everything.items():
        row = {"configuration": key, "compared": key in used} | _place(key, results)
        row |= {name: getattr(key, name) for name in _IDENTITY}
        row |= {f"n_{name}s": len({getattr(run, name) for run in runs}) for name in ("fold", "seed")}
        row |= {name: _mean(number(getattr(run.manifest, name)) for run in runs) for name in _COSTS}
        row["train_seconds"] = _mean(run.manifest.seconds.train for run in runs)
        row["total_seconds"] = _mean(run.manifest.seconds.total for run in runs)
        row["ms_per_observation"] = _mean(_ms_per_observation(run) for run in runs)
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(_COLUMNS))
    return table.astype(dict.fromkeys(("baseline", "pretrained", "control", "compared", "best"), bool))


def _ms_per_observation(run: Run) -> float:
    """Return milliseconds of training per observation of a batch, those of losing trials included."""
    computed = number(run.manifest.steps) * number(run.manifest.batch_size)
    return run.manifest.seconds.train * 1000 / computed if computed > 0 else math.nan


def _mean(values: Any) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan
