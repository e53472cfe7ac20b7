"""A run's folder: what is in it, how it goes on after a cut, what is refused before it is made."""

import json
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from prestige.data.dataset import Dataset
from prestige.errors import ConfigError, ModelError, StorageError
from prestige.records.run import RunFolder
from prestige.runs import outcome as outcome_module
from prestige.runs import run as run_module
from prestige.runs.run import execute, train_from_yaml
from prestige.stats.moments import Moments, mean_gene_pearson
from prestige.training import loop as train_module

from ..small_run import RUN, go, prepared, settings


@pytest.fixture
def dataset(small_samples) -> Dataset:
    return Dataset("small", small_samples)


def test_a_run_leaves_everything_that_the_report_reads(dataset: Dataset, tmp_path: Path) -> None:
    folder = go(dataset, tmp_path / "run")
    names = {path.name for path in folder.iterdir()}
    assert names >= {
        "config.yaml",
        "manifest.json",
        "scores.parquet",
        "moments.npz",
        "history.csv",
        "DONE",
        "model",
    }
    assert "checkpoints" not in names
    log = (folder / "log.txt").read_text()
    assert "compact_xs, patch 8 um as 16 px" in log
    assert "validation" in log
    assert log.rstrip().splitlines()[-1].endswith("seconds")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["encoder"] == "compact_xs"
    assert manifest["steps"] == 30
    assert manifest["observations_seen"] == (30 - 1) * 32  # one step was of the trial that lost
    assert manifest["budget"]["kind"] == "steps"
    assert manifest["learning_rate"] in (1e-3, 4e-3)
    assert manifest["parameters"] > 10_000
    assert manifest["flops"] > 100_000
    assert manifest["patch_um"] == 8.0
    scores = pd.read_parquet(folder / "scores.parquet")
    assert set(scores["encoder"]) == {"compact_xs"}
    assert scores["patient"].notna().all()
    history = pd.read_csv(folder / "history.csv")
    assert set(history["phase"]) == {"trial-0.001", "trial-0.004", "main"}


def test_predictions_and_scores_belong_together_and_to_the_test_side_only(
    dataset: Dataset, tmp_path: Path
) -> None:
    config = settings()
    data = prepared(dataset, config)
    folder = execute(config, data, tmp_path / "run", device="cpu")
    test_samples = {dataset.samples[i].id for i in np.unique(data.test.slide_index)}
    assert {path.stem for path in (folder / "predictions").iterdir()} == test_samples
    scores = pd.read_parquet(folder / "scores.parquet")
    for number in np.unique(data.test.slide_index):
        table = ad.read_h5ad(folder / "predictions" / f"{dataset.samples[number].id}.h5ad")
        rows = data.test.slide_index == number
        r = np.corrcoef(np.asarray(table.X)[:, 0], data.test_y[rows, 0])[0, 1]
        sample = dataset.samples[number].id  # noqa: F841 (used in the query)
        row = scores.query("level == 'gene' and name == 'G0' and metric == 'pearson' and sample == @sample")
        assert row["value"].item() == pytest.approx(r, abs=1e-5)


