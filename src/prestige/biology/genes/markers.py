"""Marker genes of cell types: the shipped table, with a source for each type, or a table of the user's."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import Field

from prestige.errors import ConfigError, raise_all, unknown
from prestige.genesets import GeneSet
from prestige.settings import Settings, build, parse, read_yaml

_FILE = "markers.yaml"


class _Type(Settings):
    genes: tuple[str, ...] = Field(min_length=1)
    sources: tuple[str, ...] = Field(min_length=1)


class _Markers(Settings):
    sources: dict[str, str]
    tissues: dict[str, dict[str, _Type]] = Field(min_length=1)


@cache
def _shipped() -> _Markers:
    resource = files("prestige.biology").joinpath(_FILE)
    return build(_Markers, parse(resource.read_text(encoding="utf-8"), where=_FILE), where=_FILE)


def tissues() -> tuple[str, ...]:
    """Return the tissues that have shipped markers."""
    return tuple(_shipped().tissues)


def markers(tissue: str, path: Path | None = None) -> dict[str, GeneSet]:
    """Return cell type -> its marker genes, each with its source.

    Parameters
    ----------
    tissue
        One of :func:`tissues`, or a tissue of the file.
    path
        A yaml of the user's in the form of the shipped one: ``sources`` (key -> citation) and ``tissues``
        (tissue -> type -> ``genes`` and ``sources``).

    Raises
    ------
    ConfigError
        When the tissue is not known, or the file is wrong: a source that is not there, a gene twice in a
        type.
    """
    content = _shipped() if path is None else build(_Markers, read_yaml(path), where=path)
    where = _FILE if path is None else str(path)
    if tissue not in content.tissues:
        raise unknown("tissue", tissue, content.tissues, where=where)
    types = content.tissues[tissue]
    raise_all([fault for name, one in types.items() for fault in _faults(name, one, content, where)])
    return {
        name: GeneSet(
            name, one.genes, "; ".join(content.sources[key] for key in one.sources), f"{tissue}: {name}"
        )
        for name, one in types.items()
    }


def _faults(name: str, one: _Type, content: _Markers, where: str) -> list[ConfigError]:
    faults = [
        unknown("source", key, content.sources, where=f"{where}, {name}")
        for key in one.sources
        if key not in content.sources
    ]
    twice = sorted({gene for gene in one.genes if one.genes.count(gene) > 1})
    if twice:
        faults.append(ConfigError(f"names {', '.join(twice)} twice", where=f"{where}, {name}"))
    return faults
