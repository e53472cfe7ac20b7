"""What is asked of predictions beyond scores, as a yaml says it.  Nothing large is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from prestige.genesets.settings import GmtFile
from prestige.settings import Settings, resolve_path

THE_REGION = "the region"
"""What a region is called that has no name of its own."""


class ConditionConfig(Settings):
    """Two values of a covariate between which expression is compared: ``second`` over ``first``."""

    column: str = Field(min_length=1)
    first: str
    second: str

    @model_validator(mode="after")
    def _two_values(self) -> ConditionConfig:
        if self.first == self.second:
            raise ValueError(f"both values are '{self.first}'; expected two that differ")
        return self


class RegionConfig(Settings):
    """A region of the tissue around whose boundary expression is looked at: give ``genes`` or ``column``.

    A bench keeps how much ``haematoxylin`` and ``eosin`` lie around each observation: with one of them as the
    column, the image says where the region is.

    Attributes
    ----------
    genes
        Genes that are high in it, by their measured counts; they are not tested themselves.
    column
        An annotation in the truth's table.
    value
        The one that marks the region; with a column of numbers give ``above`` instead.
    above
        Above which number the region lies, ``otsu`` for the threshold that best splits the numbers in two.
    name
        What the page calls it.
    within_um
        How far on either side of the boundary is looked.
    """

    genes: tuple[str, ...] = ()
    column: str | None = None
    value: str | None = None
    above: Literal["otsu"] | float | None = None
    name: str = Field(default=THE_REGION, min_length=1)
    within_um: float = Field(default=150.0, gt=0)

    @model_validator(mode="after")
    def _one_way(self) -> RegionConfig:
        marks = (self.value is not None) + (self.above is not None)
        if bool(self.genes) == (self.column is not None) or marks != (self.column is not None):
            raise ValueError("give either `genes`, or `column` with `value` or `above`")
        return self


class BiologyConfig(Settings):
    """What the page "Biology" is about; nothing in it changes a training.

    Attributes
    ----------
    sets
        GMT files of pathways, besides the gene sets by which scores are judged.
    tissue
        Whose cell types and markers are looked for; none by default.
    markers
        A yaml of the user's in the form of the shipped ``markers.yaml``, in which ``tissue`` stands.
    genes
        Genes to show on maps, measured beside predicted.
    condition, region
        Optional questions: differences between conditions, and around a region.
    domains
        Into how many domains the tissue is divided.
    note
        A line that the page shows at its head, such as what kind of image it was.
    seed
        Of the noise and of all that is drawn.
    """

    sets: tuple[GmtFile, ...] = ()
    tissue: str | None = None
    markers: Path | None = None
    genes: tuple[str, ...] = ()
    condition: ConditionConfig | None = None
    region: RegionConfig | None = None
    domains: int = Field(default=6, ge=2)
    note: str = ""
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _markers_of_a_tissue(self) -> BiologyConfig:
        if self.markers is not None and self.tissue is None:
            raise ValueError("`markers` needs `tissue`, the one of the file that is meant")
        return self

    def resolved(self, base: Path) -> BiologyConfig:
        """Return the same settings with the files' paths made absolute against ``base``."""
        sets = tuple(one.resolved(base) for one in self.sets)
        markers = None if self.markers is None else resolve_path(self.markers, base)
        return self.model_copy(update={"sets": sets, "markers": markers})
