"""A model written and read back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import StorageError
from prestige.models.predictor import Predictor, build_predictor
from prestige.models.settings import ModelConfig
from prestige.models.timm_weights import Architecture
from prestige.prediction.bundle import CARD, MANIFEST, SCHEMA, WEIGHTS, read_bundle, write_bundle

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
    with pytest.raises(StorageError, match="would be overwritten"):
        write(tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "years of work"


@pytest.mark.parametrize("where", ["save_file", "os.replace"])
def test_a_full_disk_leaves_nothing_half_written(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"prestige.prediction.bundle.{where}", full)
    with pytest.raises(StorageError, match="No space left on device"):
        write(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


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
    with pytest.raises(StorageError, match="weights are missing"):
        read_bundle(folder)


@pytest.mark.parametrize("name", [WEIGHTS, MANIFEST])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_cut_off_files(name: str, share: float, written: Path, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(share * len(content))])
    with pytest.raises(StorageError, match="broken or cut off") as caught:
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
        ({"model": {"encoder": "no_such_encoder"}}, "unknown encoder"),
        ({"model": {"encoder": "compact_s"}}, "do not fit the description"),
        ({"patch": {"patch_um": 16.0, "input_px": 128}}, "do not fit the description"),
    ],
)
def test_altered_descriptions(changes: dict[str, Any], words: str, written: Path, tmp_path: Path) -> None:
    folder = damaged(written, tmp_path)
    alter(folder, **changes)
    with pytest.raises(StorageError, match=words):
        read_bundle(folder)
