"""What sample.json may say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prestige.data.card import CARD, SLIDE, TABLE, Card, read_card, write_card
from prestige.errors import DataError

SOUND = Card("hest", "a1", "b2", 0.5, False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SLIDE).write_bytes(b"12345")
    (tmp_path / TABLE).write_bytes(b"123")
    write_card(tmp_path, SOUND, ["one note"], {"n_obs": 2})
    return tmp_path


def test_what_was_written_is_read(folder: Path) -> None:
    content = read_card(folder)
    assert content.card == SOUND
    assert content.notes == ["one note"]
    assert content.bytes == {SLIDE: 5, TABLE: 3}


@pytest.mark.parametrize("um_per_px", [None, 1, 0.25])
def test_widths_that_a_pixel_may_have(folder: Path, um_per_px: float | None) -> None:
    edit(folder, um_per_px=um_per_px)
    assert read_card(folder).card.um_per_px == um_per_px


def edit(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("um_per_px", value) for value in ("0.5", -1, 0, float("nan"), float("inf"), [1], True, 1e300)),
        *(("um_per_px_assumed", value) for value in (None, "false", 1)),
        *(("notes", value) for value in (None, 5, 1.5, "text", [1])),
        *(
            ("bytes", value)
            for value in (
                *(None, [SLIDE], "x", {}, {SLIDE: 5}, {SLIDE: "5", TABLE: 3}, {SLIDE: -5, TABLE: 3}),
                *({SLIDE: 5, TABLE: 3, "../other": 1}, {SLIDE: True, TABLE: 3}),
            )
        ),
        *(("fingerprint", value) for value in (5, None, ["a"], "")),
        *(("slide_fingerprint", value) for value in (5, None, {})),
        ("source", 1),
    ],
)
def test_values_that_are_refused(folder: Path, key: str, value: Any) -> None:
    edit(folder, **{key: value})
    with pytest.raises(DataError) as error:
        read_card(folder)
    assert str(error.value).startswith(f"{folder / CARD}: '{key}")
    assert "\n" not in str(error.value)


def test_files_that_are_no_card(folder: Path) -> None:
    for content in (
        "",
        "[]",
        "5",
        "null",
        '{"schema": "prestige.sample/2"}',
        '{"schema": ["x"]}',
        "[" * 100_000,
    ):
        (folder / CARD).write_text(content)
        with pytest.raises(DataError, match=CARD):
            read_card(folder)
    (folder / CARD).unlink()
    (folder / CARD).mkdir()
    with pytest.raises(DataError, match="is a folder"):
        read_card(folder)
