"""Which gene sets a bench judges by, as its yaml says it.  Nothing large is imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from prestige.errors import unknown
from prestige.settings import Settings, resolve_path

SHIPPED = ("immune", "inflammation", "epithelial barrier", "stroma and vessel", "proliferation")
"""Names of the sets that come with the package, in the order of a report."""

MIN_GENES = 5
"""A set with fewer genes in the panel is too small to be scored."""


class GmtFile(Settings):
    """A GMT file of the user's; a path alone stands for all its sets.

    Attributes
    ----------
    path
        The file, relative to the yaml that names it.
    only
        The sets to take from it, by name; all by default.
    """

    path: Path
    only: tuple[str, ...] | None = Field(default=None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str | Path) else value

    def resolved(self, base: Path) -> GmtFile:
        """Return the same settings with the path made absolute against ``base``."""
        return self.model_copy(update={"path": resolve_path(self.path, base)})


class GeneSetConfig(Settings):
    """The gene sets by which predictions are judged; none of them fits anything.

    Attributes
    ----------
    shipped
        Names of shipped sets; an empty list for none.
    files
        GMT files of the user's; a path alone stands for all its sets.
    most_expressed, most_variable, most_spatially_variable
        How many genes to take into the sets that are chosen on training data; null for no such set.
    min_genes
        A set with fewer genes in the panel is reported as too small and not scored.
    draws, seed
        Number of matched random sets, and their seed.
    """

    shipped: tuple[str, ...] = SHIPPED
    files: tuple[GmtFile, ...] = ()
    most_expressed: int | None = Field(default=50, ge=1)
    most_variable: int | None = Field(default=50, ge=1)
    most_spatially_variable: int | None = Field(default=50, ge=1)
    min_genes: int = Field(default=MIN_GENES, ge=2)
    draws: int = Field(default=1000, ge=100)
    seed: int = Field(default=0, ge=0)

    @field_validator("shipped")
    @classmethod
    def _are_shipped(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in SHIPPED:
                raise ValueError(str(unknown("shipped gene set", name, SHIPPED)))
        if len(set(value)) != len(value):
            raise ValueError("a shipped gene set is named twice; expected every name once")
        return value

    def resolved(self, base: Path) -> GeneSetConfig:
        """Return the same settings with the files' paths made absolute against ``base``."""
        return self.model_copy(update={"files": tuple(one.resolved(base) for one in self.files)})
