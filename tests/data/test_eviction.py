"""The cache's limit: least recently used first, links counted once, safe with several processes."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prestige.data import cache, eviction
from prestige.data.cache import Recipe, prepare
from prestige.data.card import CARD
from prestige.data.eviction import limit_bytes, trim
from prestige.data.feature_store import FeatureStore
from prestige.errors import ConfigError, DataError

from .test_cache import recipe

KILOBYTE = 1000


def sized(folder: Path, name: str, kilobytes: int = 100, done: list[str] | None = None) -> Recipe:
    """Return a recipe of a slide of its own with so many bytes of pixels."""
    one = recipe(folder / name, done)
    (folder / name / "image").write_text(name)
    (folder / name / "table").write_text(name)

    def write_slide(target: Path) -> None:
        with target.open("wb") as file:
            np.save(file, np.zeros((kilobytes, 1000 // 3, 3), dtype=np.uint8))
        if done is not None:
            done.append(name)

    return replace(one, write_slide=write_slide)


def used_at(sample: Path, seconds: float) -> None:
    os.utime(sample / CARD, (seconds, seconds))


@pytest.fixture
def three(tmp_path: Path) -> dict[str, Path]:
    found = {name: prepare(sized(tmp_path, name), tmp_path / "cache").folder for name in "abc"}
    for place, name in enumerate("bca"):  # b was used longest ago, a last
        used_at(found[name], 1000.0 + place)
    return found


def held(tmp_path: Path) -> tuple[int, int]:
    folder = tmp_path / "cache"
    return len(list((folder / "samples").iterdir())), len(list((folder / "slides").iterdir()))


def test_the_least_recently_used_goes_first(
    tmp_path: Path,
    three: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(eviction.VARIABLE, str(280 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", three["c"]) == [three["b"]]
    assert held(tmp_path) == (2, 2)  # its slide went with it
    assert "1 entry used least recently removed" in capsys.readouterr().err
    monkeypatch.setenv(eviction.VARIABLE, str(1 / 1e9))
    assert trim(tmp_path / "cache", three["c"]) == [three["a"]]  # what is kept stays, too large or not
    assert held(tmp_path) == (1, 1)


def test_opening_is_using(tmp_path: Path, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(sized(tmp_path, "b"), tmp_path / "cache")
    monkeypatch.setenv(eviction.VARIABLE, str(380 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", three["a"]) == []
    monkeypatch.setenv(eviction.VARIABLE, str(280 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", three["a"]) == [three["c"]]


def test_making_a_sample_makes_room(
    tmp_path: Path, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(eviction.VARIABLE, str(280 * KILOBYTE / 1e9))
    made = prepare(sized(tmp_path, "d"), tmp_path / "cache")
    assert made.pixels.shape == (100, 333, 3)
    assert {path.name for path in (tmp_path / "cache" / "samples").iterdir()} == {
        three["a"].name,
        made.folder.name,
    }


def test_tables_of_one_slide_count_its_pixels_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sized(tmp_path, "a")
    first = prepare(one, tmp_path / "cache")
    second = prepare(replace(one, um_per_px=0.6), tmp_path / "cache")
    used_at(first.folder, 1000.0)
    monkeypatch.setenv(eviction.VARIABLE, str(180 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", second.folder) == []
    monkeypatch.setenv(eviction.VARIABLE, str(90 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", second.folder) == [first.folder]
    assert held(tmp_path) == (1, 1)  # the slide is linked to the other still


def test_a_sample_in_use_can_be_removed_and_still_read(
    tmp_path: Path, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = prepare(sized(tmp_path, "b"), tmp_path / "cache").pixels
    used_at(three["b"], 1.0)
    monkeypatch.setenv(eviction.VARIABLE, str(1 / 1e9))
    trim(tmp_path / "cache", three["a"])
    assert not three["b"].exists()
    assert pixels.sum() == 0


def test_what_another_process_removed_is_made_again(
    tmp_path: Path, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    original, taken = cache.read_prepared, []

    def removed_first(folder: Path):
        if not taken:
            taken.append(folder)
            shutil.rmtree(folder)
            (tmp_path / "cache" / "slides").joinpath(f"{_slide_of(tmp_path, folder)}").unlink(missing_ok=True)
        return original(folder)

    monkeypatch.setattr(cache, "read_prepared", removed_first)
    found = prepare(sized(tmp_path, "a", done=done), tmp_path / "cache")
    assert found.folder == three["a"]
    assert found.pixels.shape == (100, 333, 3)


def _slide_of(tmp_path: Path, folder: Path) -> str:
    return next(path.name for path in (tmp_path / "cache" / "slides").iterdir() if path.stat().st_nlink == 1)


def test_a_slide_that_vanishes_while_its_sample_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, times = cache._make, []

    def vanishing(one: Recipe, folder: Path, slide: Path, *keys: str) -> None:
        if not times:
            slide.unlink()
        times.append(slide)
        original(one, folder, slide, *keys)

    monkeypatch.setattr(cache, "_make", vanishing)
    done: list[str] = []
    prepare(sized(tmp_path, "a", done=done), tmp_path / "cache")
    assert len(times) == 2
    assert done.count("a") == 2


def test_a_source_that_is_gone_is_said_and_not_tried_for_ever(tmp_path: Path) -> None:
    one = sized(tmp_path, "a")

    def gone(target: Path) -> None:
        raise FileNotFoundError(2, "No such file or directory", str(tmp_path / "a" / "image"))

    with pytest.raises(DataError, match="image: cannot be read"):
        prepare(replace(one, write_slide=gone), tmp_path / "cache")


def test_features_go_as_samples_do(
    tmp_path: Path, three: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = (FeatureStore(tmp_path / "cache", name, 100) for name in ("old", "new"))
    for store in (old, new):
        store.add(np.zeros((500, 2), np.int64) + np.arange(500)[:, None], np.zeros((500, 100), np.float32))
    os.utime(old.folder, (500.0, 500.0))
    monkeypatch.setenv(eviction.VARIABLE, str(620 * KILOBYTE / 1e9))
    assert trim(tmp_path / "cache", three["a"]) == [old.folder]
    assert len(FeatureStore(tmp_path / "cache", "new", 100)) == 500
    assert len(FeatureStore(tmp_path / "cache", "old", 100)) == 0


@pytest.mark.parametrize(("named", "expected"), [("", 200e9), ("0", float("inf")), ("0.5", 5e8)])
def test_limits(named: str, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(eviction.VARIABLE, named)
    assert limit_bytes() == expected


@pytest.mark.parametrize("named", ["-1", "many", "nan"])
def test_what_is_no_limit_is_refused_before_anything_is_decoded(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(eviction.VARIABLE, named)
    done: list[str] = []
    with pytest.raises(ConfigError, match=r"PRESTIGE_CACHE_GB.*is no size.*gigabytes"):
        prepare(sized(tmp_path, "a", done=done), tmp_path / "cache")
    assert done == []
