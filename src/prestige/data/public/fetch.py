"""A set of public data by its name -> a dataset.yaml that runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prestige.compute.files import write_text
from prestige.compute.locks import held
from prestige.compute.progress import say
from prestige.data.cache import default_cache_dir
from prestige.data.public.archives import unpack
from prestige.data.public.download import download
from prestige.data.public.entries import PublicFile, PublicSet, Wanted, public_sets, wanted
from prestige.data.spec import DatasetConfig, SampleSpec
from prestige.errors import DataError, StorageError, storing
from prestige.inputs import read_json_object, real_path
from prestige.settings import build, parse
from prestige.settings.written import scalar, short_path
from prestige.text import some

FOLDER = "public"
"""The folder of the cache in which downloads lie; its size limit does not count them."""

_CHECKSUMS, _LOCK = "checksums.json", ".lock"
_FIRST_LINE = "# Written by `prestige data fetch"
_PATHS = (
    "path",
    *(name for name, field in SampleSpec.model_fields.items() if "Path" in str(field.annotation)),
)


@dataclass(frozen=True)
class Fetched:
    """What was fetched.

    Attributes
    ----------
    path
        The dataset.yaml.
    samples
        Its samples.
    notes
        Where the data lie and what is to be known of them, a sentence each.
    """

    path: Path
    samples: tuple[str, ...]
    notes: tuple[str, ...]


def fetch(
    name: str, out: Path | str | None = None, *, sets: Mapping[str, PublicSet] | None = None
) -> Fetched:
    """Provide a public data set, or one sample of it, and write the dataset.yaml that names it.

    A copy below ``$PRESTIGE_DATA`` is taken as it is, and no connection is opened.  Otherwise the files are
    downloaded into the cache, each once: checked by their checksums, resumed after a cut.

    Parameters
    ----------
    name
        Of a set (``her2st``), or of a sample of it (``her2st/B4``, ``hest/TENX99``).
    out
        The yaml to write; beside the downloads by default.

    Raises
    ------
    ConfigError
        When there is no such set or sample.
    DataError
        When a file cannot be downloaded, or is another than it was or should be.
    StorageError
        When the disk is full, or another file has the yaml's name.
    """
    asked = wanted(name, public_sets() if sets is None else sets)
    store = default_cache_dir() / FOLDER / asked.name
    out = store / f"{'dataset' if asked.one is None else asked.one}.yaml" if out is None else Path(out)
    _refuse_other(out)
    root, samples, notes = _copy(asked) or _downloaded(asked, store)
    text = _yaml(asked, root, samples, out.parent)
    build(DatasetConfig, parse(text, where=out), where=out)
    write_text(out, text)
    of_set = asked.set
    notes = [*notes, f"licence: {of_set.licence}; {of_set.page}", f"please cite: {of_set.citation}"]
    return Fetched(out, tuple(samples), tuple(notes))


def copy_of(name: str) -> Path | None:
    """Return the folder of a set below ``$PRESTIGE_DATA``, if there is one."""
    named = os.environ.get("PRESTIGE_DATA")
    folder = Path(named) / name if named else None
    return folder if folder is not None and folder.is_dir() else None


def _refuse_other(out: Path) -> None:
    if not os.path.lexists(out):
        return
    ours = False
    if out.is_file():
        with storing(out):
            ours = out.read_bytes()[: len(_FIRST_LINE)] == _FIRST_LINE.encode()
    if not ours:
        raise StorageError(
            "is there already, and `prestige data fetch` did not write it",
            where=out,
            remedy="name another file with --out, or move it away",
        )


def _copy(asked: Wanted) -> tuple[Path, list[str], list[str]] | None:
    """Return the folder, samples and notes of a copy that holds a whole sample."""
    folder = copy_of(asked.name)
    if folder is None:
        return None
    known = list(asked.ids) if asked.one is not None else sorted({*asked.ids, *_ids_in(asked, folder)})
    lacks = {
        one: [path for path in asked.files_of_copy(one) if not (folder / path).is_file()] for one in known
    }
    whole = [one for one in known if not lacks[one]]
    if not whole:
        first = lacks[known[0]] if known else []
        say(
            f"note: the copy in {folder} holds no whole sample"
            + (f": it lacks {some(first)}" if first else "")
        )
        return None
    notes = [
        f"the copy in {folder} is taken: {len(whole)} sample{'s' * (len(whole) > 1)}, nothing is downloaded"
    ]
    absent = [one for one in asked.ids if lacks[one]]
    if absent:
        notes.append(f"not in the copy: {some(absent)}; without PRESTIGE_DATA they are downloaded")
    return real_path(folder), whole, notes


def _ids_in(asked: Wanted, folder: Path) -> list[str]:
    """Return the samples of a copy that the registry does not list, by the names of their first files."""
    pattern = next((file.path for file in asked.set.files if "{id}" in file.path), None)
    if pattern is None or asked.set.patient_of is None:
        return []
    before, _, after = Path(pattern).name.partition("{id}")
    there = folder / Path(pattern).parent
    names = [path.name for path in there.iterdir()] if there.is_dir() else []
    return [
        one
        for name in names
        if name.startswith(before)
        and name.endswith(after)
        and re.match(asked.set.patient_of, one := name[len(before) : len(name) - len(after)])
    ]


def _downloaded(asked: Wanted, store: Path) -> tuple[Path, list[str], list[str]]:
    """Download what is not there yet; one process at a time works on a set."""
    with storing(store):
        store.mkdir(parents=True, exist_ok=True)
        (store / _LOCK).touch()
    notes = [f"the files lie in {store}"]
    if asked.set.gigabytes:
        say(f"{asked.name}: about {asked.set.gigabytes:g} GB are downloaded where they are not there yet")
    with held(store / _LOCK, wait=True):
        record = _Record(store)
        for sample in asked.ids:
            for file in asked.files(sample):
                if words := _provide(file, asked, store, record):
                    notes.append(words)
    return real_path(store), list(asked.ids), list(dict.fromkeys(notes))


def _provide(file: PublicFile, asked: Wanted, store: Path, record: _Record) -> str | None:
    """Let a file lie in the folder of the set, whole; say it when its checksum is taken on trust."""
    if all(record.holds(part) for part in file.parts):
        return None
    known = file.checksum or record.checksum(file.path)
    target = store / file.path
    if not target.is_file() or not record.holds(file.path):
        target.unlink(missing_ok=True)
        download(file.url, target, checksum=known, headers=_headers(asked), where=asked.name)
        record.keep(file.path, file.url)
    if file.into is not None:
        members = unpack(target, store / file.into, file.unpack, file.may_hold)
        for name in members:
            record.keep(f"{file.into}/{name}", f"{file.url}, {name}")
        target.unlink()
    if file.checksum is None:
        return (
            "of some files no checksum is published: that of the first download is kept and holds from now on"
        )
    return None


def _headers(asked: Wanted) -> dict[str, str]:
    of_set = asked.set
    token = os.environ.get(of_set.token, "").strip() if of_set.token else ""
    if of_set.token and not token:
        raise DataError(
            f"is downloaded with an account that accepted the terms on {of_set.page}",
            where=asked.name,
            expected=f"its token in the environment variable {of_set.token}",
            remedy="accept the terms, set the variable, and run the same command again",
        )
    return {"Authorization": f"Bearer {token}"} if token else {}


class _Record:
    """Checksums of what was downloaded: a file that changes later is refused."""

    def __init__(self, store: Path) -> None:
        self._store, self._path = store, store / _CHECKSUMS
        self._known: dict[str, Any] = {}
        if self._path.exists():
            remedy = "delete it: the files are then downloaded again"
            self._known = read_json_object(self._path, expected="checksums of downloads", remedy=remedy)

    def checksum(self, path: str) -> str | None:
        """Return that of an earlier download of the file, as ``sha256:...``."""
        entry = self._known.get(path)
        return f"sha256:{entry['sha256']}" if isinstance(entry, dict) and "sha256" in entry else None

    def holds(self, path: str) -> bool:
        """Whether a file is there as it was downloaded; False where it is not there.

        Raises
        ------
        DataError
            When it is another one by now.
        """
        known, file = self.checksum(path), self._store / path
        if known is None or not file.is_file():
            return False
        if f"sha256:{_sha256(file)}" != known:
            raise DataError(
                "is not the file that was downloaded",
                where=file,
                expected=known,
                remedy="delete it to download it again",
            )
        return True

    def keep(self, path: str, url: str) -> None:
        """Note the checksum of a file that has just been downloaded or unpacked."""
        file = self._store / path
        self._known[path] = {"sha256": _sha256(file), "bytes": file.stat().st_size, "from": url}
        write_text(self._path, json.dumps(self._known, indent=1) + "\n")


def _sha256(path: Path) -> str:
    with storing(path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _yaml(asked: Wanted, root: Path, samples: Sequence[str], base: Path) -> str:
    of_set = asked.set
    lines = [
        f"{_FIRST_LINE} {asked.name}{'' if asked.one is None else '/' + asked.one}`.",
        f"# {of_set.what}",
        f"# {of_set.licence}; {of_set.page}",
        f"# Please cite: {of_set.citation}",
        f"name: {asked.name}",
        "samples:",
    ]
    for one in samples:
        lines += [f"  - id: {scalar(one)}", f"    source: {of_set.source}"]
        for key, value in of_set.keys.items():
            if key in _PATHS:
                value = scalar(short_path(root / value.format_map({"id": one}), base))
            lines.append(f"    {key}: {value}")
        lines.append(f"    patient: {scalar(_patient(asked, root, one))}")
    return "\n".join(lines) + "\n"


def _patient(asked: Wanted, root: Path, sample: str) -> str:
    own, of_set = asked.set.samples.get(sample), asked.set
    if own is not None:
        return own.patient
    if of_set.patient_of is not None and (found := re.match(of_set.patient_of, sample)):
        return found[0]
    if of_set.patient_in is not None:
        path = root / of_set.patient_in.format_map({"id": sample})
        named = read_json_object(path, expected="metadata of the sample").get("patient")
        if isinstance(named, str) and named.strip():
            return named.strip()
    return sample
