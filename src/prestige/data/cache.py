"""The cache of prepared samples: found by content, made once, safe with several processes.

``CACHE/index``      one small file a source path: (size, time) -> hash of the content, so it is hashed once
``CACHE/slides``     decoded pixels, one file a slide
``CACHE/samples``    prepared folders; their ``slide.npy`` is a hard link, so two tables of one slide share it

Each is written under another name and renamed when whole, so a crash leaves nothing that looks finished.
What is opened is compared with sizes, times and checksums that were kept of it (``card.py``).
It is kept within ``PRESTIGE_CACHE_GB`` (``eviction.py``).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from prestige.compute.files import remove_folder, whole_file, whole_folder, write_text
from prestige.compute.progress import Progress, say
from prestige.data.card import CARD, SLIDE, TABLE, fault_in
from prestige.data.eviction import limit_bytes, touch, trim
from prestige.data.prepared import Card, Prepared, read_prepared, write_prepared
from prestige.data.sample import Table, faults_in
from prestige.data.slides.slide import open_pixels
from prestige.errors import DataError, PrestigeError, StorageError, raise_all
from prestige.inputs import files_below, plain_file, read_json_object, real_path

_BLOCK = 1 << 22


@dataclass(frozen=True)
class Recipe:
    """How a reader makes a prepared sample out of its source.

    Parameters
    ----------
    source
        Name of the reader, with the version of what it makes: a new version prepares anew.
    where
        The sample, for messages.
    slide_files, table_files
        Role -> file or folder; their content is all that the pixels, and the table, depend on.
    write_slide
        Decodes the image into a file of numpy's format at the given path, which does not end in ``.npy``.
    read_table
        Reads the table, given the pixels.
    um_per_px, um_per_px_assumed
        What the source states or assumes of the width of a pixel.
    rules
        Names of the rules by which this very table is read otherwise than by earlier versions of its reader:
        it is prepared anew, under another name.  Tables that no such rule touches keep theirs.
    """

    source: str
    where: str
    slide_files: Mapping[str, Path]
    table_files: Mapping[str, Path]
    write_slide: Callable[[Path], None]
    read_table: Callable[[UInt8[np.ndarray, "height width 3"]], Table]
    um_per_px: float | None = None
    um_per_px_assumed: bool = False
    rules: tuple[str, ...] = ()


def default_cache_dir() -> Path:
    """Return ``$PRESTIGE_CACHE``, else ``~/.cache/prestige``."""
    named = os.environ.get("PRESTIGE_CACHE")
    return Path(named).expanduser() if named else Path.home() / ".cache" / "prestige"


def prepare(recipe: Recipe, cache_dir: Path) -> Prepared:
    """Return the prepared sample of a recipe, made now unless the cache has it.

    Raises
    ------
    DataError
        Whatever is wrong with the source; every fault of its table at once.
    StorageError
        When the cache cannot be written.
    """
    limit_bytes()  # what is wrong with it is told before anything is decoded
    with _storage(cache_dir):
        slide_key = digest(recipe.source, "slide", *_contents(recipe.slide_files, cache_dir))
        # The empty settings stand for those that no reader has: samples keep the names they were given.
        settings = json.dumps([{}, recipe.um_per_px, recipe.um_per_px_assumed])
        rules = [f"rule={rule}" for rule in recipe.rules]
        key = digest(slide_key, "table", settings, *_contents(recipe.table_files, cache_dir), *rules)
        folder = cache_dir / "samples" / key
        while True:
            touch(folder)
            if (fault := fault_in(folder)) is not None:
                slide = cache_dir / "slides" / f"{slide_key}.npy"
                if folder.exists():
                    say(f"note: {recipe.where}: in the cache, {fault}: it is prepared again")
                    _forget(folder, slide)
                try:
                    _slide(recipe, slide)
                    with whole_folder(folder, keep=True) as partial:
                        _make(recipe, partial, slide, key, slide_key)
                except FileNotFoundError as error:
                    if error.filename != str(slide) or slide.exists():
                        raise
                    continue  # another process has just removed the slide to stay within the limit
                trim(cache_dir, folder)
            try:
                return read_prepared(folder)
            except DataError:
                if fault_in(folder) is None:
                    raise
                # Removed between the two, likewise: it is made again.


def verify(cache_dir: Path) -> list[str]:
    """Read every byte of the prepared samples in the cache, and remove what is not as it was written.

    Returns
    -------
    A line for each sample that was removed: it is prepared again when it is needed.
    """
    removed = []
    folders = [one for one in sorted((cache_dir / "samples").glob("*")) if (one / CARD).is_file()]
    with Progress("verifying the cache", len(folders)) as progress:
        for folder in folders:
            if (fault := fault_in(folder, thorough=True)) is not None:
                slides = (cache_dir / "slides").glob("*.npy")
                same = [one for one in slides if (folder / SLIDE).exists() and one.samefile(folder / SLIDE)]
                _forget(folder, *same)
                removed.append(f"the cache's sample {folder.name}: {fault}: removed")
            progress.advance()
    return removed


def _forget(folder: Path, *slides: Path) -> None:
    """Remove a damaged entry, and its slide unless the entry's card still vouches for every byte of it."""
    fault = fault_in(folder, thorough=True) or ""
    for slide in slides if fault else ():
        with suppress(OSError):
            if not (fault.startswith(TABLE) and slide.samefile(folder / SLIDE)):
                slide.unlink()
    remove_folder(folder)


