"""A run folder: what is written is read back, what is cut off is missing with its reason."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from prestige.errors import DataError, StorageError
from prestige.records.manifest import Manifest
from prestige.records.run import HISTORY, Missing, Run, RunFolder, identity, read_run
from prestige.stats.moments import moments_of

STORED = Path(__file__).resolve().parents[1] / "stored" / "bench" / "runs" / "bcd9eaa717710f70"
GENES = ("A", "B")


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A finished run of version 1."""
    return shutil.copytree(STORED, tmp_path / "run")


def write(folder: RunFolder, *, shifts_um: tuple[float, ...] = ()) -> Manifest:
    """Write a small run."""
    truth = np.random.default_rng(0).normal(size=(30, 2))
    sample = np.full(30, "S1")
    moments = moments_of(0.5 * truth, truth, sample, np.zeros(30, dtype=np.int64), GENES)
    scores = pd.DataFrame(
        {"sample": "S1", "level": "gene", "name": GENES, "metric": "pearson", "value": [1.0, 1.0]}
    )
    manifest = Manifest(encoder="compact_s", changed={"readout": "whole"}, patch_um=8.0, input_px=16, fold=2)
    history = [{"phase": "main", "step": 3, "seconds": 0.5, "validation_score": 0.25}]
    folder.write(manifest, scores, moments, dict.fromkeys(shifts_um, moments), history)
    return manifest


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.claim("abc", {"seed": 0})
    manifest = write(folder, shifts_um=(10.0, 2.5))
    folder.mark_done("abc")
    run = read_run(folder.path)
    assert isinstance(run, Run)
    assert run.manifest.model_dump(exclude_defaults=True) == manifest.model_dump(exclude_defaults=True)
    assert (run.fold, run.seed, run.folder) == (2, 0, folder)
    assert run.scores["variant"].tolist() == ["readout whole"] * 2
    assert run.scores["fold"].tolist() == [2, 2]
    assert run.history.columns.tolist() == list(HISTORY)
    assert run.history["validation_score"].tolist() == [0.25]
    assert list(folder.read_shifted()) == [2.5, 10.0]
    np.testing.assert_array_equal(folder.read_shifted()[10.0].sum_p, run.moments.sum_p)
    names = {"DONE", "config.yaml", "manifest.json", "scores.parquet", "moments.npz", "history.csv"}
    assert {path.name for path in folder.path.iterdir()} == names | {
        "moments-shift-2.5.npz", "moments-shift-10.npz",
    }  # fmt: skip


def test_a_folder_is_one_runs_own(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    assert folder.claim("abc", {"seed": 0})
    assert yaml.safe_load(folder.settings.read_text()) == {"hash": "abc", "seed": 0}
    assert folder.claim("abc", {"seed": 0})  # it was killed: it goes on
    with pytest.raises(StorageError, match="other settings or data"):
        folder.claim("def", {"seed": 0})
    folder.checkpoints.mkdir()
    write(folder)
    folder.mark_done("abc")
    assert not folder.checkpoints.exists()
    assert not folder.claim("abc", {"seed": 0})


def test_what_a_kill_left_of_the_settings_is_no_reason_to_refuse(tmp_path: Path) -> None:
    for name in ("config.yaml.0123456789ab.partial", ".config.yaml.0123456789ab.partial"):
        folder = RunFolder(tmp_path / name[:3])
        folder.path.mkdir()
        (folder.path / name).touch()
        assert folder.claim("abc", {})
    other = RunFolder(tmp_path / "other")
    other.path.mkdir()
    (other.path / "thesis.doc").touch()
    with pytest.raises(StorageError, match="not empty"):
        other.claim("abc", {})
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        RunFolder(tmp_path / "file").claim("abc", {})


def test_a_run_that_is_not_done_says_how_far_it_is(stored: Path) -> None:
    (stored / "DONE").unlink()
    last = pd.read_csv(stored / "history.csv").iloc[-1]
    assert read_run(stored) == Missing("run", f"not finished: {last['phase']} at step {last['step']}")
    (stored / "history.csv").write_text("step\n")
    assert read_run(stored) == Missing("run", "not finished")
    (stored / "history.csv").unlink()
    assert read_run(stored) == Missing("run", "not finished")
    assert read_run(stored.parent / "none") == Missing("none", "not started")


@pytest.mark.parametrize("name", ["manifest.json", "scores.parquet", "moments.npz"])
@pytest.mark.parametrize("how", ["cut", "gone"])
def test_a_file_that_is_cut_off_or_gone_makes_the_run_missing(stored: Path, name: str, how: str) -> None:
    content = (stored / name).read_bytes()[:40]
    (stored / name).unlink()
    if how == "cut":
        (stored / name).write_bytes(content)
    missing = read_run(stored)
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("cannot be read: ")
    assert "\n" not in missing.reason


def test_a_run_of_a_newer_version_is_missing_with_the_remedy(stored: Path) -> None:
    raw = json.loads((stored / "manifest.json").read_text())
    (stored / "manifest.json").write_text(json.dumps(raw | {"schema": "prestige.run/3"}))
    missing = read_run(stored)
    assert isinstance(missing, Missing)
    assert "newer version of prestige (schema prestige.run/3)" in missing.reason
    assert "install a newer prestige-st" in missing.reason


def test_scores_that_lack_columns_are_refused(stored: Path) -> None:
    folder = RunFolder(stored)
    folder.read_scores().drop(columns=["metric", "value"]).to_parquet(folder.scores)
    with pytest.raises(DataError, match="lacks the columns metric, value"):
        folder.read_scores()


def test_what_is_not_trained_has_an_empty_history(stored: Path) -> None:
    (stored / "history.csv").write_text("")
    history = RunFolder(stored).read_history()
    assert history.empty
    assert history.columns.tolist() == list(HISTORY)


def test_every_score_says_what_was_scored() -> None:
    columns = identity(Manifest(encoder="baseline:coordinates", baseline=True, parameters=3, seed=1))
    assert columns == {
        "encoder": "baseline:coordinates", "variant": None, "baseline": True, "pretrained": False,
        "parameters": 3, "flops": None, "patch_um": None, "input_px": None, "visible_um": None,
        "fold": 0, "seed": 1,
    }  # fmt: skip
