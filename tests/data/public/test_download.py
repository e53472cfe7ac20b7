"""One file over a connection that breaks, a server that changes its mind, and a disk that is full."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prestige.data.public import download as module
from prestige.data.public.download import download
from prestige.errors import DataError, StorageError

from .small_server import Served

CONTENT = bytes(range(256)) * 20_000  # 5 MB: several pieces


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.mark.parametrize(
    "checksum", [sha256(CONTENT), f"md5:{hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()}", None]
)
def test_a_whole_download(served: Served, tmp_path: Path, checksum: str | None) -> None:
    served.files["/a.bin"] = CONTENT
    download(f"{served.url}/a.bin", tmp_path / "new" / "a.bin", checksum=checksum)
    assert (tmp_path / "new" / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.bin"]
    assert served.asked == [("/a.bin", None)]
    assert served.headers[0]["Accept-Encoding"] == "identity"


def test_a_cut_connection_is_taken_up_where_it_ended(served: Served, tmp_path: Path) -> None:
    served.files["/a.bin"], served.etags["/a.bin"] = CONTENT, '"one"'
    served.cut_at["/a.bin"] = [3 << 20, 4 << 20]
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    starts = [0 if span is None else int(span[6:-1]) for _, span in served.asked]
    assert starts == sorted(starts)
    assert starts[1] >= 2 << 20
    assert served.headers[1]["If-Range"] == '"one"'
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_the_next_process_goes_on_too(served: Served, tmp_path: Path) -> None:
    served.files["/a.bin"] = CONTENT
    (tmp_path / "a.bin.part").write_bytes(CONTENT[: 1 << 20])
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert served.asked == [("/a.bin", f"bytes={1 << 20}-")]
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_a_process_that_is_killed_while_it_checks_loses_nothing(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.files["/a.bin"] = CONTENT

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", killed)
        with pytest.raises(KeyboardInterrupt):
            download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert (tmp_path / "a.bin.part").read_bytes() == CONTENT
    os.link(tmp_path / "a.bin.part", tmp_path / "tmpabcd1234")  # as pooch would leave it
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert served.asked[1:] == [("/a.bin", f"bytes={len(CONTENT)}-")]
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


@pytest.mark.parametrize("change", ["no ranges", "another file", "all there", "too long"])
def test_a_server_that_cannot_go_on_gives_the_whole(served: Served, tmp_path: Path, change: str) -> None:
    served.files["/a.bin"] = CONTENT
    part, etag = tmp_path / "a.bin.part", tmp_path / "a.bin.part.etag"
    part.write_bytes(CONTENT[: 1 << 20])
    if change == "no ranges":
        served.ranges = False
    elif change == "another file":
        part.write_bytes(b"x" * (1 << 20))
        etag.write_text('"old"')
        served.etags["/a.bin"] = '"new"'
    elif change == "all there":
        part.write_bytes(CONTENT)
    else:
        part.write_bytes(CONTENT + b"more")
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_another_content_is_removed_in_one_line(served: Served, tmp_path: Path) -> None:
    served.files["/a.bin"] = b"something else"
    with pytest.raises(
        DataError, match="what came is not the file that is expected: its checksum is not"
    ) as told:
        download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "said"), [(404, "no such file any more"), (401, "asks for an account"), (403, "is refused")]
)
def test_no_such_file(served: Served, tmp_path: Path, status: int, said: str) -> None:
    served.files["/a.bin"] = CONTENT
    served.status["/a.bin"] = [status]
    with pytest.raises(DataError, match=said):
        download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=None)
    assert len(served.asked) == 1
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_is_busy_is_asked_again(served: Served, tmp_path: Path) -> None:
    served.files["/a.bin"] = CONTENT
    served.status["/a.bin"] = [503, 429]
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert len(served.asked) == 3
    served.status["/b.bin"] = [500] * 10
    with pytest.raises(DataError, match="the server answers 500"):
        download(f"{served.url}/b.bin", tmp_path / "b.bin", checksum=None)
    assert len(served.asked) == 3 + 5


def test_no_connection_is_one_line_at_once(served: Served, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(
        DataError, match=r"the connection to 127.0.0.1 failed \(.*\); connect and run"
    ) as told:
        download(f"http://127.0.0.1:{port}/a.bin", tmp_path / "a.bin", checksum=None, where="her2st")
    assert str(told.value).startswith("her2st: ")
    assert "0x" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_always_breaks_off_is_given_up(served: Served, tmp_path: Path) -> None:
    served.files["/a.bin"] = CONTENT
    served.cut_at["/a.bin"] = [2 << 20, *[2 << 20] * 20]
    with pytest.raises(DataError, match=r"failed .*bytes are kept; connect and run the same command"):
        download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=None)
    assert 0 < (tmp_path / "a.bin.part").stat().st_size <= 2 << 20
    assert not (tmp_path / "a.bin").exists()


def test_a_full_disk_is_told_before_and_while(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.files["/a.bin"] = CONTENT
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        patch.setattr(module.shutil, "disk_usage", lambda path: usage)
        with pytest.raises(
            StorageError, match=r"the disk has 0.0 GB left, and 0.0 GB are to come; free some"
        ):
            download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=None)

    def full(self: Any, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module._Counted, "write", full)
        with pytest.raises(StorageError, match="the disk is full; free some disk space and run the same"):
            download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=None)
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT


def test_only_https_and_never_away_from_it(tmp_path: Path) -> None:
    for url in ("http://example.org/a", "ftp://example.org/a", "file:///etc/passwd"):
        with pytest.raises(DataError, match="is no https address"):
            download(url, tmp_path / "a", checksum=None)

    answer = SimpleNamespace(headers={"location": "http://example.org/a"})
    with pytest.raises(DataError, match="leads to an address without https"):
        module._check_redirect("https://example.org/a", answer)


def test_a_redirect_is_followed(served: Served, tmp_path: Path) -> None:
    served.files["/b.bin"], served.redirect["/a.bin"] = CONTENT, "/b.bin"
    download(f"{served.url}/a.bin", tmp_path / "a.bin", checksum=sha256(CONTENT))
    assert (tmp_path / "a.bin").read_bytes() == CONTENT