def test_a_run_cut_off_goes_on_and_ends_with_the_same_predictions(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = go(dataset, tmp_path / "whole")
    calls = 0
    step = train_module.Job.step

    def dying(self, x, y):
        nonlocal calls
        calls += 1
        if calls == 17:
            raise KeyboardInterrupt
        return step(self, x, y)

    with monkeypatch.context() as patch:
        patch.setattr(train_module.Job, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            go(dataset, tmp_path / "cut")
    assert not RunFolder(tmp_path / "cut").is_done()
    go(dataset, tmp_path / "cut")
    assert RunFolder(tmp_path / "cut").is_done()
    for path in (whole / "predictions").iterdir():
        other = ad.read_h5ad(tmp_path / "cut" / "predictions" / path.name)
        np.testing.assert_array_equal(np.asarray(ad.read_h5ad(path).X), np.asarray(other.X))
    one, two = (pd.read_parquet(folder / "scores.parquet") for folder in (whole, tmp_path / "cut"))
    pd.testing.assert_frame_equal(one, two)


def test_a_run_that_is_done_is_not_done_again(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(dataset, tmp_path / "run")
    monkeypatch.setattr(outcome_module, "train", lambda *args, **kwargs: pytest.fail("trained again"))
    go(dataset, tmp_path / "run")


def test_a_folder_of_another_run_is_refused(dataset: Dataset, tmp_path: Path) -> None:
    go(dataset, tmp_path / "run", model=None, train=None, baseline="mean")
    with pytest.raises(StorageError, match="other settings"):
        go(dataset, tmp_path / "run")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.doc").touch()
    with pytest.raises(StorageError, match="not empty"):
        go(dataset, tmp_path / "full")


@pytest.mark.parametrize("name", ["mean", "ridge"])
def test_baselines_are_runs_like_any_other(dataset: Dataset, tmp_path: Path, name: str) -> None:
    folder = go(dataset, tmp_path / name, model=None, train=None, baseline=name)
    scores = pd.read_parquet(folder / "scores.parquet")
    assert set(scores["encoder"]) == {f"baseline:{name}"}
    assert scores["baseline"].all()
    pearson = scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
    if name == "mean":
        assert pearson == 0.0  # constant predictions count as 0
    else:
        assert pearson > 0.1


def test_the_manifest_says_what_sets_a_model_apart_and_all_the_time_it_took(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = outcome_module.train
    monkeypatch.setattr(  # as after a resume: most of the time was spent by another process
        outcome_module,
        "train",
        lambda *args, **kwargs: replace(trained(*args, **kwargs), train_seconds=900.0),
    )
    model = {"encoder": "compact_xs", "readout": "whole", "dropout": 0.3}
    folder = go(dataset, tmp_path / "run", model=model, train=RUN["train"] | {"budget": {"steps": 4}})
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["changed"] == {"readout": "whole", "dropout": 0.3}
    assert not manifest["pretrained"]
    assert manifest["seconds"]["total"] > 900
    started = settings(model={"encoder": "compact_xs", "checkpoint": "/some/where/mine.safetensors"})
    outcome = outcome_module.Outcome(np.zeros((1, 4)), len, 1, None, {}, {}, device="cuda")
    monkeypatch.setattr(run_module, "hardware", lambda device: {"device": device})
    data = prepared(dataset, started)
    patch = run_module.resolve_patch(started.patch, [0.5])
    manifest = run_module._manifest(started, data, patch, outcome)
    assert manifest.changed == {"checkpoint": "mine.safetensors"}
    assert manifest.pretrained
    assert manifest.hardware.device == "cuda"


def test_settings_that_were_cut_off_while_written_are_written_again(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml.partial").write_text("hash: 0")
    assert RunFolder(go(dataset, tmp_path / "run", model=None, train=None, baseline="mean")).is_done()


def test_wrong_settings_leave_no_folder(
    tmp_path: Path, dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "read_dataset", lambda path: None)
    monkeypatch.setattr(run_module, "open_dataset", lambda config: dataset)
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump(RUN | {"fold": 9}))
    with pytest.raises(ConfigError, match="no fold 9"):
        train_from_yaml(path, tmp_path / "out")
    path.write_text(yaml.safe_dump(RUN | {"model": {"encoder": "compact_z"}}))
    with pytest.raises(ConfigError, match="compact_"):
        train_from_yaml(path, tmp_path / "out")
    path.write_text(yaml.safe_dump(RUN | {"train": RUN["train"] | {"loss": "msee"}}))
    with pytest.raises(ConfigError, match="did you mean 'mse'"):
        train_from_yaml(path, tmp_path / "out")
    plain = {key: value for key, value in RUN.items() if key not in ("model", "train")}
    path.write_text(yaml.safe_dump(plain | {"baseline": "coordinates"}))
    with pytest.raises(ConfigError, match="no training observation lies on the slide of S"):
        train_from_yaml(path, tmp_path / "out")
    path.write_text(
        yaml.safe_dump(plain | {"baseline": {"frozen": {"encoder": "resnet18", "pretrained": True}}})
    )
    with pytest.raises(ModelError, match="cannot be had"):
        train_from_yaml(path, tmp_path / "out")
    own = {"patch": {"patch_um": 112, "input_px": 224}, "baseline": {"hest": "resnet18"}}
    path.write_text(yaml.safe_dump(plain | own))
    with pytest.raises(ConfigError, match="buffer_um: 112 or more"):
        train_from_yaml(path, tmp_path / "out")
    path.write_text(yaml.safe_dump(plain | own | {"split": RUN["split"] | {"buffer_um": 112}}))
    with pytest.raises(ConfigError, match="larger than the image of sample S0"):
        train_from_yaml(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["model", "ridge", "depth"])
def test_the_test_side_is_scored_again_at_moved_centres(dataset: Dataset, tmp_path: Path, what: str) -> None:
    changes = {} if what == "model" else {"model": None, "train": None, "baseline": what}
    plain = go(dataset, tmp_path / "plain", **changes)
    assert RunFolder(plain).read_shifted() == {}
    folder = go(dataset, tmp_path / "run", evaluation={"block_um": 20, "shifts_um": [2, 8]}, **changes)
    found = RunFolder(folder).read_shifted()
    assert list(found) == [0.0, 2.0, 8.0]
    own = Moments.load(folder / "moments.npz")
    scores = [mean_gene_pearson(moments) for moments in found.values()]
    assert scores[0] == pytest.approx(mean_gene_pearson(own), abs=1e-5)  # all of a small test side is taken
    if what == "depth":
        assert scores[2] == pytest.approx(scores[0], abs=1e-9)  # it reads no image
    else:
        assert scores[2] < scores[0]
    spent = [json.loads((one / "manifest.json").read_text())["seconds"] for one in (plain, folder)]
    assert ["shift" in one for one in spent] == [False, True]  # what is predicted again is no scoring
    assert spent[1]["total"] >= sum(value for name, value in spent[1].items() if name != "total") - 1e-3
