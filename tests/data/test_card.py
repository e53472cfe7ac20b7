"""What sample.json may say, and whether the files beside it are as it says."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data.card import CARD, SLIDE, TABLE, Card, fault_in, read_card, refuse_damaged, write_card
from prestige.data.prepared import write_prepared
from prestige.data.sample import Table
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


SIDE = 1200  # pixels; the slide is larger than what is read whole


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    path = tmp_path / "sample"
    path.mkdir()
    np.save(path / SLIDE, np.zeros((SIDE, SIDE, 3), np.uint8))
    obs = pd.DataFrame({"measured": [True], "total_counts": [3.0]}, index=["a"])
    table = Table(obs, np.array([[1.0, 2.0]]), csr_matrix([[3.0]], dtype=np.float32), ("G",))
    write_prepared(path, table, Card("hest", "f" * 24, "e" * 24, 0.5, False))
    return path


def change(path: Path, at: int, *, keep_time: bool = False) -> None:
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at)
        old = file.read(1)
        file.seek(at)
        file.write(bytes([old[0] ^ 1]))
    times = (before.st_atime_ns, before.st_mtime_ns + (0 if keep_time else 10**9))
    os.utime(path, ns=times)


def test_a_whole_folder_has_no_fault(whole: Path) -> None:
    assert fault_in(whole) is None
    assert fault_in(whole, thorough=True) is None
    assert fault_in(whole, copied=True) is None
    refuse_damaged(whole)


@pytest.mark.parametrize("name", [SLIDE, TABLE])
def test_a_changed_file_is_met(whole: Path, name: str) -> None:
    change(whole / name, (whole / name).stat().st_size // 3)
    assert fault_in(whole) == f"{name} holds other bytes than were written"


def test_a_change_that_the_time_hides_is_met_at_the_ends_and_on_demand(whole: Path) -> None:
    size = (whole / SLIDE).stat().st_size
    change(whole / SLIDE, size - 1, keep_time=True)
    with pytest.raises(DataError, match=r"slide\.npy holds other bytes .*; copy the folder again"):
        refuse_damaged(whole)
    change(whole / SLIDE, size - 1, keep_time=True)
    change(whole / SLIDE, 70_000, keep_time=True)
    assert fault_in(whole) is None
    assert fault_in(whole, thorough=True) == "slide.npy holds other bytes than were written"


def test_another_time_alone_is_no_fault_and_is_put_right(whole: Path) -> None:
    written = (whole / SLIDE).stat().st_mtime_ns
    os.utime(whole / SLIDE, (1, 1))
    assert fault_in(whole) is None
    assert (whole / SLIDE).stat().st_mtime_ns == written


def test_files_that_are_cut_or_gone(whole: Path) -> None:
    content = (whole / TABLE).read_bytes()
    (whole / TABLE).write_bytes(content[:-1])
    assert (fault_in(whole) or "").startswith("table.h5ad is cut off")
    (whole / TABLE).unlink()
    assert fault_in(whole) == "table.h5ad is missing"
    (whole / CARD).unlink()
    assert fault_in(whole) == f"{whole.name} the file 'sample.json' is missing"
    shutil.rmtree(whole)
    assert fault_in(whole) is not None


def test_a_card_that_was_changed_is_met_and_may_be_mended_in_a_copy(whole: Path) -> None:
    card = json.loads((whole / CARD).read_text())
    (whole / CARD).write_text(json.dumps(card | {"um_per_px": 0.9}))
    assert fault_in(whole) == "sample.json holds other bytes than were written"
    assert fault_in(whole, copied=True) is None


@pytest.mark.parametrize(
    "changed",
    [{"bytes": "x"}, {"bytes": {SLIDE: None}}, {"checksums": 3}, {"checksums": {SLIDE: {"crc32": 1}}}],
)
def test_a_card_of_other_types_is_a_fault(whole: Path, changed: dict) -> None:
    card = {key: value for key, value in json.loads((whole / CARD).read_text()).items() if key != "card"}
    (whole / CARD).write_text(json.dumps(card | changed))
    assert fault_in(whole, thorough=True) is not None


def test_a_folder_of_an_older_version_has_sizes_alone(whole: Path) -> None:
    card = json.loads((whole / CARD).read_text())
    old = {key: value for key, value in card.items() if key not in ("card", "checksums")}
    (whole / CARD).write_text(json.dumps(old))
    assert fault_in(whole, thorough=True) is None
    (whole / SLIDE).write_bytes(b"")
    assert (fault_in(whole) or "").startswith("slide.npy is cut off")
