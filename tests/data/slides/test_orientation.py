"""One rule for images that are stored turned."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.slides.orientation import check_orientation
from prestige.errors import DataError


def test_upright_passes_and_all_else_is_refused_with_two_ways_out() -> None:
    for turned in (0, 1):
        check_orientation(turned, Path("a.jpg"))
    for turned in (2, 3, 4, 5, 6, 7, 8):
        with pytest.raises(DataError, match=rf"orientation {turned}.*save it upright.*-Orientation=1"):
            check_orientation(turned, Path("a.jpg"))
