"""One file from its address to the disk: through pooch, resumed after a cut, checked by its checksum.

This is the one place of the package that opens a connection to fetch data.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from prestige.compute.progress import Progress
from prestige.data.platforms.extras import needed
from prestige.errors import NO_SPACE, DataError, StorageError, one_line, storage_error, storing

_CHUNK = 1 << 20
_TRIES = 5  # in a row without a byte
_PAUSE_SECONDS = 0.5
_TIMEOUT_SECONDS = 30
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_REASONS = {
    401: "it asks for an account, or does not know the token (401)",
    403: "it is refused (403): its terms have to be accepted on its page by the account of the token",
    404: "there is no such file any more (404)",
    410: "there is no such file any more (410)",
}


def download(
    url: str, target: Path, *, checksum: str | None, headers: Mapping[str, str] | None = None, where: str = ""
) -> None:
    """Download a file; it has its name when all of it is there and its checksum is right.

    What was downloaded before a cut stays beside it as ``NAME.part``, and the next try goes on from there.

    Parameters
    ----------
    url
        An https address (http on this machine alone).
    target
        The file.
    checksum
        ``ALGORITHM:DIGEST``; None takes any content.
    headers
        Further headers of the request.
    where
        What it is of, for messages.

    Raises
    ------
    DataError
        When there is no connection, no such file, or another content than the checksum says: one line each.
    StorageError
        When the disk is full or cannot be written; what is there stays.
    """
    needed("pooch", extra="readers")
    import pooch

    host = urlsplit(url).hostname or ""
    if not url.startswith("https://") and host not in _LOOPBACK:
        raise DataError("is no https address", where=url, expected="https://...")
    with storing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    getter = _Resuming(part, target.name, dict(headers or {}))
    downloader: Any = getter
    pooch.get_logger().setLevel("ERROR")  # it would say of each file what is said here
    try:
        pooch.retrieve(
            url,
            known_hash=checksum,
            fname=target.name,
            path=target.parent,
            downloader=downloader,
        )
        getter.forget()
    except ValueError as error:  # of pooch: the checksum, by which it has removed the file
        getter.forget()
        raise DataError(
            f"what came is not the file that is expected: its checksum is not {checksum}",
            where=url,
            expected="the file as it was published",
            remedy="it was removed; try again, and if it stays so the file was changed by its maker",
        ) from error
    except OSError as error:
        raise _told(error, url, host, part, where) from error


def _told(error: OSError, url: str, host: str, part: Path, where: str) -> DataError | StorageError:
    """Return what went wrong as one line with what can be done."""
    if error.errno in NO_SPACE or not hasattr(error, "response"):
        return storage_error(error, part)
    response: Any = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status is None:
        n_bytes = part.stat().st_size if part.exists() else 0
        kept = f"; {n_bytes:,} bytes are kept" if n_bytes else ""
        return DataError(
            f"the connection to {host} failed ({_cause(error)}){kept}",
            where=where or url,
            remedy="connect and run the same command to go on, or put a copy of them below PRESTIGE_DATA",
        )
    return DataError(
        _REASONS.get(status, f"the server answers {status}"),
        where=url,
        expected="the file",
        remedy=None if status in (401, 403) else "try later, or look on its page for a new address",
    )


def _cause(error: BaseException) -> str:
    """Return the innermost reason of a failed connection, without the addresses of objects."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return one_line(getattr(error, "strerror", None) or str(error) or type(error).__name__, 120)


