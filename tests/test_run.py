import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import yaml

from prestige import run as run_module
from prestige import train as train_module
from prestige.baselines.settings import BaselineConfig
from prestige.bundle import read_bundle
from prestige.config import RunConfig
from prestige.data.dataset import Dataset
from prestige.data.patches import PatchConfig, PatchReader
from prestige.data.split import make_folds
from prestige.errors import ConfigError, ModelError, StorageError
from prestige.evaluate.shifts import read_shifted
from prestige.infer import predict_observations
from prestige.run import FoldData, execute, is_done, prepare_fold, train_from_yaml
from prestige.schedule import TrainConfig, plan_steps
from prestige.stats import Moments, mean_gene_pearson

RUN = {
    "dataset": "dataset.yaml",
    "split": {"by": "patient", "folds": 4, "buffer_um": 16},
    "patch": {"patch_px": 16},
    "model": {"encoder": "compact_xs"},
    "train": {
        "budget": {"steps": 30},
        "batch_size": 32,
        "learning_rates": [1e-3, 4e-3],
        "validations": 3,
        "precision": "32-true",
        "checkpoint_seconds": 1e-6,
    },
    "evaluation": {"block_um": 20},
    "largest_patch_um": 8.0,
}


@pytest.fixture
def dataset(small_samples) -> Dataset:
    return Dataset("small", small_samples)


def settings(**changes) -> RunConfig:
    return RunConfig.model_validate(RUN | changes)


def prepared(dataset: Dataset, config: RunConfig) -> FoldData:
    folds = make_folds(dataset.samples, config.split, largest_patch_um=8.0)
    return prepare_fold(dataset, folds[config.fold], config)


def go(dataset: Dataset, folder: Path, **changes) -> Path:
    config = settings(**changes)
    return execute(config, prepared(dataset, config), folder, device="cpu")


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
    assert set(history["phase"]) == {"race-0.001", "race-0.004", "main"}


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


def test_the_bundle_predicts_what_the_run_predicted(dataset: Dataset, tmp_path: Path) -> None:
    config = settings()
    data = prepared(dataset, config)
    folder = execute(config, data, tmp_path / "run", device="cpu")
    bundle = read_bundle(folder / "model")
    reader = PatchReader([sample.slide for sample in dataset.samples], bundle.patch)
    again = predict_observations(bundle.predictor, reader, data.test)
    table = ad.read_h5ad(next((folder / "predictions").iterdir()))
    np.testing.assert_allclose(again, np.asarray(table.X), atol=1e-5)


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
    assert not is_done(tmp_path / "cut")
    go(dataset, tmp_path / "cut")
    assert is_done(tmp_path / "cut")
    for path in (whole / "predictions").iterdir():
        other = ad.read_h5ad(tmp_path / "cut" / "predictions" / path.name)
        np.testing.assert_array_equal(np.asarray(ad.read_h5ad(path).X), np.asarray(other.X))
    one, two = (pd.read_parquet(folder / "scores.parquet") for folder in (whole, tmp_path / "cut"))
    pd.testing.assert_frame_equal(one, two)


