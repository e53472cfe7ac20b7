"""Names of scales: what is understood, and what is refused."""

from __future__ import annotations

import pytest

from prestige.errors import ConfigError
from prestige.evaluate.scale import Scale, parse_scale


@pytest.mark.parametrize(
    "text", ["", "log2:100", "counts:5", "total", "log1p:0", "log1p:x", "log1p:1e", "log1p:-1"]
)
def test_scales_that_are_none(text: str) -> None:
    with pytest.raises(ConfigError, match="unknown scale"):
        parse_scale(text)


def test_scales_read_back_as_written() -> None:
    for text in ("log1p:100", "log1p", "total:250", "counts"):
        assert str(parse_scale(text)) == text
    assert parse_scale("log1p:1e4") == Scale(10_000.0, True)
