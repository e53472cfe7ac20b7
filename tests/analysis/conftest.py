"""Numbers and words are looked at here, so that no page needs its figures."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _pages_without_figures(empty_figures: None) -> None:
    """Leave out what `tests/report` looks at, most of the time that a page takes."""
