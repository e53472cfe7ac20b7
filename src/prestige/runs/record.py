"""What a bench says of itself beside its runs: ``bench.json``, from which the report is made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prestige.config import BenchConfig, RunConfig
from prestige.data.dataset import Dataset
from prestige.data.fold import FoldData
from prestige.data.observations import positions_um
from prestige.data.sample import Sample
from prestige.data.split.audit import Audit
from prestige.data.split.folds import Fold
from prestige.errors import DataError
from prestige.records.bench import (
    AuditRecord,
    BenchRecord,
    CorrelationRecord,
    DatasetRecord,
    EvaluationRecord,
    FoldRecord,
    PanelRecord,
    PanelSettings,
    RunEntry,
    SampleRecord,
    SideCounts,
    SkippedRecord,
    TruthRecord,
)
from prestige.records.run import RunFolder
from prestige.runs.gene_sets import describe_sets, sets_of_fold
from prestige.stats.correlogram import correlogram


@dataclass(frozen=True, eq=False)
class Grid:
    """What a bench asks for, opened and checked: the runs that have a meaning, and what they share."""

    dataset: Dataset
    folds: list[Fold]
    audit: Audit
    runs: list[RunConfig]
    skipped: list[SkippedRecord]


def record_of(
    config: BenchConfig, grid: Grid, folds: Sequence[FoldSummary], done: Sequence[RunFolder]
) -> BenchRecord:
    """Return what the bench says of itself, ``folds`` being those that a run is of."""
    dataset = grid.dataset
    common = set.intersection(*(set(fold.genes) for fold in folds))
    return BenchRecord(
        name=config.name,
        dataset=DatasetRecord(name=dataset.name, samples=tuple(map(_sample, dataset.samples))),
        split=config.split.model_dump(mode="json"),
        folds=tuple(fold.record for fold in folds),
        audit=AuditRecord.model_validate(grid.audit.to_json()),
        skipped=tuple(grid.skipped),
        panel=PanelRecord(config=_panel(config), n_genes_common=len(common)),
        evaluation=EvaluationRecord.model_validate(config.evaluation.model_dump()),
        train=config.train.model_dump(mode="json"),
        truth=_phantom_truth(config.dataset),
        runs=tuple(RunEntry(folder=f"runs/{folder.name}") for folder in done),
        finished=len(done) == len(grid.runs),
    )


@dataclass(frozen=True)
class FoldSummary:
    """What the record says of a fold, and the genes of its panel."""

    record: FoldRecord
    genes: tuple[str, ...]


def describe_fold(data: FoldData, config: BenchConfig) -> FoldSummary:
    """Return what the record says of a fold: its sides, gene sets and correlation length."""
    sets = sets_of_fold(config.genesets, data.dataset.samples, data.panel, data.train, data.train_y)
    counts = SideCounts(train=len(data.train), validation=len(data.validation), test=len(data.test))
    record = FoldRecord(
        index=data.fold.index,
        name=data.fold.name,
        counts=counts,
        dropped=dict(data.fold.dropped),
        notes=(*data.fold.notes, *data.panel.notes),
        gene_sets=describe_sets(sets),
        correlation=correlation_of(data),
    )
    return FoldSummary(record, tuple(data.panel.genes))


def _sample(sample: Sample) -> SampleRecord:
    return SampleRecord(
        id=sample.id,
        patient=sample.patient,
        source=sample.source,
        covariates=dict(sample.covariates),
        n_obs=sample.n_obs,
        n_measured=int(sample.obs["measured"].sum()),
        um_per_px=sample.um_per_px,
        um_per_px_assumed=sample.slide.um_per_px_assumed,
        width_px=sample.slide.width_px,
        height_px=sample.slide.height_px,
        notes=tuple(sample.notes),
    )


def correlation_of(data: FoldData) -> CorrelationRecord:
    """Measure how far apart the test side's expression is still alike: blocks have to be wider than that."""
    xy_um = positions_um(data.dataset.samples, data.test)
    try:
        fitted = correlogram(xy_um, data.test_y, sample_of=data.test.slide_index)
    except DataError:  # too few observations, or none that varies
        return CorrelationRecord()
    length_um = fitted.length_um if math.isfinite(fitted.length_um) else math.nan
    return CorrelationRecord(length_um=length_um, structured=fitted.structured, longest_um=fitted.longest_um)


def _panel(config: BenchConfig) -> PanelSettings:
    panel = config.panel
    genes = f"the list {panel.genes.name}" if isinstance(panel.genes, Path) else panel.genes
    return PanelSettings(genes=genes, n=panel.n, total=panel.total)


def _phantom_truth(dataset: Path) -> TruthRecord | None:
    """Return the known answer that lies beside a phantom's dataset, if this is one."""
    truth = dataset.parent / "truth.json"
    if not truth.exists():
        return None
    return TruthRecord.model_validate_json(truth.read_text(encoding="utf-8"))
