"""What a configuration gives: networks and baselines, worked out beside them from the same fold."""

import json
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from prestige.baselines.settings import BaselineConfig
from prestige.data.dataset import Dataset
from prestige.data.patches.reader import PatchConfig, PatchReader, resolve_patch
from prestige.prediction.bundle import read_bundle
from prestige.prediction.infer import predict_observations
from prestige.runs import outcome as outcome_module
from prestige.runs.outcome import outcome_of
from prestige.runs.run import execute
from prestige.training.schedule import TrainConfig, plan_steps

from ..small_run import RUN, go, prepared, settings


@pytest.fixture
def dataset(small_samples) -> Dataset:
    return Dataset("small", small_samples)


def test_what_the_mean_leaves_behind(dataset: Dataset, tmp_path: Path) -> None:
    config = settings(model=None, train=None, baseline="mean")
    data = prepared(dataset, config)
    patch = resolve_patch(config.patch, [0.5])
    found = outcome_of(config, data, patch, tmp_path / "run", device="cpu")
    wanted = np.broadcast_to(data.train_y.mean(axis=0), data.test_y.shape)
    np.testing.assert_allclose(found.prediction, wanted, atol=1e-6)
    np.testing.assert_array_equal(found.predict(data.test.take(np.arange(3))), found.prediction[:3])
    assert (found.history, found.device) == ((), "cpu")
    assert found.facts["observations_seen"] == len(data.train)
    assert set(found.seconds) == {"train", "predict"}
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["model"]


def test_blocks_of_two_slides_are_never_one() -> None:
    slides, blocks = np.array([1, 0, 1, 0, 0]), np.array([7, 7, 7, 2, 7])
    joint = outcome_module._joint(slides, blocks)
    same = joint[:, None] == joint[None]
    np.testing.assert_array_equal(same, (slides[:, None] == slides) & (blocks[:, None] == blocks))


def test_the_bundle_predicts_what_the_run_predicted(dataset: Dataset, tmp_path: Path) -> None:
    config = settings()
    data = prepared(dataset, config)
    folder = execute(config, data, tmp_path / "run", device="cpu")
    bundle = read_bundle(folder / "model")
    reader = PatchReader([sample.slide for sample in dataset.samples], bundle.patch)
    again = predict_observations(bundle.predictor, reader, data.test)
    table = ad.read_h5ad(next((folder / "predictions").iterdir()))
    np.testing.assert_allclose(again, np.asarray(table.X), atol=1e-5)


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

    monkeypatch.setattr(outcome_module, "train", stop)
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
    fit = outcome_module.fit_baseline
    monkeypatch.setattr(
        outcome_module, "fit_baseline", lambda one, side: (given.append(side.totals), fit(one, side))[1]
    )
    baseline(dataset, tmp_path / "ridge", "ridge")
    assert given == [None]


def test_the_manifest_of_a_baseline_keeps_all_notes_and_the_patches_it_read(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prestige.baselines.on_features.MAX_TRAIN", 40)
    folder = go(dataset, tmp_path / "ridge", model=None, train=None, baseline="ridge")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["observations_seen"] == 40
    assert manifest["epochs_seen"] == pytest.approx(40 / manifest["n_train"])
    assert any("validation" in note for note in manifest["notes"])


def test_a_limit_reached_is_not_called_convergence() -> None:
    config = TrainConfig.model_validate({"budget": {"steps": 1000, "patience": 2}})
    plan = plan_steps(config)
    assert outcome_module._converged(config, plan) is False
    assert outcome_module._converged(config, plan.model_copy(update={"main_steps": 500})) is True
    steps = TrainConfig.model_validate({"budget": {"steps": 1000}})
    assert outcome_module._converged(steps, plan_steps(steps)) is None


@pytest.mark.parametrize("name", ["mean", "ridge", {"frozen": "compact_xs"}], ids=str)
def test_a_kept_baseline_predicts_what_its_run_predicted_to_the_last_bit(
    dataset: Dataset, tmp_path: Path, name: object
) -> None:
    changes = {"model": None, "train": None, "baseline": name}
    folder = go(dataset, tmp_path / "run", **changes)
    bundle = read_bundle(folder / "model")
    data = prepared(dataset, settings(**changes))
    predict = bundle.predicting(
        PatchReader([sample.slide for sample in dataset.samples], bundle.patch), device="cpu"
    )
    table = ad.read_h5ad(next((folder / "predictions").iterdir()))
    np.testing.assert_array_equal(predict(data.test), np.asarray(table.X))
    assert bundle.name == json.loads((folder / "manifest.json").read_text())["encoder"]
    assert bundle.extra["um_per_px"] == [0.5]


@pytest.mark.parametrize("name", ["coordinates", "depth"])
def test_what_knows_nothing_of_other_slides_is_not_kept(dataset: Dataset, tmp_path: Path, name: str) -> None:
    split = {"split": WITHIN} if name == "coordinates" else {}
    folder = go(dataset, tmp_path / "run", model=None, train=None, baseline=name, **split)
    assert not (folder / "model").exists()
