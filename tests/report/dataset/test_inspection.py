"""The inspection of a data set: its table, its faults, its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from prestige.compute.files import write_text
from prestige.compute.ownership import files_in
from prestige.data.dataset import DatasetConfig, SampleSpec, open_dataset, open_sample
from prestige.data.prepared import Card, write_prepared
from prestige.data.sample import Table
from prestige.errors import StorageError
from prestige.report.dataset.inspection import inspect
from prestige.report.dataset.quarters import crop_centres


def prepared(folder: Path, name: str, **card: Any) -> SampleSpec:
    folder = folder / name
    folder.mkdir()
    np.save(folder / "slide.npy", np.full((60, 80, 3), 200, dtype=np.uint8))
    x, y = np.meshgrid(np.arange(4, 80, 8.0), np.arange(4, 60, 8.0))
    xy, n = np.stack([x.ravel(), y.ravel()], axis=1), x.size
    counts = np.zeros((n, 2), np.float32)
    counts[1:] = 5
    obs = pd.DataFrame({"measured": np.arange(n) > 0, "total_counts": counts.sum(axis=1, dtype=float)})
    obs.index = obs.index.astype(str)
    filled = {"source": "challenge", "fingerprint": name, "slide_fingerprint": name, "um_per_px": 0.5}
    write_prepared(
        folder,
        Table(obs, xy, csr_matrix(counts), ("A", "B")),
        Card(**{**filled, "um_per_px_assumed": True, **card}),
    )
    return SampleSpec(id=name, source="prepared", path=folder, patient=f"P{name}")


def test_samples_and_faults_stand_in_one_table(tmp_path: Path) -> None:
    sound = prepared(tmp_path, "a")
    lost = SampleSpec(id="b", source="hest", path=tmp_path / "no", patient="Pb")
    same = prepared(tmp_path, "c", slide_fingerprint="a")
    out = tmp_path / "out"
    found = inspect(DatasetConfig(name="d", samples=(sound, lost, same)), out)
    first, second, third = found.rows
    assert (first["n_obs"], first["n_measured"], first["genes"], first["median_counts"]) == (70, 69, 2, 10.0)
    assert (first["width_px"], first["height_px"], first["um_per_px_assumed"]) == (80, 60, True)
    assert first["faults"] == ()
    assert second["n_obs"] is None
    assert "no such folder" in second["faults"][0]
    assert "under another patient" in third["faults"][0]
    assert len(found.faults) == 2  # the folder is told once
    text = str(found)
    assert "0.5 (assumed)" in text
    assert "80 x 60" in text
    assert text.count("fault  ") == 2
    table = pd.read_csv(out / "inspection.csv")
    assert list(table["id"]) == ["a", "b", "c"]
    assert files_in(out) == ["a.png", "c.png", "index.html", "inspection.csv"]
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    write_text(out / "b.png", "a picture of mine")
    with pytest.raises(StorageError, match=r"b\.png: was not written by inspection and would be"):
        inspect(DatasetConfig(name="d", samples=(sound, lost, same)), out)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    (out / "b.png").unlink()
    inspect(DatasetConfig(name="d", samples=(sound,)), out)
    assert list(pd.read_csv(out / "inspection.csv")["id"]) == ["a"]


def test_a_folder_of_others_is_no_place_for_pictures(tmp_path: Path) -> None:
    config = DatasetConfig(name="d", samples=(prepared(tmp_path, "a"),))
    write_text(tmp_path / "out" / "a.png", "mine")
    with pytest.raises(StorageError, match="out: the folder is not empty and holds no inspection"):
        inspect(config, tmp_path / "out")
    with pytest.raises(StorageError, match="is read here and would be changed"):
        inspect(config, tmp_path / "a" / ".." / "a")
    assert (tmp_path / "out" / "a.png").read_text() == "mine"
    assert not (tmp_path / "a" / "a.png").exists()


def test_the_picture_shows_centres_where_they_are(tmp_path: Path) -> None:
    from matplotlib.image import imread

    inspect(DatasetConfig(name="d", samples=(prepared(tmp_path, "a"),)), tmp_path / "out")
    picture = (imread(tmp_path / "out" / "a.png")[..., :3] * 255).round().astype(int)
    blue = (np.abs(picture - (0, 229, 255)).max(axis=2) < 40).sum()
    tissue = (picture == 200).all(axis=2).sum()
    assert blue > 500
    assert tissue > 20 * 500


def test_nothing_is_written_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    spec = prepared(tmp_path, "a")
    assert inspect(DatasetConfig(name="d", samples=(spec,))).rows[0]["overlay"] is None
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_section_without_counts_is_drawn_and_noted(tmp_path: Path) -> None:
    spec = prepared(tmp_path, "a")
    whole = open_sample(spec)
    table = Table(whole.obs.assign(measured=False, total_counts=0.0), whole.xy_px, csr_matrix((70, 0)), ())
    card = Card("challenge", "x", "x", 0.5, False)
    write_prepared(spec.path, table, card)
    found = inspect(DatasetConfig(name="d", samples=(spec,)), tmp_path / "out")
    (row,) = found.rows
    assert (row["n_obs"], row["n_measured"], row["genes"], row["median_counts"]) == (70, 0, 0, None)
    assert found.faults == ()
    assert row["notes"][0] == "it has no counts: it can be predicted, not trained on, split or scored"
    assert row["notes"][1:] == (
        "100% of the centres lie on bare glass (100% of the slide is)",
    )  # it is blank
    assert row["overlay"].is_file()
    assert len(crop_centres(open_dataset_of(spec))) == 4


def open_dataset_of(spec: SampleSpec) -> Any:
    return open_dataset(DatasetConfig(name="d", samples=(spec,)), counts="optional").samples[0]


@pytest.mark.parametrize(
    "patient", ["$a_{$", "=1+1", "[red]", "x" * 200, "\N{GRINNING FACE}\N{HEBREW LETTER ALEF}"]
)
def test_names_are_drawn_and_written_as_they_are(tmp_path: Path, patient: str) -> None:
    sample = prepared(tmp_path, "a").model_copy(update={"patient": patient})
    found = inspect(DatasetConfig(name="d", samples=(sample,)), tmp_path / "out")
    assert found.faults == ()
    assert (tmp_path / "out" / "a.png").stat().st_size > 0
    assert patient in str(found)
    written = pd.read_csv(tmp_path / "out" / "inspection.csv")["patient"].item()
    assert written == (f"'{patient}" if patient.startswith("=") else patient)
