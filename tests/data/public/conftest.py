"""A server on loopback, and no other way out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from prestige.data.public import download

from .small_server import Served


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """Return what a server on this machine serves."""
    pytest.importorskip("pooch")
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(download, "_PAUSE_SECONDS", 0.0)
    what = Served()
    server = what.start()
    yield what
    server.shutdown()
    server.server_close()
