"""What the process reads that tries slides."""

from __future__ import annotations

from pathlib import Path

from prestige.data.slides.scanner.trial import trial

from ..phantoms import philips, picture


def test_squares_of_every_level_are_read_and_damage_is_passed_over(tmp_path: Path) -> None:
    slide = philips(tmp_path / "a.tiff", picture(150, 200), absent=[2])
    assert trial(str(slide)) == {"read": 50}  # 25 of each of two levels
    slide.write_bytes(slide.read_bytes()[:3000])
    assert trial(str(slide))["read"] < 50
