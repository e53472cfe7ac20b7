"""The shipped gene sets: a curated list each, and named sets of open collections where these are at hand."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from prestige.errors import ConfigError, PrestigeError, raise_all, unknown
from prestige.genesets.gmt import GeneSet, read_gmt
from prestige.genesets.settings import SHIPPED, GeneSetConfig
from prestige.settings import Settings, build, parse

_TITLES = {"hallmark": "Hallmark", "reactome": "Reactome", "go": "GO Biological Process"}


class _Group(Settings):
    role: str
    sources: tuple[str, ...]
    genes: tuple[str, ...]


class _Entry(Settings):
    description: str
    hallmark: tuple[str, ...]
    reactome: tuple[str, ...]
    go: tuple[str, ...]
    curated: tuple[_Group, ...]


class _Shipped(Settings):
    files: dict[str, str]
    sources: dict[str, str]
    sets: dict[str, _Entry]


@cache
def _shipped() -> _Shipped:
    resource = files("prestige.genesets").joinpath("shipped.yaml")
    return build(
        _Shipped, parse(resource.read_text(encoding="utf-8"), where=resource.name), where=resource.name
    )


def shipped_sets(data_dir: Path | str | None = None, names: Sequence[str] = SHIPPED) -> dict[str, GeneSet]:
    """Return the shipped gene sets: curated genes first, then those of the collections.

    Parameters
    ----------
    data_dir
        The folder in which ``genesets/`` holds the GMT files of the collections (MSigDB Hallmark 7.0,
        Reactome, GO Biological Process 2021).  By default the one that the environment variable
        ``PRESTIGE_DATA`` names.  Without a file its part is left out, and the set's notes say so.
    names
        Which sets, in the order wanted.

    Raises
    ------
    ConfigError
        For a name that is not shipped.
    DataError
        When a file is there and is no GMT file.
    """
    content = _shipped()
    for name in names:
        if name not in content.sets:
            raise unknown("shipped gene set", name, content.sets)
    collections, absent = _collections(data_dir)
    return {name: _made(name, content.sets[name], collections, absent) for name in names}


def collect_sets(config: GeneSetConfig) -> dict[str, GeneSet]:
    """Return every gene set that the settings name and that needs no training data, by name.

    Raises
    ------
    ConfigError
        When ``only`` names a set that its file lacks, or two sets have one name.
    DataError
        When a GMT file is missing or wrong.
    """
    sets = shipped_sets(names=config.shipped)
    faults: list[PrestigeError] = []
    for entry in config.files:
        held = read_gmt(entry.path)
        for name in held if entry.only is None else entry.only:
            if name not in held:
                faults.append(unknown("gene set", name, held, where=entry.path))
            elif name in sets:
                faults.append(_twice(name, entry.path, sets[name].source))
            else:
                sets[name] = held[name]
    raise_all(faults)
    return sets


def _twice(name: str, path: Path, source: str) -> ConfigError:
    return ConfigError(
        f"the gene set '{name}' comes from {source} too",
        where=path,
        expected="every name once",
        remedy="rename it, or leave it out with `only`",
    )


def _collections(data_dir: Path | str | None) -> tuple[dict[str, Mapping[str, GeneSet]], dict[str, str]]:
    """Return the collections at hand, and for the others why they are not."""
    named = data_dir if data_dir is not None else os.environ.get("PRESTIGE_DATA")
    held: dict[str, Mapping[str, GeneSet]] = {}
    absent = {}
    for key, file in _shipped().files.items():
        path = None if not named else Path(named).expanduser() / "genesets" / file
        if path is None:
            absent[key] = f"{_TITLES[key]} is left out: PRESTIGE_DATA names no folder with genesets/{file}"
        elif not path.is_file():
            absent[key] = f"{_TITLES[key]} is left out: no file {path}"
        else:
            held[key] = _collection(path, path.stat().st_mtime_ns)
    return held, absent


@cache
def _collection(path: Path, modified_ns: int) -> Mapping[str, GeneSet]:
    """Read a collection once; a bench asks for it in every fold."""
    return read_gmt(path)


def _made(
    name: str, entry: _Entry, collections: Mapping[str, Mapping[str, GeneSet]], absent: Mapping[str, str]
) -> GeneSet:
    genes = [gene for group in entry.curated for gene in group.genes]
    sources = [f"curated list of {len(genes)} genes"]
    notes = []
    for key, title in _TITLES.items():
        wanted: tuple[str, ...] = getattr(entry, key)
        if wanted and key in absent:
            notes.append(absent[key])
            continue
        present = [one for one in wanted if one in collections.get(key, {})]
        notes += [f"{title} has no set '{one}'" for one in wanted if one not in present]
        for one in present:
            genes += collections[key][one].genes
        if present:
            sources.append(f"{title} ({', '.join(present)})")
    if len(sources) == 1:
        notes.append("curated list only")
    return GeneSet(name, tuple(dict.fromkeys(genes)), "; ".join(sources), entry.description, tuple(notes))
