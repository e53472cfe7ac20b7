"""dataset.yaml: which samples there are, where they lie and whose they are."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from prestige.errors import PrestigeError, raise_all, unknown
from prestige.settings import Settings, build, read_yaml, resolve_path

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class SampleSpec(Settings):
    """One sample as dataset.yaml names it.

    Parameters
    ----------
    id
        Name of the sample, unique in the data set; also the name of its prediction file.
    source
        The reader: ``challenge``, ``hest`` or ``prepared``.
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


def read_dataset(path: Path | str) -> DatasetConfig:
    """Read dataset.yaml; paths in it become absolute against the folder it lies in.

    Raises
    ------
    ConfigError
        When the file is missing or holds an unknown key, a wrong value or an unknown source.

    Examples
    --------
    >>> import prestige
    >>> [sample.id for sample in prestige.read_dataset("phantom/dataset.yaml").samples]
    ['P1_S1', 'P2_S1', 'P3_S1', 'P4_S1']
    """
    path = Path(path)
    from prestige.data.readers import readers

    config = build(DatasetConfig, read_yaml(path), where=path)
    faults: list[PrestigeError] = [
        unknown("source", sample.source, readers.names(), where=f"{path}, sample '{sample.id}'")
        for sample in config.samples
        if sample.source not in readers
    ]
    raise_all(faults)
    base = path.resolve().parent
    return config.model_copy(update={"samples": tuple(_absolute(sample, base) for sample in config.samples)})


def _absolute(sample: SampleSpec, base: Path) -> SampleSpec:
    expression = None if sample.expression is None else resolve_path(sample.expression, base)
    return sample.model_copy(update={"path": resolve_path(sample.path, base), "expression": expression})
