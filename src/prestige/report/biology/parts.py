"""The sections of the page "Biology": which figures and tables each has, and what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from prestige.analysis.gene_sets.scores import SetScores
from prestige.biology.genes.activity import Activity
from prestige.biology.genes.cell_types import CellTypes
from prestige.biology.genes.conditions import Conditions
from prestige.biology.genes.correlations import GeneCorrelations
from prestige.biology.genes.enrichment import Enrichment
from prestige.biology.space.domains import Domains
from prestige.biology.space.gradients import Gradients
from prestige.biology.space.structure import Structure
from prestige.biology.study import Study
from prestige.records.configuration import Configuration
from prestige.report.biology import figures, maps
from prestige.report.biology import tables as facts
from prestige.report.biology.words import sentences, title_of
from prestige.report.gene_sets.figures import forest
from prestige.report.style import with_units
from prestige.text import format_number

CAPTIONS = {
    "sets": (
        "Left: mean Pearson of the genes that have others like them, beside their random sets. Right: "
        "the difference. Bars are 95 % intervals from resampled tissue."
    ),
    "activity": (
        "Each row a pathway with its number of genes in the panel. The nearer the full dot is to the "
        "diamond, the more of what these counts can show is in the prediction."
    ),
    "activity-maps": (
        "Pathways whose halves of the measurement agree best, chosen without the prediction; the "
        "correlation is that with the prediction as it is. Colours are percentiles of the section, each "
        "side by itself: a prediction has no counting noise, so its t values reach farther than measured "
        "ones."
    ),
    "genes": (
        "Both panels of a pair have one colour scale, cut at the 1st and 99th percentile. Predictions "
        "carry no counting noise and so look smoother than any measurement."
    ),
    "structure": (
        "How alike two observations are at a distance. The predicted curve is brought to the measured height "
        "at near neighbours, so only its shape says anything: a smoother prediction is flat at first and "
        "falls later. A gap that stays far out is a difference between parts of the tissue and no smoothing. "
        "Band: the interval of the smoothing length."
    ),
    "correlations": (
        "The {n} genes with the highest measured correlations, in one order on both sides: that of a "
        "hierarchical clustering of the measured ones. Blocks on the left that are missing on the right "
        "are programmes of genes that the prediction does not have."
    ),
    "domains": (
        "Each side is clustered by itself, with equal noise; a predicted domain has the colour of the "
        "measured one that it shares most with."
    ),
    "confusion": (
        "Of the observations with a label in half of the counts (row), the percentage with each label in "
        "the prediction, and in the other half. A good prediction looks like the right panel."
    ),
    "cell-types": (
        "The label of each observation: the type whose markers stand out most, and none where none does. "
        "The prediction is shown as it is, without counting noise."
    ),
    "conditions": "Each point a gene, the prediction as it is; the largest measured differences are named.",
    "region": (
        "First: what counts as the region; a stray was marked and lies in no component. Second: the "
        "distances along which expression is looked at."
    ),
    "gradients": (
        "The genes whose measured expression changes most clearly along the distance: splines through "
        "the observations, the prediction as it is."
    ),
}
"""Figure -> its caption."""
_OPEN = 3  # sentences of a part that stand open; the rest can be unfolded


@dataclass
class Part:
    """A section of the page: its sentences, then figures, tables and notes in order."""

    key: str
    title: str
    sentences: list[str]
    blocks: list[dict[str, Any]] = field(default_factory=list)
    half: bool = False

    @property
    def first(self) -> list[str]:
        """The sentences that stand open."""
        return self.sentences[:_OPEN]

    @property
    def more(self) -> list[str]:
        """The others."""
        return self.sentences[_OPEN:]

    def figure(self, svg: str | None, label: str, caption: str = "", heading: str = "") -> None:
        """Add a figure, unless there is none."""
        if svg is not None:
            self.blocks.append(
                {"kind": "figure", "svg": Markup(svg), "label": label, "caption": caption, "heading": heading}
            )

    def table(self, shown: facts.Shown) -> None:
        """Add a table."""
        self.blocks.append({"kind": "table", "shown": shown})

    def note(self, text: str) -> None:
        """Add a line."""
        self.blocks.append({"kind": "note", "text": text})


@dataclass(frozen=True, eq=False)
class Maker:
    """What every part is made from."""

    study: Study
    sections: list[maps.Section]
    save: Callable[[str, Figure | None], str | None]

    def maps(self, part: Part, key: str, draw: Callable[[maps.Section], Figure], caption: str) -> None:
        """Add a map of each section, with the caption of that name under the last."""
        for number, section in enumerate(self.sections):
            slug = re.sub(r"[^\w-]", "_", section.name)
            heading = section.name if len(self.sections) > 1 else ""
            svg = self.save(f"{key}-{number}-{slug}", draw(section))
            under = CAPTIONS[caption] if number == len(self.sections) - 1 else ""
            part.figure(svg, f"{part.title}: maps of {section.name}", under, heading)


def parts_of(maker: Maker, genes: Sequence[str]) -> list[Part]:
    """Return the parts in the order of the page; of one that could not be answered, its sentence alone."""
    lines_of = sentences(maker.study)
    made = []
    for key, fill in _FILL.items():
        if key in lines_of:
            part = Part(key, title_of(key, maker.study), [with_units(text) for text in lines_of[key]])
            if (answer := getattr(maker.study, key)) is not None:
                fill(maker, part, answer)
            made.append(part)
        if key == "activity" and genes:
            made.append(_gene_maps(maker, genes))
    return made


def set_part(maker: Maker, sets: tuple[SetScores, Configuration], set_facts: Mapping[str, Any]) -> Part:
    """Return the section of gene sets beside their random sets."""
    part = Part("sets", "Gene sets beside random sets", [set_facts["text"]])
    svg = maker.save("sets", forest(*sets))
    part.figure(svg, "Each gene set beside its random sets", CAPTIONS["sets"])
    part.table(facts.Shown(set_facts["head"], set_facts["rows"], "tables/set_scores.csv"))
    for note in set_facts["notes"]:
        part.note(note)
    return part


def _activity(maker: Maker, part: Part, answer: Activity) -> None:
    pair = maker.study.pair
    if answer.table.empty:
        return
    part.half = True
    svg = maker.save("activity", figures.activity_dots(answer.table))
    part.figure(svg, "Correlation of predicted with measured activity by pathway", CAPTIONS["activity"])
    part.table(facts.activity_table(answer.table))
    items = [
        maps.Both(
            f"{maps.shorter(name)}, correlation {facts.written(answer.table.at[name, 'predicted'])}",
            maps.percentiles(both[:, 0], pair.sample_of),
            maps.percentiles(both[:, 1], pair.sample_of),
            "percentile of activity",
        )
        for name, both in answer.maps.items()
    ]
    if items:
        maker.maps(part, "activity", lambda section: maps.draw_values(section, items), "activity-maps")


def _gene_maps(maker: Maker, genes: Sequence[str]) -> Part:
    """Return the section of maps of genes, with a line for those that are not there."""
    pair, scores = maker.study.pair, maker.study.scores
    part = Part("maps", "Genes on the tissue", [])
    place = {gene: number for number, gene in enumerate(pair.genes)}
    items = [
        maps.Both(
            f"{gene}, Pearson {facts.written(scores[place[gene]])}",
            pair.measured[:, place[gene]].astype(np.float64),
            pair.predicted[:, place[gene]].astype(np.float64),
            f"log1p(counts\nper {format_number(pair.total)})",
        )
        for gene in dict.fromkeys(genes)
        if gene in place
    ]
    if items:
        maker.maps(part, "genes", lambda section: maps.draw_values(section, items), "genes")
    absent = [gene for gene in dict.fromkeys(genes) if gene not in place]
    if absent:
        part.note(f"Not among the genes measured and predicted here: {', '.join(absent)}.")
    if items and not maker.sections:
        part.note("There are no places, so there are no maps.")
    return part


def _structure(maker: Maker, part: Part, answer: Structure) -> None:
    part.half = True
    part.table(facts.structure_table(answer))
    svg = maker.save("structure", figures.covariance_curves(answer.smoothing))
    part.figure(svg, "Covariance over distance, measured and predicted", CAPTIONS["structure"])


def _correlations(maker: Maker, part: Part, answer: GeneCorrelations) -> None:
    part.half = True
    part.table(facts.correlation_table(answer))
    order = figures.order_of(answer.measured, answer.predicted)
    drawn = figures.correlation_maps(answer.measured, answer.predicted, maker.study.pair.genes, order)
    caption = CAPTIONS["correlations"].format(n=len(order))
    part.figure(
        maker.save("correlations", drawn), "Correlations between genes, measured and predicted", caption
    )


def _domains(maker: Maker, part: Part, answer: Domains) -> None:
    part.half = True
    part.table(facts.domain_table(answer))
    names = [f"domain {number + 1}" for number in range(answer.n_domains)]
    none = "too few observations" if answer.left_out else None
    names += [none] if none else []

    def draw(section: maps.Section) -> Figure:
        return maps.draw_labels(section, answer.measured, answer.predicted, names, none)

    maker.maps(part, "domains", draw, "domains")


def _enrichment(_: Maker, part: Part, answer: Enrichment) -> None:
    if len(answer.table):
        part.table(facts.enrichment_table(answer))


def _cell_types(maker: Maker, part: Part, answer: CellTypes) -> None:
    if answer.table.empty:
        return
    part.half = True
    part.table(facts.type_table(answer))
    svg = maker.save("confusion", figures.confusion_maps(answer.confusion, answer.types))
    label = "Labels of half of the counts against those of the prediction and of the other half"
    part.figure(svg, label, CAPTIONS["confusion"])
    measured, predicted = answer.labels.T

    def draw(section: maps.Section) -> Figure:
        return maps.draw_labels(section, measured, predicted, answer.types, none=answer.types[-1])

    maker.maps(part, "cell-types", draw, "cell-types")


def _conditions(maker: Maker, part: Part, answer: Conditions) -> None:
    part.half = True
    svg = maker.save("conditions", figures.change_scatter(answer.table, answer.first, answer.second))
    part.figure(svg, "Predicted against measured fold changes", CAPTIONS["conditions"])
    part.table(facts.condition_table(answer))


def _gradients(maker: Maker, part: Part, answer: Gradients) -> None:
    def draw(section: maps.Section) -> Figure:
        return maps.draw_region(section, answer.region, answer.max_um, maker.study.region_name)

    maker.maps(part, "region", draw, "region")
    if len(answer.table):
        svg = maker.save("gradients", figures.gradient_curves(answer))
        label = "Expression along the distance from the boundary, measured and predicted"
        part.figure(svg, label, CAPTIONS["gradients"])
        part.table(facts.gradient_table(answer))
    if (around := maker.study.neighbourhoods) is not None and len(around.table):
        part.table(facts.neighbourhood_table(around))


_FILL: dict[str, Callable[[Maker, Part, Any], None]] = {
    "activity": _activity,
    "structure": _structure,
    "correlations": _correlations,
    "domains": _domains,
    "enrichment": _enrichment,
    "cell_types": _cell_types,
    "conditions": _conditions,
    "gradients": _gradients,
}
ORDER = tuple(_FILL)
"""Of the parts on the page."""
