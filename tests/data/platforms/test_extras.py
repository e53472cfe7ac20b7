"""Libraries that come as an extra."""

from __future__ import annotations

import pytest

from prestige.data.platforms.extras import needed
from prestige.errors import PrestigeError


def test_a_library_that_is_there_passes_and_one_that_is_missing_says_what_to_install() -> None:
    needed("json", extra="readers")
    words = r"no_such_library is not installed.*; pip install 'prestige-st\[readers\]'"
    with pytest.raises(PrestigeError, match=words):
        needed("no_such_library", extra="readers")
