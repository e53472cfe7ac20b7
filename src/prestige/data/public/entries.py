"""`registry.yaml`: which public data there are, file by file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from prestige.errors import ConfigError, unknown
from prestige.settings import Settings, build, read_yaml

REGISTRY = Path(__file__).with_name("registry.yaml")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


class PublicFile(Settings):
    """One file of a set as the registry describes it; ``{id}`` and further words stand for a sample's own.

    Attributes
    ----------
    path
        Where it lies below the folder of the set.
    url
        Where it is downloaded from.
    checksum
        ``ALGORITHM:DIGEST``, where one is published.
    into, unpack, may_hold
        Of an archive: the folder that its members are unpacked into, those that have to be in it, and those
        that are taken where they are.
    """

    path: str
    url: str
    checksum: str | None = None
    into: str | None = None
    unpack: tuple[str, ...] = ()
    may_hold: tuple[str, ...] = ()

    def of(self, words: Mapping[str, str]) -> PublicFile:
        """Return the file of one sample."""
        checksum = None if self.checksum is None else self.checksum.format_map(words)
        told = {"path": self.path.format_map(words), "url": self.url.format_map(words), "checksum": checksum}
        return self.model_copy(update=told)

    @property
    def parts(self) -> tuple[str, ...]:
        """What has to lie in the folder of the set: itself, or the members of the archive."""
        return tuple(f"{self.into}/{name}" for name in self.unpack) if self.into is not None else (self.path,)


class PublicSample(Settings):
    """One sample of a set: whose tissue it is, and what stands for ``{word}`` in the files."""

    patient: str
    words: dict[str, str] = Field(default_factory=dict)


class PublicSet(Settings):
    """One set of public data.

    Attributes
    ----------
    what, licence, citation, page
        For people.
    source
        The source by which dataset.yaml names its samples.
    gigabytes
        About what is downloaded.
    token
        The environment variable that holds the token of an account, where downloads ask for one.
    keys
        Keys of a sample in dataset.yaml; those that are paths are below the folder of the set.
    files
        The files.
    samples
        Sample -> what is its own.
    any_sample
        Whether a sample may have any id.
    patient_of
        The part of an id, as a regular expression, that is the patient's name, for samples
        that are not listed.
    patient_in
        A JSON file of the sample whose ``patient`` names it.
    """

    what: str
    source: str
    licence: str
    citation: str
    page: str
    gigabytes: float | None = None
    token: str | None = None
    keys: dict[str, str]
    files: tuple[PublicFile, ...]
    samples: dict[str, PublicSample] = Field(default_factory=dict)
    any_sample: bool = False
    patient_of: str | None = None
    patient_in: str | None = None


@dataclass(frozen=True)
class Wanted:
    """What was asked for: a set, and the ids of its samples; all of them where ``one`` is None."""

    name: str
    set: PublicSet
    one: str | None

    @property
    def ids(self) -> tuple[str, ...]:
        """The samples that are downloaded."""
        return (self.one,) if self.one is not None else tuple(self.set.samples)

    def files(self, sample: str) -> list[PublicFile]:
        """Return the files of one sample."""
        own = self.set.samples.get(sample)
        words = {"id": sample} | (own.words if own is not None else {})
        return [file.of(words) for file in self.set.files]

    def files_of_copy(self, sample: str) -> list[str]:
        """Return what has to lie in a copy for a sample, whether or not the registry lists it."""
        return [part.format_map({"id": sample}) for file in self.set.files for part in file.parts]


def public_sets(path: Path = REGISTRY) -> dict[str, PublicSet]:
    """Return all sets by name."""
    return {name: build(PublicSet, entry, where=f"{path}, {name}") for name, entry in read_yaml(path).items()}


def wanted(name: str, sets: Mapping[str, PublicSet]) -> Wanted:
    """Return the set, or the one sample of it, that a name asks for: ``her2st``, ``her2st/B4``.

    Raises
    ------
    ConfigError
        When there is none of that name; the message names the nearest one.
    """
    of_set, slash, sample = name.partition("/")
    if of_set not in sets:
        raise unknown("public data set", of_set, list(sets))
    found = sets[of_set]
    if found.any_sample:
        if not _ID.fullmatch(sample):
            raise ConfigError(
                f"'{name}' is no sample's id" if slash else "is more than is downloaded at once",
                where=of_set,
                expected=f"one sample of it: {of_set}/ID",
                remedy=f"its ids stand on {found.page}",
            )
        return Wanted(of_set, found, sample)
    if not slash:
        return Wanted(of_set, found, None)
    if sample not in found.samples:
        raise unknown("sample", sample, list(found.samples), where=of_set)
    return Wanted(of_set, found, sample)
