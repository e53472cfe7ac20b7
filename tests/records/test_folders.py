"""Bench folders, single runs, and what is missing from either."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from prestige.errors import ConfigError, DataError, StorageError
from prestige.records.folders import BenchFolder, load_bench
from prestige.records.run import Missing, read_run
from prestige.report import write_report

STORED = Path(__file__).resolve().parents[1] / "stored" / "bench"


def test_a_bench_is_read_whole(tiny_bench: Path) -> None:
    bench = load_bench(tiny_bench)
    assert len(bench.runs) == 24
    assert bench.missing == []
    assert bench.finished
    assert bench.patients == ["P1", "P2"]


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


def test_what_a_bench_asked_for(tiny_bench: Path) -> None:
    bench = BenchFolder(tiny_bench)
    path = bench.settings
    path.write_text("name: tiny\nbiology: {domains: 4}\ngenesets: 3\n")
    assert bench.settings_of("biology") == {"domains": "4"}
    assert bench.settings_of("nothing") is None
    with pytest.raises(ConfigError, match="`genesets` holds no settings"):
        bench.settings_of("genesets")
    path.write_text("{broken: [yaml")
    with pytest.raises(ConfigError, match="not valid yaml"):
        bench.settings_of("biology")
    path.unlink()
    assert bench.settings_of("biology") is None


def test_a_stored_bench_of_version_1_is_read_and_reported(tmp_path: Path) -> None:
    folder = shutil.copytree(STORED, tmp_path / "bench")
    bench = load_bench(folder)
    assert (len(bench.runs), bench.missing, bench.finished) == (8, [], True)
    changed = [dict(run.configuration.changed) for run in bench.runs if not run.manifest.baseline]
    assert changed == [
        {},
        {"readout": "whole", "learning_rates": (1e-3, 4e-3)},
        {"readout": "whole"},
    ]
    assert [run.configuration.own_rates for run in bench.runs].count(True) == 1
    text = write_report(folder).read_text()
    assert "compact_xs (readout whole, learning rates 0.001 / 0.004) at 8" in text


def test_a_record_of_a_newer_version_is_refused_in_one_line(tiny_bench: Path) -> None:
    raw = json.loads((tiny_bench / "bench.json").read_text())
    (tiny_bench / "bench.json").write_text(json.dumps(raw | {"schema": "prestige.bench/9"}))
    with pytest.raises(DataError, match="install a newer prestige-st") as caught:
        write_report(tiny_bench)
    assert "\n" not in str(caught.value)


def test_a_single_run_finds_the_counts_of_its_bench(tiny_bench: Path) -> None:
    run = load_bench(tiny_bench / "runs" / "compact_s-16-0")
    assert run.single
    assert run.record.folds[0].counts.train == 900
    assert run.truths == [tiny_bench.resolve() / "truth"]
    assert load_bench(tiny_bench).truths == [tiny_bench / "truth"]


def test_a_folder_is_one_benchs_own(tmp_path: Path) -> None:
    folder = BenchFolder(tmp_path / "out")
    folder.claim({"name": "a"})
    folder.claim({"name": "b"})  # finished runs are kept
    assert folder.settings.read_text() == "name: b\n"
    inode = folder.settings.stat().st_ino
    folder.claim({"name": "b"})  # its lock stays with the process that holds it
    assert folder.settings.stat().st_ino == inode
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").touch()
    with pytest.raises(StorageError, match="holds no bench"):
        BenchFolder(tmp_path / "full").claim({"name": "a"})


def test_sides_are_written_whole(tmp_path: Path) -> None:
    folder, table = BenchFolder(tmp_path), pd.DataFrame({"sample": ["S1"], "side": ["test"]})
    folder.write_sides(3, table)
    pd.testing.assert_frame_equal(pd.read_parquet(folder.sides(3)), table)
    assert [path.name for path in (tmp_path / "split").iterdir()] == ["fold-3.parquet"]
