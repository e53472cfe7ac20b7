"""Slides are tried by a process that may be lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from prestige.data.slides.images import image_of
from prestige.data.slides.scanner import tried
from prestige.data.slides.scanner.tried import check_by_trial
from prestige.errors import DataError

from ..phantoms import picture, scn


def with_tiles_of(path: Path, side: int) -> Path:
    """Write a slide whose first region claims tiles of another size."""
    import tifffile

    scn(path, [(picture(64, 64), 8, 8)], (96, 96))
    with tifffile.TiffFile(path, mode="r+b") as file:
        for tag in ("TileWidth", "TileLength"):
            file.pages[1].tags[tag].overwrite(side, dtype=4)
    return path


def test_a_slide_over_which_openslide_ends_the_process_is_a_line(tmp_path: Path) -> None:
    slide = with_tiles_of(tmp_path / "a.scn", 1 << 18)
    with pytest.raises(DataError, match=r"a\.scn: "):
        image_of(slide).write(tmp_path / "slide")
    image_of(scn(tmp_path / "b.scn", [(picture(64, 64), 8, 8)], (96, 96))).close()  # the next one is read


def test_what_was_tried_is_tried_again_only_when_it_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = scn(tmp_path / "a.scn", [(picture(64, 64), 8, 8)], (96, 96))
    asked = []

    class Trier:
        alive = True

        def ask(self, path: Path) -> dict[str, int]:
            asked.append(path)
            return {"read": 1}

    monkeypatch.setattr(tried, "_triers", dict.fromkeys([os.getpid()], Trier()))
    for _ in range(3):
        check_by_trial(slide, [slide])
    assert asked == [slide]
    slide.write_bytes(slide.read_bytes() + b"\0")
    check_by_trial(slide, [slide])
    assert asked == [slide, slide]


@pytest.mark.parametrize(
    ("number", "said"), [(6, "gives up over it"), (27, "does not come to an end"), (11, "signal 11")]
)
def test_the_signal_that_ended_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    class Trier:
        alive = True

        def ask(self, path: Path) -> int:
            return number

    (tmp_path / "a").write_bytes(b"x")
    monkeypatch.setattr(tried, "_triers", dict.fromkeys([os.getpid()], Trier()))
    with pytest.raises(DataError, match=rf"a: .*{said}"):
        check_by_trial(tmp_path / "a", [tmp_path / "a"])