def digest(*parts: str) -> str:
    """Return a short hash of some strings."""
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=12).hexdigest()


def _make(recipe: Recipe, folder: Path, slide: Path, key: str, slide_key: str) -> None:
    try:
        os.link(slide, folder / SLIDE)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        shutil.copyfile(slide, folder / SLIDE)  # a file system without hard links
    pixels = open_pixels(folder / SLIDE)
    table = recipe.read_table(pixels)
    size = {"height_px": pixels.shape[0], "width_px": pixels.shape[1]}
    raise_all(faults_in(table, **size, where=recipe.where, counts="optional"))
    source = recipe.source.partition("/")[0]
    write_prepared(folder, table, Card(source, key, slide_key, recipe.um_per_px, recipe.um_per_px_assumed))


def _slide(recipe: Recipe, path: Path) -> None:
    """Decode the slide unless it is there."""
    if not path.is_file():
        with whole_file(path) as partial:
            recipe.write_slide(partial)


@contextmanager
def _storage(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, StorageError) as told:
        error = told.__cause__ if isinstance(told, StorageError) else told
        if not isinstance(error, OSError):
            raise
        named = os.fsdecode(error.filename) if error.filename else None
        if named is not None and not real_path(named).is_relative_to(real_path(cache_dir)):
            raise DataError(f"cannot be read ({error.strerror})", where=named) from error
        full = error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)
        raise StorageError(
            "the disk is full" if full else f"the cache cannot be used ({error})",
            where=cache_dir,
            expected="room for the decoded slide and its table" if full else "a folder that can be written",
            remedy="free some, or set PRESTIGE_CACHE to a folder with room",
        ) from error


def _contents(files: Mapping[str, Path], cache_dir: Path) -> list[str]:
    return [f"{role}={_content(_real(path), cache_dir / 'index')}" for role, path in sorted(files.items())]


def _real(path: Path) -> Path:
    """Return a folder or a regular file with its links followed: what has no end is not hashed."""
    if not path.is_dir():
        plain_file(path, expected="a file that can be read")
    return Path(os.path.realpath(path))


def _content(path: Path, index: Path) -> str:
    """Return the hash of a file's or folder's content: from the index while names, sizes and times stand."""
    files = files_below(path) if path.is_dir() else [path]
    stats = [(str(file.relative_to(path)), (stat := file.stat()).st_size, stat.st_mtime_ns) for file in files]
    state = digest(json.dumps(stats))
    entry = index / f"{digest(str(path))}.json"
    # A copy tool may give a changed file its old time, and none this one.
    changed = digest(json.dumps([file.stat().st_ctime_ns for file in files]))
    known: dict[str, Any] = {}
    with suppress(PrestigeError):  # not hashed yet, or an index entry that cannot be read: hash it
        known = read_json_object(entry, expected="an entry of the cache's index")
    content = known.get("content")
    stands = known.get("state") == state and known.get("changed", changed) == changed
    if not stands or not isinstance(content, str):
        content = _hash_files(path, files, sum(size for _, size, _ in stats))
    if not stands or known.get("content") != content or "changed" not in known:
        says = {"path": str(path), "state": state, "changed": changed, "content": content}
        write_text(entry, json.dumps(says))
    return content


def _hash_files(root: Path, files: list[Path], size: int) -> str:
    out = hashlib.blake2b(digest_size=16)
    with Progress(f"hashing {root.name}", size) as progress:
        for file in files:
            left = file.stat().st_size  # no more is read, whatever there is: some files have no end
            out.update(f"\0{file.relative_to(root).as_posix()}\0{left}\0".encode())
            with file.open("rb") as stream:
                while left > 0 and (block := stream.read(min(_BLOCK, left))):
                    out.update(block)
                    left -= len(block)
                    progress.advance(len(block))
    return out.hexdigest()
