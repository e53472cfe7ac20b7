"""Does the biology survive?  Every question of the package asked of one pair, in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from prestige.biology.agreement import Mean, agreement, mean_agreement
from prestige.biology.genes.activity import Activity, pathway_activity
from prestige.biology.genes.cell_types import CellTypes, cell_types
from prestige.biology.genes.conditions import Conditions, differences
from prestige.biology.genes.correlations import GeneCorrelations, gene_correlations
from prestige.biology.genes.enrichment import Enrichment, enrichment
from prestige.biology.genes.markers import markers
from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.biology.settings import THE_REGION, BiologyConfig, RegionConfig
from prestige.biology.space.domains import Domains, domains
from prestige.biology.space.gradients import Gradients, gradients
from prestige.biology.space.marks import region_of_annotation, region_of_genes, region_of_level
from prestige.biology.space.neighbourhoods import Neighbourhoods, neighbourhoods
from prestige.biology.space.regions import Region
from prestige.biology.space.structure import Structure, structure
from prestige.compute.progress import Progress
from prestige.errors import DataError
from prestige.evaluate import Evaluation, evaluate
from prestige.genesets import GeneSet, GeneSetConfig, collect_sets, score_sets
from prestige.stats.ceilings import Ceiling, ceiling_log
from prestige.stats.moments import spatial_blocks

T = TypeVar("T")
PARTS = {
    "scores": "scores",
    "structure": "structure in space",
    "correlations": "correlations between genes",
    "domains": "tissue domains",
    "activity": "pathway activity",
    "enrichment": "well and badly predicted genes",
    "cell_types": "cell types",
    "conditions": "differences between conditions",
    "gradients": "around a region",
}
"""Part of a study -> what a reader calls it, in the order of the page."""

_AROUND = "neighbourhoods"  # asked and told with the gradients


@dataclass(frozen=True, eq=False)
class Study:
    """All that was found on one pair.

    Attributes
    ----------
    pair
        What it was found on.
    evaluation
        Scores of genes and observations, and sums over spatial blocks.
    ceiling
        Of each gene.
    sets, pathways
        Name -> gene set: those that are judged one by one, and all whose activity is looked at.
    structure, correlations, domains, activity, enrichment, cell_types, conditions, region, gradients
        Each part; None where it was not asked for, or ``skipped`` says why it could not be answered.
    skipped
        Part -> why.
    neighbourhoods
        Rings around the region and what is high near its boundary or centre; told with the gradients.
    region_name
        What the region is called.
    """

    pair: Pair
    evaluation: Evaluation
    ceiling: Ceiling
    sets: Mapping[str, GeneSet]
    pathways: Mapping[str, GeneSet]
    block_um: float
    structure: Structure | None = None
    correlations: GeneCorrelations | None = None
    domains: Domains | None = None
    activity: Activity | None = None
    enrichment: Enrichment | None = None
    cell_types: CellTypes | None = None
    conditions: Conditions | None = None
    region: Region | None = None
    gradients: Gradients | None = None
    neighbourhoods: Neighbourhoods | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)
    region_name: str = THE_REGION

    @property
    def scores(self) -> Float[np.ndarray, " g"]:
        """Pearson of each gene within samples, averaged over them; NaN where the truth is constant."""
        return agreement(self.evaluation.moments).value

    @cached_property
    def mean_score(self) -> Mean:
        """The mean of the genes' scores with its interval, bootstrapped once."""
        return mean_agreement(self.evaluation.moments, patient_of=self.pair.patient_of)


def study(
    pair: Pair, sets: Mapping[str, GeneSet], config: BiologyConfig | None = None, *, block_um: float = 500.0
) -> Study:
    """Ask all questions of a pair.

    Parameters
    ----------
    sets
        Name -> gene set: those that are judged one by one.
    config
        Which pathways, markers, condition and region; the defaults ask for none of these.
    block_um
        Intervals resample square blocks this wide.

    Raises
    ------
    PrestigeError
        When a file of the settings is missing or wrong, a gene or column is not there, or the pair has
        fewer than 3 genes.
    """
    config = config or BiologyConfig()
    none: dict[str, Any] = {f"most_{what}": None for what in ("expressed", "variable", "spatially_variable")}
    pathways = dict(sets) | collect_sets(GeneSetConfig(shipped=(), files=config.sets, **none))
    types = markers(config.tissue, config.markers) if config.tissue is not None else None
    made = _Parts()
    region = made.region(pair, config)
    with Progress("biology", len(PARTS)) as progress:
        pair.measured  # noqa: B018  made once, before the parts that share it
        evaluation = _evaluate(pair, block_um)
        ceiling = _ceiling(pair, block_um)
        progress.advance(1, note=PARTS["scores"])
        drawn = draw(pair, config.seed)
        questions = _questions(pair, (sets, pathways), types, region, (config, block_um, drawn))
        for part in list(PARTS)[1:]:
            if part == "enrichment":
                made.ask(part, lambda: _enrichment(pair, pathways, evaluation, ceiling))
            elif part in questions:
                made.ask(part, questions[part])
            if part == "gradients" and _AROUND in questions:
                made.ask(_AROUND, questions[_AROUND])
            progress.advance(1, note=PARTS[part])
    name = config.region.name if config.region is not None else THE_REGION
    return Study(
        pair, evaluation, ceiling, sets, pathways, block_um, region=region, region_name=name,
        skipped=made.skipped, **made.answers,
    )  # fmt: skip


