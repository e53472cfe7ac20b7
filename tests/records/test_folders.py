"""Bench folders, single runs, and what is missing from either."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prestige.errors import ConfigError, DataError
from prestige.records.folders import Configuration, Missing, asked_for, load_bench, read_run, si


def test_a_bench_is_read_whole(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    assert len(bench.runs) == 24
    assert bench.missing == []
    assert bench.finished
    assert bench.patients == ["P1", "P2"]
    assert bench.samples == ["S1", "S2"]


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a bench nor a run") as caught:
        load_bench(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_broken_record_is_refused_with_the_remedy(tiny_bench: Path) -> None:
    (tiny_bench / "bench.json").write_text('{"name": ')
    with pytest.raises(DataError, match=r"bench\.json: cannot be read .* run the bench again"):
        load_bench(tiny_bench)


@pytest.mark.parametrize("name", ["manifest.json", "scores.parquet", "moments.npz"])
def test_a_run_whose_files_are_cut_off_is_missing_with_the_reason(tiny_bench: Path, name: str) -> None:
    path = tiny_bench / "runs" / "compact_s-16-0" / name
    path.write_bytes(path.read_bytes()[:40])
    found = read_run(path.parent)
    assert isinstance(found, Missing)
    assert found.reason.startswith("cannot be read: ")


def test_runs_of_other_settings_in_the_folder_are_left_out(tiny_bench: Path) -> None:
    info = json.loads((tiny_bench / "bench.json").read_text())
    info["runs"] = [run for run in info["runs"] if "resnet18" not in run["folder"]]
    (tiny_bench / "bench.json").write_text(json.dumps(info))
    assert len(load_bench(tiny_bench).runs) == 18
    (tiny_bench / "runs" / "resnet18-16-0" / "DONE").unlink()
    (tiny_bench / "bench.json").write_text(json.dumps(info | {"finished": False}))
    bench = load_bench(tiny_bench)
    assert len(bench.runs) == 18
    assert [item.folder for item in bench.missing] == ["resnet18-16-0"]
    assert not bench.finished


def test_without_its_record_a_bench_is_still_read(tiny_bench: Path) -> None:
    (tiny_bench / "bench.json").unlink()
    bench = load_bench(tiny_bench)
    assert len(bench.runs) == 24
    assert "bench.json is missing" in bench.notes[0]


def test_labels_say_what_was_seen() -> None:
    assert Configuration(False, False, "resnet18", 64.04, 128).label == "resnet18 at 64 µm"
    assert (
        Configuration(True, False, "resnet18", 64.0, 128, 16.0).label
        == "resnet18 (pretrained) at 16 of 64 µm"
    )
    assert Configuration(False, True, "baseline:mean", 64.0, 128).label == "training mean"
    assert Configuration(False, True, "baseline:ridge", 64.0, 128).label == "ridge at 64 µm"
    blind = Configuration(False, True, "diagnostic:depth", float("inf"), 0, diagnostic=True)
    assert blind.label == "depth (diagnostic)"


def test_large_numbers_are_written_shortly() -> None:
    assert [si(value) for value in (7.0, 1234.0, 2.5e6, 1.82e9)] == ["7", "1.23 k", "2.5 M", "1.82 G"]
    assert si(float("nan")) == "–"


def test_what_a_bench_asked_for(tiny_bench: Path) -> None:
    bench, path = load_bench(tiny_bench), tiny_bench / "bench.yaml"
    path.write_text("name: tiny\nbiology: {domains: 4}\ngenesets: 3\n")
    assert asked_for(bench, "biology") == {"domains": 4}
    assert asked_for(bench, "nothing") is None
    with pytest.raises(ConfigError, match="`genesets` holds no settings"):
        asked_for(bench, "genesets")
    path.write_text("{broken: [yaml")
    with pytest.raises(ConfigError, match="not valid yaml"):
        asked_for(bench, "biology")
    path.unlink()
    assert asked_for(bench, "biology") is None