def test_a_run_that_is_done_is_not_done_again(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go(dataset, tmp_path / "run")
    monkeypatch.setattr(run_module, "train", lambda *args, **kwargs: pytest.fail("trained again"))
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


def baseline(dataset: Dataset, folder: Path, name: object, **changes) -> tuple[dict, pd.DataFrame]:
    """Do a baseline's run; return its manifest and its scores of all genes together."""
    go(dataset, folder, **({"model": None, "train": None, "baseline": name} | changes))
    scores = pd.read_parquet(folder / "scores.parquet")
    return json.loads((folder / "manifest.json").read_text()), scores


def mean_pearson(scores: pd.DataFrame) -> float:
    return scores.query("level == 'genes' and metric == 'pearson' and sample != 'all'")["value"].mean()


WITHIN = {"by": "blocks", "folds": 2, "within_section": True, "buffer_um": 8, "block_um": 24}


def test_coordinates_are_the_mean_of_neighbours_on_the_slide(dataset: Dataset, tmp_path: Path) -> None:
    changes = {"split": WITHIN, "baseline": "coordinates", "model": None, "train": None}
    data = prepared(dataset, settings(**changes))
    manifest, scores = baseline(dataset, tmp_path / "run", "coordinates", split=WITHIN)
    assert manifest["encoder"] == "baseline:coordinates"
    assert manifest["baseline"]
    assert not manifest["diagnostic"]
    assert (manifest["patch_um"], manifest["input_px"], manifest["patch_px"]) == (None, None, None)
    assert set(scores["encoder"]) == {"baseline:coordinates"}
    k = json.loads(manifest["notes"][0])["neighbours"]
    for number, sample in enumerate(dataset.samples):
        train, test = data.train.slide_index == number, data.test.slide_index == number
        near = np.linalg.norm(data.test.xy_px[test][:, None] - data.train.xy_px[train][None], axis=2)
        wanted = [data.train_y[train][np.argsort(row)[:k]].mean(axis=0) for row in near]
        found = ad.read_h5ad(tmp_path / "run" / "predictions" / f"{sample.id}.h5ad")
        np.testing.assert_allclose(np.asarray(found.X), wanted, atol=1e-5)


def test_frozen_features_are_a_run_with_the_cost_of_their_encoder(dataset: Dataset, tmp_path: Path) -> None:
    manifest, scores = baseline(dataset, tmp_path / "run", {"frozen": "compact_xs"})
    assert manifest["encoder"] == "baseline:frozen compact_xs, random weights"
    assert manifest["flops"] > 100_000
    assert manifest["patch_um"] == 8.0
    assert not manifest["pretrained"]
    assert manifest["hardware"]["device"] == "cpu"
    assert mean_pearson(scores) > 0.1


def test_the_recipe_of_hest_says_what_it_may_be_compared_with(dataset: Dataset, tmp_path: Path) -> None:
    # 112 um are more than these images hold: a patch of 40 um, and images as if of finer pixels.
    small = PatchConfig(patch_um=40.0, input_px=80)
    config = settings(model=None, train=None, baseline="mean", split=RUN["split"] | {"buffer_um": 40})
    hest = BaselineConfig.model_validate({"hest": "compact_xs"})
    config = config.model_copy(update={"baseline": hest, "patch": small})
    folder = execute(config, prepared(dataset, config), tmp_path / "run", device="cpu")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["encoder"] == "baseline:hest compact_xs, random weights"
    assert (manifest["patch_um"], manifest["input_px"]) == (40.0, 80)
    assert "comparable only on their genes, pseudo-spots and splits" in manifest["notes"]
    described = json.loads(manifest["notes"][0])
    assert described["alpha"] == pytest.approx(100 / (described["components"] * 4))
    (edge,) = [note for note in manifest["notes"] if "leaves the image" in note]
    data = prepared(dataset, config)
    pixels = data.test.xy_px
    beyond = ((np.floor(pixels - 39) < 0) | (np.floor(pixels - 39) + 80 > 192)).any(axis=1).sum()
    assert edge == f"its patch leaves the image at {beyond} of {len(pixels)} test observations"


def test_shuffled_labels_teach_nothing_where_the_true_ones_do(dataset: Dataset, tmp_path: Path) -> None:
    train = RUN["train"] | {"budget": {"steps": 250}, "learning_rates": [4e-3]}
    changes = {"split": WITHIN, "train": train}
    plain = pd.read_parquet(go(dataset, tmp_path / "plain", **changes) / "scores.parquet")
    manifest, scores = baseline(dataset, tmp_path / "shuffled", {"shuffled": "compact_xs"}, **changes)
    assert manifest["encoder"] == "baseline:compact_xs, shuffled labels"
    assert manifest["baseline"]
    own = json.loads((tmp_path / "plain" / "manifest.json").read_text())
    for name in ("parameters", "flops", "steps", "n_train", "n_validation", "n_test", "patch_um"):
        assert manifest[name] == own[name]
    assert "image says nothing" in json.loads(manifest["notes"][0])["why"]
    genes = "level == 'gene' and metric == 'pearson' and name in ('G0', 'G1') and sample != 'all'"
    assert plain.query(genes)["value"].mean() > 0.3
    assert abs(scores.query(genes)["value"].fillna(0).mean()) < 0.15
    bundle = read_bundle(tmp_path / "shuffled" / "model")
    assert bundle.extra["labels"] == "shuffled within samples"
    assert read_bundle(tmp_path / "plain" / "model").extra["labels"] == "measured"


def test_only_the_labels_of_the_training_side_are_shuffled(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def stop(predictor, feed, *args, **kwargs):
        seen.append(feed)
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module, "train", stop)
    config = settings(model=None, baseline={"shuffled": "compact_xs"})
    data = prepared(dataset, config)
    before = data.train_y.copy()
    with pytest.raises(KeyboardInterrupt):
        execute(config, data, tmp_path / "run", device="cpu")
    (feed,) = seen
    np.testing.assert_array_equal(data.train_y, before)
    assert (feed.train_y != before).any(axis=1).mean() > 0.9
    for number in np.unique(data.train.slide_index):
        rows = data.train.slide_index == number
        np.testing.assert_array_equal(np.sort(feed.train_y[rows], axis=0), np.sort(before[rows], axis=0))
    np.testing.assert_array_equal(feed.validation_y, data.validation_y)


def test_depth_is_a_diagnostic_that_alone_is_given_the_test_sides_totals(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, _ = baseline(dataset, tmp_path / "run", "depth")
    assert manifest["encoder"] == "diagnostic:depth"
    assert manifest["diagnostic"]
    assert manifest["baseline"]
    assert any("uses the RNA of the test side" in note for note in manifest["notes"])
    data = prepared(dataset, settings(model=None, train=None, baseline="depth"))
    totals = {
        side: np.array(
            [
                dataset.samples[slide].obs["total_counts"].iloc[row]
                for slide, row in zip(part.slide_index, part.row, strict=True)
            ]
        )
        for side, part in (("train", data.train), ("test", data.test))
    }
    (number,) = np.unique(data.test.slide_index)
    found = ad.read_h5ad(tmp_path / "run" / "predictions" / f"{dataset.samples[number].id}.h5ad")
    for gene in range(4):
        line = np.polyfit(np.log1p(totals["train"]), data.train_y[:, gene].astype(float), 1)
        wanted = np.maximum(np.polyval(line, np.log1p(totals["test"])), 0)
        np.testing.assert_allclose(np.asarray(found.X)[:, gene], wanted, atol=1e-4)
    given = []
    fit = run_module.fit_baseline
    monkeypatch.setattr(
        run_module, "fit_baseline", lambda *a, **k: (given.append(k["totals"]), fit(*a, **k))[1]
    )
    baseline(dataset, tmp_path / "ridge", "ridge")
    assert given == [None]


def test_the_manifest_says_what_sets_a_model_apart_and_all_the_time_it_took(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = run_module.train
    monkeypatch.setattr(  # as after a resume: most of the time was spent by another process
        run_module, "train", lambda *args, **kwargs: replace(trained(*args, **kwargs), train_seconds=900.0)
    )
    model = {"encoder": "compact_xs", "readout": "whole", "dropout": 0.3}
    folder = go(dataset, tmp_path / "run", model=model, train=RUN["train"] | {"budget": {"steps": 4}})
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["variant"] == "readout whole, dropout 0.3"
    assert not manifest["pretrained"]
    assert manifest["seconds"]["total"] > 900
    started = settings(model={"encoder": "compact_xs", "checkpoint": "/some/where/mine.safetensors"})
    outcome = run_module.Outcome(np.zeros((1, 4)), len, 1, None, {}, {}, device="cuda")
    monkeypatch.setattr(run_module, "hardware", lambda device: {"device": device})
    data = prepared(dataset, started)
    patch = run_module.resolve_patch(started.patch, [0.5])
    manifest = run_module._manifest(started, data, patch, outcome)
    assert manifest["variant"] == "from mine.safetensors"
    assert manifest["pretrained"]
    assert manifest["hardware"] == {"device": "cuda"}


def test_the_manifest_of_a_baseline_keeps_all_notes_and_the_patches_it_read(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "fit_baseline", partial(run_module.fit_baseline, max_train=40))
    folder = go(dataset, tmp_path / "ridge", model=None, train=None, baseline="ridge")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["observations_seen"] == 40
    assert manifest["epochs_seen"] == pytest.approx(40 / manifest["n_train"])
    assert any("validation" in note for note in manifest["notes"])


def test_a_limit_reached_is_not_called_convergence() -> None:
    config = TrainConfig.model_validate({"budget": {"steps": 1000, "patience": 2}})
    plan = plan_steps(config)
    assert run_module._converged(config, plan) is False
    assert run_module._converged(config, plan.model_copy(update={"main_steps": 500})) is True
    steps = TrainConfig.model_validate({"budget": {"steps": 1000}})
    assert run_module._converged(steps, plan_steps(steps)) is None


def test_settings_that_were_cut_off_while_written_are_written_again(dataset: Dataset, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml.partial").write_text("hash: 0")
    assert is_done(go(dataset, tmp_path / "run", model=None, train=None, baseline="mean"))


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
    assert read_shifted(plain) == {}
    folder = go(dataset, tmp_path / "run", evaluation={"block_um": 20, "shifts_um": [2, 8]}, **changes)
    found = read_shifted(folder)
    assert list(found) == [0.0, 2.0, 8.0]
    own = Moments.load(folder / "moments.npz")
    scores = [mean_gene_pearson(moments) for moments in found.values()]
    assert scores[0] == pytest.approx(mean_gene_pearson(own), abs=1e-5)  # all of a small test side is taken
    if what == "depth":
        assert scores[2] == pytest.approx(scores[0])  # it reads no image
    else:
        assert scores[2] < scores[0]
