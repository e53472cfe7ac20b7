"""The marker of a run is believed with what it vouches for, and with nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from prestige.records.done import NEEDED, done_text, fault_of
from prestige.records.run import Missing, Run, RunFolder, read_run

STORED = Path(__file__).resolve().parents[1] / "stored" / "bench" / "runs" / "bcd9eaa717710f70"


@pytest.fixture
def old(tmp_path: Path) -> RunFolder:
    """A finished run whose marker is of an older version."""
    return RunFolder(Path(shutil.copytree(STORED, tmp_path / "bcd9eaa717710f70")))


@pytest.fixture
def done(old: RunFolder) -> RunFolder:
    old.marker.write_text(done_text(old.path, old.name))
    return old


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


FILES = (
    "config.yaml", "manifest.json", "scores.parquet", "moments.npz", "moments-shift-2.npz", "history.csv",
    "model/model.json", "model/model.safetensors", "predictions/S2.h5ad",
)  # fmt: skip


def test_a_run_is_done_with_all_that_the_marker_vouches_for(done: RunFolder) -> None:
    assert done.is_done()
    assert isinstance(read_run(done.path), Run)
    content = json.loads(done.marker.read_text())
    assert content["hash"] == done.name
    assert set(FILES) < set(content["files"])
    assert "log.txt" not in content["files"]
    (done.path / "notes.txt").write_text("a user's own")
    cut(done.log)
    assert done.is_done()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("how", "words"),
    [(cut, "is cut off"), (flip, "holds other bytes than were written"), (Path.unlink, "is missing")],
)
def test_a_file_that_is_cut_changed_or_gone(done: RunFolder, name: str, how, words: str) -> None:
    how(done.path / name)
    assert not done.is_done()
    assert (done.fault() or "").startswith(f"{name} {words}")
    missing = read_run(done.path)
    assert isinstance(missing, Missing)
    assert missing.reason.startswith(f"cannot be read: {name} {words}")
    assert "run the same `prestige bench` or `train` again" in missing.reason


@pytest.mark.parametrize("name", FILES[2:5] + FILES[7:])
def test_of_an_older_version_what_is_cut_off_is_met_by_its_own_form(old: RunFolder, name: str) -> None:
    assert old.is_done()
    path = old.path / name
    path.write_bytes(path.read_bytes()[:60])
    assert (old.fault() or "").startswith(f"{name} cannot be read")


def test_of_an_older_version_predictions_may_have_been_moved_and_results_not(old: RunFolder) -> None:
    shutil.rmtree(old.predictions)
    assert old.is_done()
    old.moments.unlink()
    assert old.fault() == "moments.npz is missing"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "DONE is empty"),
        ("\n", "DONE is empty"),
        ("{", "DONE cannot be read"),
        ("[]", "DONE holds no JSON object"),
        ("two words", "DONE cannot be read"),
        ("{}", "DONE vouches for no files"),
        ('{"files": {"moments.npz": 3}}', "DONE vouches for no files"),
        ('{"files": {}}', "DONE does not vouch for manifest.json"),
        (json.dumps({"files": {key: {} for key in (*NEEDED, "../x")}}), "DONE vouches for a file of another"),
    ],
)
def test_a_marker_that_is_none(old: RunFolder, text: str, words: str) -> None:
    old.marker.write_text(text)
    assert not old.is_done()
    assert (fault_of(old.path, old.marker) or "").startswith(words)


def test_what_a_marker_of_another_form_says_of_a_file_is_a_fault(old: RunFolder) -> None:
    files = {"manifest.json": {"bytes": "x"}, "scores.parquet": {}, "moments.npz": {}}
    old.marker.write_text(json.dumps({"files": files}))
    assert "manifest.json" in (old.fault() or "")


def test_a_marker_that_is_a_folder_marks_nothing(old: RunFolder) -> None:
    old.marker.unlink()
    old.marker.mkdir()
    assert not old.is_done()
