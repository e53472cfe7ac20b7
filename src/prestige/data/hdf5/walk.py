"""The walk through an HDF5 file of unknown origin, in a process that may be lost over it.

HDF5 loops for ever on some damaged files, and ends the process over others.  So a process that does nothing
else visits every group, data set, attribute and text first, with limits on its time and memory, and says what
it found.  It reads no large array: those hold no structure.

This module is run as a program (``opened.py`` starts it) and imports nothing large but h5py.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from prestige.errors import DataError, PrestigeError, reading

FILTERS = {1: "gzip", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
"""Filters that h5py brings; all others are programs that HDF5 would look for on this machine."""

_TRUSTED = {1, 2, 3, 32000}  # what they unpack wrongly ends in an error
_EXPANSION = 1100  # gzip makes at most 1032 bytes of one
_ALLOWANCE = 64 << 20  # bytes that may be declared and never written, which read as zeros
_SMALL = 1 << 16  # bytes; data sets up to here are read
_TEXTS = 4096  # read in one piece
_PATHS = 100_000  # ways from the root to an object
_DEPTH = 100
_MEMORY = 1 << 29  # bytes beside four times the file
_SECONDS, _BYTES_PER_SECOND = 2.0, 10e6  # of the processor


def serve() -> None:
    """Answer a line of JSON (the path of a file) with a line of JSON, until there is none.

    An answer is what :func:`walk` returns.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these are for the parent, which then ends this process
    for line in sys.stdin:
        path = json.loads(line)
        _limit(os.path.getsize(path))
        answer = walk(path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit(size: int) -> None:
    """Let the system end this process when it takes longer or more memory than any sound file asks for."""
    import resource

    signal.setitimer(signal.ITIMER_PROF, _SECONDS + size / _BYTES_PER_SECOND)
    with suppress(OSError, ValueError):  # not every system knows these
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY + 4 * size, hard))


def walk(path: str) -> dict[str, Any]:
    """Visit all of a file and return what is wrong with its structure.

    Values that cannot be read are passed over: they are told when they are asked for.

    Returns
    -------
    "fault" (element, what is wrong, remedy) or null, and "filters": number of a filter that h5py does not
    bring -> an element that names it.
    """
    import h5py

    found = _Walk(os.path.getsize(path))
    fault = None
    try:
        with _passing("/"), h5py.File(path, "r") as file:
            found.visit(file)
    except _Found as error:
        fault = error.where, error.what, error.remedy
    return {"fault": fault, "filters": found.filters}


class _Found(PrestigeError):
    """Something that no sound table has; the walk ends."""


@contextmanager
def _passing(where: str, damaged: str | None = None) -> Iterator[None]:
    """Pass over what cannot be read, unless for want of memory; refuse what is ``damaged``.

    Refused are elements whose structure cannot be read: whoever comes near them would fail over them.
    """
    try:
        with reading(where):
            yield
    except DataError as error:
        if isinstance(error.__cause__, MemoryError):
            raise _Found("asks for more memory than its size explains", where=where) from None
        if damaged is not None:
            raise _Found(f"is damaged: {damaged}", where=where) from None


