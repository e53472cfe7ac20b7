"""A model written and read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pytest
import torch
import yaml
from torch import nn

from prestige.baselines.fitted import FittedBaseline, TrainingSide, fit_baseline
from prestige.baselines.settings import BaselineConfig
from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch, PatchReader
from prestige.data.slides.slide import Slide
from prestige.errors import ConfigError, DataError, ModelError, StorageError
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import Architecture
from prestige.prediction.bundle import Bundle, read_bundle, write_bundle
from prestige.prediction.description import CARD, MANIFEST, WEIGHTS
from prestige.prediction.packing import SCHEMA

PANEL = Panel(("EPCAM", "PTPRC", "DES"), 100.0, np.array([0.1, 1 / 3, 2.0]), np.array([1.0, 0.7, 0.3]))
EXTRA = {
    "um_per_px": [0.25],
    "data_fingerprints": {"UC1_I": "abc123"},
    "validation_score": 0.1234,
    "scores": {"test": 0.2, "nothing": float("nan")},
}


def make(encoder: str = "compact_xs", px: int = 32) -> tuple[Predictor, ModelConfig, Patch]:
    config = ModelConfig(encoder=encoder)
    predictor = build_predictor(
        config, input_px=px, train_mean=PANEL.train_mean, train_std=PANEL.train_std, seed=1
    )
    with torch.no_grad():
        nn.init.normal_(predictor.head.linear.weight)
    return predictor, config, Patch(16.0, px, 8.0)


def write(folder: Path, encoder: str = "compact_xs", px: int = 32, **extra: Any) -> Predictor:
    predictor, config, patch = make(encoder, px)
    write_bundle(folder, predictor, model=config, panel=PANEL, patch=patch, extra={**EXTRA, **extra})
    return predictor


@pytest.mark.parametrize("encoder", ["compact_xs", "resnet18", "timm:test_vit", "timm:test_resnet"])
def test_round_trip_to_the_last_bit(encoder: str, tmp_path: Path) -> None:
    predictor = write(tmp_path / "model", encoder)
    predictor.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    write_bundle(  # again, as the training leaves it
        tmp_path / "model",
        predictor,
        model=ModelConfig(encoder=encoder),
        panel=PANEL,
        patch=Patch(16.0, 32, 8.0),
        extra=EXTRA,
    )
    bundle = read_bundle(tmp_path / "model")
    state, back = predictor.state_dict(), bundle.predictor.state_dict()
    assert list(state) == list(back)
    assert all(torch.equal(state[key], back[key]) and state[key].dtype == back[key].dtype for key in state)
    assert not bundle.predictor.training
    assert bundle.model == ModelConfig(encoder=encoder)
    assert bundle.patch == Patch(16.0, 32, 8.0)
    assert bundle.panel.genes == PANEL.genes
    assert np.array_equal(bundle.panel.train_mean, PANEL.train_mean)
    assert np.array_equal(bundle.panel.train_std, PANEL.train_std)
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    plain = make(encoder)[0]
    plain.load_state_dict(state)
    with torch.no_grad():
        assert torch.equal(plain.eval().expression(x), bundle.predictor.expression(x))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [CARD, MANIFEST, WEIGHTS]


def test_extra_comes_back_with_null_for_what_is_not_finite(tmp_path: Path) -> None:
    write(tmp_path / "model")
    extra = read_bundle(tmp_path / "model").extra
    assert extra == {**EXTRA, "scores": {"test": 0.2, "nothing": None}}


def test_manifest_says_what_another_program_needs(tmp_path: Path) -> None:
    write(tmp_path / "model")
    manifest = json.loads((tmp_path / "model" / MANIFEST).read_text())
    assert manifest["schema"] == SCHEMA
    assert manifest["panel"]["normalisation"] == {"total": 100.0, "log1p": True}
    assert manifest["patch"] == {"patch_um": 16.0, "input_px": 32, "visible_um": 8.0}


def test_card_has_front_matter_and_says_what_it_is_for(tmp_path: Path) -> None:
    write(tmp_path / "model", um_per_px=0.5)
    _, front, text = (tmp_path / "model" / CARD).read_text().split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "prestige-st"
    for words in ("compact_xs on patches of 16 um", "EPCAM, PTPRC, DES", "UC1_I", "| validation | 0.1234 |"):
        assert words in text
    for title in ("Intended use", "Training data", "Scores", "Limitations"):
        assert f"## {title}\n" in text
    assert "| test | 0.2 |" in text
    assert "nothing" not in text
    assert "(um): 0.5" in text


def test_the_checkpoints_path_stays_on_this_machine(tmp_path: Path) -> None:
    predictor, _, patch = make()
    config = ModelConfig(encoder="compact_xs", checkpoint=tmp_path / "secret" / "start.safetensors")
    write_bundle(tmp_path / "model", predictor, model=config, panel=PANEL, patch=patch, extra={})
    assert "secret" not in (tmp_path / "model" / MANIFEST).read_text()
    assert read_bundle(tmp_path / "model").model.checkpoint == Path("start.safetensors")


def test_a_hub_model_is_read_back_without_the_hub(tmp_path: Path) -> None:
    architecture = Architecture("test_vit", {"depth": 2}, (0.7, 0.5, 0.7), (0.2, 0.2, 0.2))
    config = ModelConfig(encoder="timm:hf-hub:somebody/something", pretrained=True)
    predictor = build_predictor(
        config.model_copy(update={"pretrained": False}),
        input_px=32,
        train_mean=PANEL.train_mean,
        train_std=PANEL.train_std,
        seed=0,
        architecture=architecture,
    )
    write_bundle(tmp_path / "m", predictor, model=config, panel=PANEL, patch=Patch(16.0, 32), extra={})
    bundle = read_bundle(tmp_path / "m")
    assert bundle.model == config
    assert bundle.predictor.encoder.mean == (0.7, 0.5, 0.7)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(bundle.predictor(x), predictor.eval()(x))


def test_nothing_else_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("years of work")
    with pytest.raises(StorageError, match=r"'chapter\.txt', which would be lost"):
        write(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize("where", ["prediction.bundle.save_file", "compute.files.os.rename"])
def test_a_full_disk_leaves_nothing_half_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"prestige.{where}", full)
    with pytest.raises(StorageError, match="the disk is full"):
        write(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_whoever_may_read_the_folder_may_read_its_files(tmp_path: Path) -> None:
    write(tmp_path / "model")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "model").iterdir()}
    assert modes == {0o666 & (tmp_path / "model").stat().st_mode}


def test_extra_that_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no JSON"):
        write(tmp_path / "model", thing=object())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "model"
    write(folder)
    return folder


def damaged(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "model"))


def alter(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_missing_parts(written: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="there is no model"):
        read_bundle(tmp_path / "nowhere")
    folder = damaged(written, tmp_path)
    (folder / WEIGHTS).unlink()
    with pytest.raises(StorageError, match=r"model\.safetensors: no such file.*copy the whole model folder"):
        read_bundle(folder)


@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_cut_off_files(name: str, share: float, written: Path, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(StorageError, match=r"cannot be read .* if it was cut off") as caught:
        read_bundle(folder)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"schema": "prestige.model/3"}, "newer version"),
        ({"schema": "something/1"}, "not the description of a model"),
        ({"schema": None}, "not the description of a model"),
        ({"patch": {"patch_um": 16.0}}, "broken"),
        ({"panel": {"genes": ["A"]}}, "broken"),
        ({"model": {"encoder": "theirs"}}, "'theirs' is not registered here.*import the package"),
        ({"model": {"encoder": "compact_s"}}, "do not fit the description"),
        ({"patch": {"patch_um": 16.0, "input_px": 128}}, "do not fit the description"),
    ],
)
def test_altered_descriptions(changes: dict[str, Any], words: str, written: Path, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    alter(folder, **changes)
    with pytest.raises(StorageError, match=words):
        read_bundle(folder)


BEFORE = Path(__file__).resolve().parents[1] / "stored" / "bench" / "runs" / "bcd9eaa717710f70"


def test_a_bundle_of_an_older_version_opens_and_predicts_what_it_predicted(small_samples: Any) -> None:
    manifest = json.loads((BEFORE / "model" / MANIFEST).read_text())
    assert manifest["schema"] == "prestige.model/1"
    bundle = read_bundle(BEFORE / "model")
    assert bundle.name == "compact_xs"
    table = ad.read_h5ad(BEFORE / "predictions" / "S2.h5ad")
    sample = next(sample for sample in small_samples if sample.id == "S2")
    y = bundle.predict(np.array(sample.slide.pixels), np.asarray(table.obsm["spatial"]), device="cpu")
    np.testing.assert_allclose(y, np.asarray(table.X), atol=1e-4)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (70, 90, 3), dtype=np.uint8)


PLACES = np.array([[0.0, 0.0], [40.5, 30.2], [89.0, 69.0]])


def on_arrays(folder: Path, **extra: Any) -> Bundle:
    write(folder, **extra)
    return read_bundle(folder)


def test_arrays_in_arrays_out(tmp_path: Path) -> None:
    bundle = on_arrays(tmp_path / "model")
    pixels = image()
    before = pixels.copy()
    y = bundle.predict(pixels, PLACES, um_per_px=0.5, device="cpu")
    x = bundle.embed(pixels, PLACES, um_per_px=0.5, device="cpu")
    assert (y.shape, y.dtype, x.dtype) == ((3, 3), np.float32, np.float32)
    assert isinstance(bundle.predictor, Predictor)
    centre, whole = torch.from_numpy(x).split(bundle.predictor.encoder.centre_dim, dim=1)
    with torch.no_grad():
        z = bundle.predictor.head(centre, whole).numpy()
    wanted = np.maximum(PANEL.train_mean + PANEL.train_std * z, 0)
    np.testing.assert_allclose(y, wanted, atol=1e-4)
    np.testing.assert_array_equal(pixels, before)
    assert bundle.predict(pixels, PLACES[:0], um_per_px=0.5, device="cpu").shape == (0, 3)


def test_the_width_of_pixels_is_that_of_the_training_where_it_has_one(tmp_path: Path) -> None:
    bundle = on_arrays(tmp_path / "model", um_per_px=[0.5])
    known = bundle.predict(image(), PLACES, device="cpu")
    np.testing.assert_array_equal(known, bundle.predict(image(), PLACES, um_per_px=0.5, device="cpu"))
    assert not np.allclose(known, bundle.predict(image(), PLACES, um_per_px=1.0, device="cpu"))
    several = on_arrays(tmp_path / "several", um_per_px=[0.25, 0.5])
    with pytest.raises(ConfigError, match=r"give um_per_px=\.\.\."):
        several.predict(image(), PLACES, device="cpu")
    with pytest.raises(ConfigError, match="pixels is 0"):
        several.predict(image(), PLACES, um_per_px=0.0, device="cpu")


@pytest.mark.parametrize(
    ("pixels", "places", "words"),
    [
        (image()[..., 0], PLACES, "shape"),
        (image().astype(np.uint16), PLACES, "16 bit"),
        (np.zeros((70, 90, 4), np.uint8), PLACES, "4 channels"),
        (image()[:20, :20], PLACES[:1], "larger than the image"),
        (image(), PLACES[0], "xy_px: has the shape"),
        (image(), np.array([[1.0, 2.0], [30.0, 80.0]]), r"1 of 2 places lie outside.*\[30.0, 80.0\]"),
        (image(), np.array([[np.nan, 2.0]]), "1 of 1 places"),
    ],
)
def test_arrays_that_are_no_image_or_no_places(
    pixels: np.ndarray, places: np.ndarray, words: str, tmp_path: Path
) -> None:
    bundle = on_arrays(tmp_path / "model")
    for call in (bundle.predict, bundle.embed):
        with pytest.raises(DataError, match=words):
            call(pixels, places, um_per_px=0.5, device="cpu")


def baseline(raw: object) -> tuple[FittedBaseline, BaselineConfig]:
    """Fit a baseline to three genes, the first of which is how bright the patch is."""
    config = BaselineConfig.model_validate(raw)
    rng = np.random.default_rng(1)
    xy = rng.uniform(0, 69, (200, 2))
    pixels = image(1) // 4 + (np.arange(90, dtype=np.uint8) * 2)[None, :, None]
    reader = PatchReader([Slide(pixels, 0.5, False, "")], Patch(16.0, 32))
    y = np.stack([xy[:, 0] / 70, *rng.uniform(0, 1, (2, 200))], axis=1).astype(np.float32)
    places = Observations(np.zeros(200, np.int64), np.arange(200), xy)
    side = TrainingSide(reader, places, y, rng.integers(0, 9, 200))
    return fit_baseline(config, side), config


@pytest.mark.parametrize(
    "raw", ["mean", "ridge", {"frozen": "compact_xs"}, {"hest": {"encoder": "timm:test_vit"}}], ids=str
)
def test_a_baseline_is_kept_to_the_last_bit(raw: object, tmp_path: Path) -> None:
    fitted, config = baseline(raw)
    written = Bundle(fitted, config, PANEL, Patch(16.0, 32), EXTRA)
    write_bundle(
        tmp_path / "model", fitted, model=config, panel=PANEL, patch=written.patch, extra=written.extra
    )
    bundle = read_bundle(tmp_path / "model")
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == [CARD, MANIFEST, WEIGHTS]
    assert bundle.model == config
    assert bundle.name == f"baseline:{config.label}"
    assert isinstance(bundle.predictor, FittedBaseline)
    assert bundle.predictor.describe() == fitted.describe()
    one, two = (b.predict(image(2), PLACES, um_per_px=0.5, device="cpu") for b in (written, bundle))
    np.testing.assert_array_equal(one, two)
    if raw == "mean":
        with pytest.raises(ModelError, match="no features"):
            bundle.embed(image(2), PLACES, um_per_px=0.5, device="cpu")
        return
    x = bundle.embed(image(2), PLACES, um_per_px=0.5, device="cpu")
    assert x.shape == (3, fitted.describe()["n_features"])


def test_an_older_version_says_that_it_is_older(tmp_path: Path) -> None:
    fitted, config = baseline("mean")
    write_bundle(tmp_path / "m", fitted, model=config, panel=PANEL, patch=Patch(16.0, 32), extra={})
    name, version = json.loads((tmp_path / "m" / MANIFEST).read_text())["schema"].split("/")
    assert name == SCHEMA.split("/")[0]
    assert int(version) > int(SCHEMA.split("/")[1])  # which older versions compare with


def test_a_baseline_that_is_altered(tmp_path: Path) -> None:
    fitted, config = baseline({"frozen": "compact_xs"})
    write_bundle(tmp_path / "m", fitted, model=config, panel=PANEL, patch=Patch(16.0, 32), extra={})
    for number, changes in enumerate(
        ({"baseline": "no_such"}, {"fitted": {}}, {"baseline": {"hest": "compact_xs"}})
    ):
        folder = Path(shutil.copytree(tmp_path / "m", tmp_path / str(number)))
        alter(folder, **changes)
        with pytest.raises(StorageError, match="broken"):
            read_bundle(folder)


def test_nothing_of_an_array_is_kept_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    fitted, config = baseline({"frozen": "compact_xs"})
    bundle = Bundle(fitted, config, PANEL, Patch(16.0, 32), {})
    bundle.predict(image(), PLACES, um_per_px=0.5, device="cpu")
    bundle.embed(image(), PLACES, um_per_px=0.5, device="cpu")
    assert not (tmp_path / "cache").exists()
