"""Texts that may be packed by gzip, whatever their names say: unpacked as they are read, within bounds."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prestige.errors import DataError, reading
from prestige.inputs import plain_file

MOST_BYTES = 1 << 31
"""No list of names, places or counts that is read as text is larger when it is unpacked."""

_GZIP = b"\x1f\x8b"


@contextmanager
def opened_text(path: Path, *, expected: str, most_bytes: int = MOST_BYTES) -> Iterator[Any]:
    """Open a text, packed by gzip or not, and give its bytes.

    Parameters
    ----------
    expected
        What the file should be, for messages.
    most_bytes
        Beyond so many unpacked bytes, reading ends with an error.

    Raises
    ------
    DataError
        When it is missing or no regular file.
    """
    path = plain_file(path, expected=expected)
    with reading(path, expected=expected):
        plain = path.open("rb")
    with plain:
        with reading(path, expected=expected):
            packed = plain.peek(2)[:2] == _GZIP
        raw = _Bounded(gzip.GzipFile(fileobj=plain) if packed else plain, path, expected, most_bytes)
        with io.BufferedReader(raw, buffer_size=1 << 20) as stream:
            yield stream


def text_of(path: Path, *, expected: str, most_bytes: int = 1 << 28) -> str:
    """Return a text in UTF-8, with or without a byte order mark, packed by gzip or not.

    Raises
    ------
    DataError
        When it is missing, damaged, larger than ``most_bytes`` or no text in UTF-8.
    """
    with (
        opened_text(path, expected=expected, most_bytes=most_bytes) as stream,
        reading(path, expected=expected),
    ):
        return stream.read().decode("utf-8-sig")


class _Bounded(io.RawIOBase):
    """A stream that ends with an error where it gives more than it may."""

    def __init__(self, stream: Any, path: Path, expected: str, most: int) -> None:
        self._stream, self._path, self._expected, self._left = stream, path, expected, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._stream.readinto(buffer)
        self._left -= n
        if self._left < 0:
            raise DataError("is larger than it may be, unpacked", where=self._path, expected=self._expected)
        return n