class _Walk:
    """What was seen of a file: its objects by address, and the links between them."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.filters: dict[int, str] = {}
        self._name: dict[int, str] = {}  # address -> a path to the object
        self._children: dict[int, list[int]] = defaultdict(list)
        self._soft: list[tuple[int, Any, str]] = []

    def visit(self, root: Any) -> None:
        """Go through all objects, then through the links that may lead back.

        Raises
        ------
        _Found
            What is wrong with the structure.
        """
        with _passing("/", "it cannot be opened"):
            self._name[_address(root)] = "/"
        waiting = [root]
        while waiting:
            waiting.extend(self._groups_in(waiting.pop()))
        self._soft_links()
        self._circles()

    def _groups_in(self, group: Any) -> list[Any]:
        """Look at the objects in a group; return those that are groups and were not met before."""
        groups: list[Any] = []
        at = _address(group)
        self._attributes(group, self._name[at])
        for name in _listed(group, self._name[at]):
            path = f"{self._name[at].rstrip('/')}/{name}"
            with _passing(path):
                self._follow(group, at, name, path, groups)
        return groups

    def _follow(self, group: Any, at: int, name: str, path: str, groups: list[Any]) -> None:
        import h5py

        link = group.get(name, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _Found("links to another file", where=path, remedy="copy what it links to into the file")
        if isinstance(link, h5py.SoftLink):
            self._soft.append((at, group, name))
            return
        with _passing(path, "it cannot be opened"):
            thing = group[name]
            address = _address(thing)
        self._children[at].append(address)
        if address in self._name:
            return
        self._name[address] = path
        if isinstance(thing, h5py.Group):
            groups.append(thing)
            return
        self._attributes(thing, path)
        if isinstance(thing, h5py.Dataset):
            self._dataset(thing, path)

    def _soft_links(self) -> None:
        """Follow the links by name, now that it is known that none leads out of the file."""
        for at, group, name in self._soft:
            with _passing(name):
                address = _address(group[name])
                if address in self._name:
                    self._children[at].append(address)

    def _attributes(self, thing: Any, path: str) -> None:
        for name in _names(thing.attrs):
            with _passing(path):
                attribute = thing.attrs.get_id(name)
                size = math.prod(attribute.shape or ()) * attribute.get_type().get_size()
                if size > self.size + _SMALL:
                    raise _Found(f"declares an attribute of {size:,} bytes", where=path)
                _ = thing.attrs[name]

    def _dataset(self, data: Any, path: str) -> None:
        import h5py

        plan = data.id.get_create_plist()
        if plan.get_layout() == h5py.h5d.VIRTUAL or plan.get_external_count():
            raise _Found(
                "takes its values from another file", where=path, remedy="write the values into the file"
            )
        filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
        for number in filters - set(FILTERS):
            self.filters.setdefault(int(number), path)
        item = data.id.get_type().get_size()
        declared = math.prod(data.shape or ()) * item
        stored = data.id.get_storage_size()  # this visits the index of all chunks
        most = min(stored, self.size) * (_EXPANSION if filters else 1) + _ALLOWANCE
        if max(declared, math.prod(data.chunks or ()) * item) > most:
            raise _Found(f"declares {declared:,} bytes, of which the file holds {stored:,}", where=path)
        if not filters <= set(FILTERS):
            return
        if data.dtype.hasobject:
            self._texts(data, path)
        elif not filters <= _TRUSTED:
            for piece in data.iter_chunks():
                _ = data[piece]
        elif declared <= _SMALL:
            _ = data[()]

    def _texts(self, data: Any, path: str) -> None:
        """Read values of any length, which may all point to one."""
        if not data.shape:
            _ = data[()]
            return
        length = 0
        rows = max(1, _TEXTS // max(1, math.prod(data.shape[1:])))
        for start in range(0, data.shape[0], rows):
            values = data[start : start + rows].ravel()
            length += sum(len(value) for value in values if hasattr(value, "__len__"))
            if length > 2 * self.size + _SMALL:
                raise _Found(f"unpacks {self.size:,} bytes to more than {length:,}", where=path)

    def _circles(self) -> None:
        """Refuse groups that hold themselves, and links whose ways multiply."""
        entries = defaultdict(int)
        for children in self._children.values():
            for child in children:
                entries[child] += 1
        root = next(iter(self._name))
        ways, depth = defaultdict(int, {root: 1}), defaultdict(int)
        waiting, left = [root] if not entries[root] else [], len(self._name)
        while waiting:
            at, left = waiting.pop(), left - 1
            for child in self._children[at]:
                ways[child] += ways[at]
                depth[child] = max(depth[child], depth[at] + 1)
                entries[child] -= 1
                if not entries[child]:
                    waiting.append(child)
        if left:
            raise _Found("has a group that lies in itself", where="/")
        if sum(ways.values()) > len(ways) + _PATHS:
            raise _Found(f"{len(ways):,} elements are linked in {sum(ways.values()):,} ways", where="/")
        if max(depth.values(), default=0) > _DEPTH:
            raise _Found(f"groups lie in groups, {max(depth.values()):,} deep", where="/")


def _address(thing: Any) -> int:
    from h5py import h5o  # pyright: ignore[reportAttributeAccessIssue]

    return h5o.get_info(thing.id).addr


def _listed(group: Any, where: str) -> list[str]:
    """Return the names in a group, each of which is found there, as is that names beside it are not.

    Whoever asks for a name goes through the same tree, and would fail over it.
    """
    with _passing(where, "what lies in it cannot be listed"):
        names = list(group)
        for name in ("!", *names):
            _ = name in group and group.get(name, getlink=True)
            _ = f"{name}~" in group
    return names


def _names(mapping: Any) -> list[str]:
    names: list[str] = []
    with _passing("/"):
        names = list(mapping)
    return names


if __name__ == "__main__":
    serve()