class _Parts:
    """The parts that were answered, and why the others were not."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.skipped: dict[str, str] = {}

    def region(self, pair: Pair, config: BiologyConfig) -> Region | None:
        """Return the region that is asked for, None where there is none or these data have no such region."""
        if config.region is None:
            return None
        try:
            return _region(pair, config.region, config.seed)
        except DataError as error:
            self.skipped["gradients"] = str(error)
            return None

    def ask(self, part: str, question: Callable[[], Any]) -> None:
        try:
            self.answers[part] = question()
        except DataError as error:  # too few observations, no places: said, and the other parts go on
            self.skipped[part] = str(error)


def _questions(
    pair: Pair,
    sets: tuple[Mapping[str, GeneSet], Mapping[str, GeneSet]],
    types: Mapping[str, GeneSet] | None,
    region: Region | None,
    how: tuple[BiologyConfig, float, Drawn],
) -> dict[str, Callable[[], Any]]:
    """Return the parts that are asked for, each as something to call."""
    config, block_um, drawn = how
    judged, pathways = sets
    seed = config.seed
    asked: dict[str, Callable[[], Any]] = {
        "structure": lambda: structure(pair, drawn, seed=seed),
        "correlations": lambda: gene_correlations(pair, _members(pair, judged), drawn, seed=seed),
        "domains": lambda: domains(pair, drawn, n_domains=config.domains, block_um=block_um, seed=seed),
        "activity": lambda: pathway_activity(pair, pathways, block_um=block_um, drawn=drawn, seed=seed),
    }
    if types is not None:
        asked["cell_types"] = lambda: cell_types(pair, types, block_um=block_um, drawn=drawn, seed=seed)
    if (condition := config.condition) is not None:
        asked["conditions"] = lambda: differences(
            pair, condition.column, condition.first, condition.second, drawn=drawn, seed=seed
        )
    if region is not None and config.region is not None:
        within = config.region.within_um
        asked["gradients"] = lambda: gradients(pair, region, max_um=within, drawn=drawn, seed=seed)
        asked[_AROUND] = lambda: neighbourhoods(pair, region, drawn, max_um=within)
    return asked


def _members(pair: Pair, sets: Mapping[str, GeneSet]) -> dict[str, tuple[str, ...]]:
    return {name: one.members for name, one in score_sets(pair.genes, sets).items() if one.scored}


def _region(pair: Pair, config: RegionConfig, seed: int) -> Region:
    if config.genes:
        return region_of_genes(pair, config.genes, seed=seed)
    assert config.column is not None
    if config.above is not None:
        return region_of_level(pair, config.column, None if config.above == "otsu" else config.above)
    assert config.value is not None
    return region_of_annotation(pair, config.column, config.value)


def _evaluate(pair: Pair, block_um: float) -> Evaluation:
    return evaluate(
        pair.predicted,
        pair.measured,
        genes=pair.genes,
        sample_of=pair.sample_of,
        xy_um=pair.xy_um,
        train_mean=pair.train_mean,
        block_um=block_um,
    )


def _ceiling(pair: Pair, block_um: float) -> Ceiling:
    return ceiling_log(
        pair.counts,
        pair.totals,
        pair.total,
        genes=pair.genes,
        sample_of=pair.sample_of,
        block_of=spatial_blocks(pair.xy_um, block_um),
    )


def _enrichment(
    pair: Pair, pathways: Mapping[str, GeneSet], evaluation: Evaluation, ceiling: Ceiling
) -> Enrichment:
    scores = agreement(evaluation.moments).value
    covariates = {"mean expression": pair.measured.mean(axis=0, dtype=np.float64), "ceiling": ceiling.value}
    return enrichment(scores, pair.genes, pathways, covariates=covariates)
