"""The cache: hashed once, made once, whole or not at all."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.data import cache
from prestige.data.cache import Recipe, default_cache_dir, prepare
from prestige.data.sample import Table
from prestige.errors import DataError, StorageError

PIXELS = np.arange(5 * 6 * 3, dtype=np.uint8).reshape(5, 6, 3)


def table(pixels: np.ndarray) -> Table:
    obs = pd.DataFrame({"measured": [True], "total_counts": [3.0]}, index=["a"])
    return Table(obs, np.array([[1.0, 2.0]]), csr_matrix([[3.0]], dtype=np.float32), ("G",))


def recipe(folder: Path, read: list[str] | None = None, um_per_px: float = 0.5) -> Recipe:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("image", "table"):
        if not (folder / name).exists():
            (folder / name).write_text(name)
    done = [] if read is None else read

    def write_slide(target: Path) -> None:
        done.append("slide")
        with target.open("wb") as file:
            np.save(file, PIXELS)

    def read_table(pixels: np.ndarray) -> Table:
        done.append("table")
        return table(pixels)

    return Recipe(
        "made/1", "sample 's'", {"image": folder / "image"}, {"table": folder / "table"},
        write_slide, read_table, um_per_px=um_per_px,
    )  # fmt: skip


def test_what_was_made_is_found_by_its_content(tmp_path: Path) -> None:
    done: list[str] = []
    first = prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    assert done == ["slide", "table"]
    assert prepare(recipe(tmp_path / "a", done), tmp_path / "cache").folder == first.folder
    assert (
        prepare(recipe(tmp_path / "b", done), tmp_path / "cache").folder == first.folder
    )  # same bytes elsewhere
    assert done == ["slide", "table"]
    (tmp_path / "a" / "table").write_text("other")
    other = prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    assert done == ["slide", "table", "table"]  # the slide is decoded once
    assert other.card.fingerprint != first.card.fingerprint
    assert other.card.slide_fingerprint == first.card.slide_fingerprint
    assert os.path.samefile(first.folder / "slide.npy", other.folder / "slide.npy")
    prepare(recipe(tmp_path / "a", done, um_per_px=0.6), tmp_path / "cache")
    assert done == ["slide", "table", "table", "table"]


def test_content_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(recipe(tmp_path / "a"), tmp_path / "cache")

    def refuse(*_: object) -> str:
        raise AssertionError("hashed again")

    monkeypatch.setattr(cache, "_hash_files", refuse)
    prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    os.utime(tmp_path / "a" / "image", (1, 1))
    with pytest.raises(AssertionError, match=r"hashed again"):
        prepare(recipe(tmp_path / "a"), tmp_path / "cache")


def test_a_broken_index_entry_is_made_again(tmp_path: Path) -> None:
    first = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    for entry in (tmp_path / "cache" / "index").iterdir():
        entry.write_text("{")
    assert prepare(recipe(tmp_path / "a"), tmp_path / "cache").folder == first.folder


def test_a_crash_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    def crash(pixels: np.ndarray) -> Table:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(replace(recipe(tmp_path / "a"), read_table=crash), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("samples/*"))
    killed = tmp_path / "cache" / "samples" / ".a.0123456789ab.partial"
    killed.mkdir()
    prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    assert killed.exists()  # it might be at work
    os.utime(killed, (time.time() - 90000,) * 2)
    prepare(recipe(tmp_path / "a", um_per_px=0.6), tmp_path / "cache")
    assert not killed.exists()


def test_a_damaged_folder_is_made_again(tmp_path: Path) -> None:
    folder = prepare(recipe(tmp_path / "a"), tmp_path / "cache").folder
    (folder / "table.h5ad").write_bytes(b"")
    assert prepare(recipe(tmp_path / "a"), tmp_path / "cache").table.genes == ("G",)


def test_faulty_tables_are_not_kept(tmp_path: Path) -> None:
    def outside(pixels: np.ndarray) -> Table:
        return replace(table(pixels), xy_px=np.array([[6.0, 0.0]]))

    with pytest.raises(DataError, match=r"sample 's': outside the image of 6 x 5 px: 1 \(a\)"):
        prepare(replace(recipe(tmp_path / "a"), read_table=outside), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("samples/*"))


def test_a_full_disk_and_a_locked_cache_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StorageError, match=r"the disk is full; expected room.*PRESTIGE_CACHE"):
        prepare(replace(recipe(tmp_path / "a"), write_slide=full), tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("slides/*"))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot be used"):
        prepare(recipe(tmp_path / "a"), tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageError, match=r"^file/cache: the cache cannot be used"):
        prepare(recipe(tmp_path / "a"), Path("file") / "cache")


def _prepare(folder: Path) -> str:
    return prepare(recipe(folder / "a"), folder / "cache").card.fingerprint


def test_several_processes_at_once(tmp_path: Path) -> None:
    recipe(tmp_path / "a")
    with multiprocessing.get_context("fork").Pool(4) as pool:
        found = pool.map(_prepare, [tmp_path] * 8)
    assert len(set(found)) == 1
    assert len(list((tmp_path / "cache" / "samples").iterdir())) == 1
    assert not list((tmp_path / "cache").rglob("*.partial"))


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path))
    assert default_cache_dir() == tmp_path
    monkeypatch.delenv("PRESTIGE_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "prestige"


def test_the_content_of_a_folder_is_that_of_its_own_files(tmp_path: Path) -> None:
    """What a file manager leaves is none of it; what is no file is refused and never waited for."""
    folder, index = tmp_path / "folder", tmp_path / "index"
    folder.mkdir()
    (folder / "0").write_bytes(b"x" * 100)
    before = cache._content(folder, index)
    (folder / ".DS_Store").write_bytes(b"Bud1")
    assert cache._content(folder, index) == before
    (folder / "1").symlink_to("/dev/zero")
    with pytest.raises(DataError, match=r"is no file but|is a link"):
        cache._content(folder, index)


def test_no_more_is_hashed_than_a_file_was_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    expected = cache._hash_files(tmp_path, [tmp_path / "a"], 100)
    monkeypatch.setattr(cache, "_BLOCK", 7)
    assert cache._hash_files(tmp_path, [tmp_path / "a"], 100) == expected


@pytest.mark.parametrize("name", ["slide.npy", "table.h5ad", "sample.json"])
def test_a_damaged_entry_is_prepared_again_with_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    done: list[str] = []
    first = prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    content = bytearray((first.folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (first.folder / name).write_bytes(content)
    again = prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    said = capsys.readouterr().err
    assert "note: sample 's': in the cache, " in said
    assert said.count("\n") == 1
    assert name in said
    np.testing.assert_array_equal(again.pixels, PIXELS)
    assert again.card == first.card
    assert done.count("slide") == (1 if name == "table.h5ad" else 2)
    prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    assert done.count("table") == 2


def test_a_slide_for_which_no_card_vouches_is_decoded_again(tmp_path: Path) -> None:
    first = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    content = bytearray((first.folder / "slide.npy").read_bytes())
    content[-1] ^= 1
    (first.folder / "slide.npy").write_bytes(content)
    card = json.loads((first.folder / "sample.json").read_text())
    (first.folder / "sample.json").write_text(json.dumps({k: v for k, v in card.items() if k != "source"}))
    again = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    np.testing.assert_array_equal(again.pixels, PIXELS)


def test_a_slide_is_decoded_again_where_its_sample_cannot_vouch(tmp_path: Path) -> None:
    for damaged in ("sample.json", "slide.npy"):
        first = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
        (slide,) = (tmp_path / "cache" / "slides").glob("*.npy")
        content = bytearray(slide.read_bytes())
        content[-1] ^= 1
        slide.write_bytes(content)
        (first.folder / damaged).unlink()
        again = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
        np.testing.assert_array_equal(again.pixels, PIXELS)


def test_all_of_the_cache_is_verified_on_demand(tmp_path: Path) -> None:
    first = prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    assert cache.verify(tmp_path / "cache") == []
    assert cache.verify(tmp_path / "none") == []
    (first.folder / "table.h5ad").write_bytes(b"")
    (line,) = cache.verify(tmp_path / "cache")
    assert "table.h5ad is cut off" in line
    assert not first.folder.exists()


def test_a_file_that_was_changed_and_given_its_old_time_is_hashed_again(tmp_path: Path) -> None:
    done: list[str] = []
    first = prepare(recipe(tmp_path / "a", done), tmp_path / "cache")
    before = (tmp_path / "a" / "table").stat()
    time.sleep(0.02)  # the system's clock of files is coarse
    (tmp_path / "a" / "table").write_text("TABLE")
    os.utime(tmp_path / "a" / "table", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert prepare(recipe(tmp_path / "a", done), tmp_path / "cache").folder != first.folder
    assert done == ["slide", "table", "table"]


def test_an_index_of_an_older_version_or_of_other_types_is_read(tmp_path: Path) -> None:
    prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    entries = {path: json.loads(path.read_text()) for path in (tmp_path / "cache" / "index").iterdir()}
    for path, says in entries.items():
        path.write_text(json.dumps({key: value for key, value in says.items() if key != "changed"}))
    prepare(recipe(tmp_path / "a"), tmp_path / "cache")
    assert {path: json.loads(path.read_text()) for path in entries} == entries
    for text in ('{"state": 3, "content": []}', "[" * 100_000, '"x"', ""):
        for path in entries:
            path.write_text(text)
        prepare(recipe(tmp_path / "a"), tmp_path / "cache")
        assert {path: json.loads(path.read_text()) for path in entries} == entries
