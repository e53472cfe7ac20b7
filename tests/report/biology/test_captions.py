"""Captions: one for each figure that a section draws, and none that no section uses."""

from __future__ import annotations

import re
from pathlib import Path

from prestige.report.biology import parts as biology_parts
from prestige.report.biology.captions import CAPTIONS


def test_every_caption_is_used_and_every_figure_has_one() -> None:
    code = Path(str(biology_parts.__file__)).read_text(encoding="utf-8")
    used = set(re.findall(r'CAPTIONS\["([a-z-]+)"\]', code))
    used |= set(re.findall(r'maker\.maps\(part, .*, "([a-z-]+)"\)', code))
    assert used == set(CAPTIONS)


def test_captions_are_sentences() -> None:
    for text in CAPTIONS.values():
        assert text[0].isupper() or text[0] == "{", text
        assert text.endswith("."), text
        assert "  " not in text, text
    assert CAPTIONS["correlations"].format(n=7).startswith("The 7 genes")
