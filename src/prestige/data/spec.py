"""dataset.yaml: which samples there are, where they lie and whose they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from prestige.settings import Settings

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class SampleSpec(Settings):
    """One sample as dataset.yaml names it.

    Parameters
    ----------
    id
        Name of the sample, unique in the data set; also the name of its prediction file.
    source
        The reader, one of :data:`prestige.data.readers.SOURCES`.
    path
        The store, root folder or prepared folder that the reader expects.
    patient
        Whose tissue it is: never on two sides of a split.
    expression
        A further ``.h5ad`` of raw counts, joined on the observation's id (``challenge`` only).
    table
        The table to take, where a source holds several.
    um_per_px
        Width of a slide pixel in micrometres; overrides what the source says.
    covariates
        Anything else known of the sample (``condition: inflamed``).
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Name
    source: str
    path: Path
    patient: Annotated[str, Field(min_length=1)]
    expression: Path | None = None
    table: str | None = None
    um_per_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    covariates: dict[str, str] = Field(default_factory=dict)


class DatasetConfig(Settings):
    """A data set: a name and its samples, every id once."""

    name: Name
    samples: Annotated[tuple[SampleSpec, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ids_are_unique(self) -> DatasetConfig:
        twice = [name for name, count in Counter(sample.id for sample in self.samples).items() if count > 1]
        if twice:
            raise ValueError(f"the sample id '{twice[0]}' is given more than once; expected every id once")
        return self