class _Resuming:
    """What pooch calls to download: tries again after a cut, from where the file ends."""

    def __init__(self, part: Path, label: str, headers: dict[str, str]) -> None:
        self._part, self._label, self._headers = part, label, headers
        self._etag = part.with_name(f"{part.name}.etag")

    def __call__(self, url: str, output_file: str, pooch: Any, check_only: bool = False) -> None:
        """Download into ``output_file``."""
        without = 0
        while True:
            before = self._size()
            try:
                self._once(url, before)
                break
            except OSError as error:
                response: Any = getattr(error, "response", None)
                status = getattr(response, "status_code", None)
                if status == 416:  # nothing is left, or what is there is of another file
                    if response.headers.get("content-range", "") == f"bytes */{before}":
                        break
                    self.forget()
                elif not hasattr(error, "response") or (
                    status is not None and status < 500 and status != 429
                ):
                    raise
                without = 0 if self._size() > before else without + 1
                if without >= _TRIES or (self._size() == 0 and status is None):
                    if not self._size():
                        self.forget()
                    raise
                time.sleep(_PAUSE_SECONDS * without)
        # What came stays until its checksum is known to be right: who is killed meanwhile loses nothing.
        try:
            Path(output_file).unlink(missing_ok=True)
            os.link(self._part, output_file)
        except OSError:  # a file system without hard links
            shutil.copyfile(self._part, output_file)

    def _once(self, url: str, start: int) -> None:
        from pooch import HTTPDownloader

        with self._part.open("ab") as file, Progress(f"downloading {self._label}", 1) as progress:
            counted = _Counted(file, progress)
            responses: list[Any] = []

            def answered(response: Any, **_: Any) -> None:
                responses.append(response)
                if response.is_redirect:
                    _check_redirect(url, response)
                    return
                begin = start
                if response.status_code == 200 and start:  # it gives the whole, or another file
                    file.truncate(0)
                    begin = 0
                elif response.status_code == 206:
                    if not response.headers.get("content-range", "").startswith(f"bytes {start}-"):
                        raise DataError("the server goes on elsewhere than it was asked to", where=url)
                elif response.status_code != 200:
                    return
                length = int(response.headers.get("content-length") or 0)
                self._check_room(length)
                self._keep_etag(response.headers.get("etag"))
                progress.total = max(1, (begin + length) >> 20)
                progress.start_at(begin >> 20)

            asked = {"Accept-Encoding": "identity"} | self._headers
            if start:
                asked["Range"] = f"bytes={start}-"
                if etag := self._kept_etag():
                    asked["If-Range"] = etag
            getter = HTTPDownloader(
                chunk_size=_CHUNK, headers=asked, hooks={"response": answered}, timeout=_TIMEOUT_SECONDS
            )
            try:
                getter(url, counted, None)
            finally:  # pooch leaves those open that it does not read to the end
                for response in responses:
                    response.close()

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0

    def forget(self) -> None:
        """Take away what an earlier try has left."""
        left = [self._etag]
        if self._part.exists():  # pooch's own name for it, of a process that was killed
            left += [path for path in self._part.parent.glob("tmp*") if path.samefile(self._part)]
        for path in (*left, self._part):
            path.unlink(missing_ok=True)

    def _check_room(self, length: int) -> None:
        free = shutil.disk_usage(self._part.parent).free
        if length > free:
            raise StorageError(
                f"the disk has {free / 1e9:.1f} GB left, and {length / 1e9:.1f} GB are to come",
                where=self._part.parent,
                remedy="free some space, or let PRESTIGE_CACHE name a folder on another disk",
            )

    def _keep_etag(self, etag: str | None) -> None:
        if etag and not etag.startswith("W/"):  # a weak one says nothing of bytes
            self._etag.write_text(etag, encoding="latin-1")

    def _kept_etag(self) -> str | None:
        with contextlib.suppress(OSError):
            return self._etag.read_text(encoding="latin-1").strip()
        return None


class _Counted:
    """A file that says how much was written into it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file, self._progress, self._rest = file, progress, 0

    def write(self, data: bytes) -> int:
        self._rest += len(data)
        self._progress.advance(self._rest >> 20)
        self._rest &= (1 << 20) - 1
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _check_redirect(url: str, response: Any) -> None:
    """Refuse to be led from https to an open connection."""
    to = str(response.headers.get("location", ""))
    if url.startswith("https://") and to.startswith("http://"):
        raise DataError("leads to an address without https", where=url, expected="https://...")
