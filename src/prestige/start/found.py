"""A sample that was found, as dataset.yaml is to name it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

Value = str | float | bool | Path


@dataclass(frozen=True)
class Found:
    """One sample.

    Attributes
    ----------
    id, source, path
        As in dataset.yaml.
    what
        What it is, for the comment above it.
    patient
        Whose it is; None where no file says it.
    keys
        Further keys that the files settle.
    to_write
        Keys that somebody has to settle, each with what to write: they stand as comments.
    has_counts
        Whether it can be trained on.
    coarse
        Whether its observations are spots or bins rather than cells.
    """

    id: str
    source: str
    path: Path
    what: str
    patient: str | None = None
    keys: Mapping[str, Value] = field(default_factory=dict)
    covariates: Mapping[str, str] = field(default_factory=dict)
    to_write: Mapping[str, str] = field(default_factory=dict)
    has_counts: bool = True
    coarse: bool = False


def as_id(text: str) -> str:
    """Return a name that a sample may have."""
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "_", text).strip("_.-")
    return kept[:150] or "sample"


def stem_of(path: Path) -> str:
    """Return a file's name without what says its format: ``S1`` of ``S1.ome.tif`` and of ``S1.tsv.gz``."""
    name = path.name
    while (short := re.sub(r"\.[A-Za-z][A-Za-z0-9]{1,5}$", "", name)) != name and short:
        name = short
    return name


def renamed(found: Iterable[Found]) -> list[Found]:
    """Return samples with ids that differ, also for who does not tell upper from lower case."""
    taken: set[str] = set()
    out = []
    for one in found:
        name, number = one.id, 1
        while name.casefold() in taken:
            number += 1
            name = f"{one.id}_{number}"
        taken.add(name.casefold())
        out.append(replace(one, id=name))
    return out
