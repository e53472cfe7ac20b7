"""The one way from a store on the disk into zarr: read-only, and nothing passes unchecked.

zarr asks a store for the bytes of a key.  This one gives metadata only when all that they name is on the
lists of :mod:`~prestige.data.stores.metadata`, as they were parsed for the check and never as they lie on
the disk; and chunks only from regular files inside the store that are whole.  What is never read is
consolidated metadata: a second description of the arrays, which would not have been checked.
"""

from __future__ import annotations

import asyncio
import builtins
import json
import stat
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any, Literal

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from prestige.data.stores.chunks import FREE_BYTES, MOST_RATIO, check_chunk, check_part
from prestige.data.stores.metadata import WHOLE, ArrayFacts, CodecError, checked_array
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import files_below, inside, is_stray, read_json_object

METADATA = frozenset({".zarray", ".zattrs", ".zgroup", "zarr.json"})
_CONSOLIDATED = frozenset({".zmetadata", "zmetadata"})
_MOST_METADATA_BYTES = 1 << 26
_EXPECTED = "the metadata of a zarr store, format 2 or 3"


class CheckedStore(Store):
    """An element of a store, for zarr to read.

    Parameters
    ----------
    root
        The folder of the element.
    where
        The element, for messages.
    within
        Folders that no link in it may lead out of.
    whole
        Whether its arrays are read at once, so that the sizes they declare are bounded, and not only those of
        their chunks.

    Raises
    ------
    DataError
        On opening for a codec that is not on the list, a link that leads out and for what is no file; later
        for whatever else is wrong with what zarr asks for: an array that nobody needs may be of any type.
    """

    def __init__(self, root: Path, where: str, *, within: tuple[Path, ...] = (), whole: bool = True) -> None:
        super().__init__(read_only=True)
        self.root, self._where, self._whole = root, where, whole
        self._within = (root, *within)
        self._arrays: dict[str, ArrayFacts] = {}
        self._metadata: dict[str, bytes | DataError | None] = {}
        self._is_open = True
        for path in files_below(root, within=self._within):
            if path.name in METADATA:
                key = path.relative_to(root).as_posix()
                try:
                    self._metadata[key] = self._parsed(key, path)
                except CodecError:
                    raise
                except DataError as error:
                    self._metadata[key] = error

    def __eq__(self, value: object) -> bool:
        return self is value

    def __str__(self) -> str:
        return f"file://{self.root.as_posix()}"

    @property
    def supports_writes(self) -> bool:
        """Nothing is written."""
        return False

    @property
    def supports_deletes(self) -> bool:
        """Nothing is removed."""
        return False

    @property
    def supports_listing(self) -> bool:
        """Keys can be listed."""
        return True

    @property
    def supports_partial_writes(self) -> Literal[False]:
        """Nothing is written."""
        return False

    @property
    def supports_consolidated_metadata(self) -> bool:
        """Metadata that describe other arrays are never read."""
        return False

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Return the bytes of a key, or of a part of it; None where there is none."""
        data = await asyncio.to_thread(self._read, key, byte_range)
        return None if data is None else prototype.buffer.from_bytes(data)

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> builtins.list[Buffer | None]:
        """Return the bytes of parts of keys."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Return whether there is a file of that key."""
        return self._path(key).is_file()

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Go over the keys that begin with a folder's."""
        folder = self._path(prefix.rstrip("/"))
        if folder.is_dir():
            for path in files_below(folder, within=self._within):
                yield path.relative_to(self.root).as_posix()

    async def list(self) -> AsyncIterator[str]:
        """Go over all keys."""
        async for key in self.list_prefix(""):
            yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Go over the names in a folder that are keys or lead to some."""
        folder = self._path(prefix.rstrip("/"))
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                if path.is_dir() or not is_stray(path.name):
                    yield path.name

    async def set(self, key: str, value: Buffer) -> None:
        """Refuse: nothing is written."""
        self._check_writable()

    async def set_partial_values(self, key_start_values: Iterable[tuple[str, int, bytes]]) -> None:
        """Refuse: nothing is written."""
        self._check_writable()

    async def delete(self, key: str) -> None:
        """Refuse: nothing is removed."""
        self._check_writable()

    def _path(self, key: str) -> Path:
        if any(part in ("", ".", "..") for part in key.split("/")) and key:
            raise self._fault(key, "is no name of an element")
        return self.root / key

    def _fault(self, key: str, what: str) -> DataError:
        return DataError(what, where=f"{self._where}, {key}", expected=WHOLE, remedy=AGAIN)

    def _read(self, key: str, part: ByteRequest | None) -> bytes | None:
        name = key.rpartition("/")[2]
        if name in _CONSOLIDATED:
            return None
        if name in METADATA:
            content = self._checked(key)
            return content if content is None or part is None else content[_span(part, len(content))]
        facts = self._facts(key)
        with reading(f"{self._where}, {key}", expected=WHOLE):
            data = self._bytes(key, part)
        if data is None or facts is None:
            return data
        with reading(f"{self._where}, {key}", part="the chunk", expected=WHOLE):
            if part is None:
                check_chunk(data, facts)
            elif facts.shard is not None and not isinstance(part, SuffixByteRequest):
                check_part(data, facts)
        return data

    def _bytes(self, key: str, part: ByteRequest | None) -> bytes | None:
        path = self._path(key)
        try:
            found = path.stat()
            if stat.S_ISDIR(found.st_mode):
                return None
            if not stat.S_ISREG(found.st_mode):
                raise self._fault(key, "is no file")
            if not inside(path, self._within):
                raise self._fault(key, "is a link that leads out of the store")
            span = slice(0, found.st_size) if part is None else _span(part, found.st_size)
            with path.open("rb") as file:
                file.seek(span.start)
                data = file.read(span.stop - span.start)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(data) != span.stop - span.start:
            raise self._fault(key, "is cut off")
        return data

    def _facts(self, key: str) -> ArrayFacts | None:
        """Return the facts of the array that a chunk belongs to."""
        while key:
            key = key.rpartition("/")[0]
            if key in self._arrays:
                return self._arrays[key]
        return None

    def _checked(self, key: str) -> bytes | None:
        """Return metadata as they were parsed and checked; None where there are none.

        Raises
        ------
        DataError
            When they are not read.
        """
        content = self._metadata.get(key)
        if isinstance(content, DataError):
            raise content
        return content

    def _parsed(self, key: str, path: Path) -> bytes:
        folder, _, name = key.rpartition("/")
        content: dict[str, Any] = read_json_object(
            path, expected=_EXPECTED, remedy=AGAIN, most_bytes=_MOST_METADATA_BYTES
        )
        where = f"{self._where}, {folder}" if folder else self._where
        self._check_node(name, content, where)
        with reading(where, expected=_EXPECTED):
            if name == ".zarray" or (name == "zarr.json" and content.get("node_type") == "array"):
                facts = checked_array(content, where)
                self._check_size(folder, facts, where)
                self._arrays[folder] = facts
            content.pop("consolidated_metadata", None)
            return json.dumps(content).encode()

    @staticmethod
    def _check_node(name: str, content: dict[str, Any], where: str) -> None:
        """Refuse metadata of another format, and of what is neither group nor array."""
        version, kind = content.get("zarr_format"), content.get("node_type")
        wrong = {
            ".zgroup": version != 2,
            ".zarray": version != 2,
            "zarr.json": version != 3 or kind not in ("array", "group"),
        }
        if wrong.get(name, False):
            said = f"zarr_format {version!r}" + (f", node_type {kind!r}" if name == "zarr.json" else "")
            raise DataError(f"'{name}' says {said}", where=where, expected=_EXPECTED, remedy=AGAIN)

    def _check_size(self, folder: str, facts: ArrayFacts, where: str) -> None:
        """Refuse an array that would take memory out of all proportion to what is stored of it."""
        declared = max(facts.chunk_nbytes, facts.nbytes if self._whole else 0)
        if declared <= FREE_BYTES:
            return
        stored = sum(path.stat().st_size for path in files_below(self.root / folder, within=self._within))
        if declared > FREE_BYTES + MOST_RATIO * stored:
            raise DataError(
                f"declares {declared:,} bytes, of which {stored:,} are stored",
                where=where,
                expected="a whole array",
                remedy=AGAIN,
            )


def _span(part: ByteRequest, size: int) -> slice:
    """Return the bytes that are asked for.

    Raises
    ------
    ValueError
        Where there are fewer.
    """
    if isinstance(part, RangeByteRequest):
        start, stop = part.start, part.end
    elif isinstance(part, OffsetByteRequest):
        start, stop = part.offset, size
    elif isinstance(part, SuffixByteRequest):
        start, stop = size - part.suffix, size
    else:
        raise TypeError(f"unexpected range {part!r}")
    if not 0 <= start <= stop <= size:
        raise ValueError("the chunk is cut off")
    return slice(start, stop)
