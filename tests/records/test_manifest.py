"""The manifest of a run: typed, and read from the folders of before."""

import json
import math
from pathlib import Path

import pytest

from prestige.errors import DataError
from prestige.models.settings import ModelConfig, in_words
from prestige.records.manifest import SCHEMA, Hardware, Manifest, Seconds, changed_of_words, read_manifest
from prestige.records.schema import json_text

STORED = Path(__file__).resolve().parents[1] / "stored" / "bench" / "runs"


def test_a_manifest_is_written_and_read_back(tmp_path: Path) -> None:
    manifest = Manifest(
        encoder="compact_s",
        changed={"readout": "whole", "learning_rates": (1e-3, 4e-3)},
        patch_um=8.0,
        patch_px=None,
        input_px=16,
        seconds=Seconds(train=1.5, validate=0.5),
        hardware=Hardware(device="cpu"),
        validation_score=math.nan,
    )
    path = tmp_path / "manifest.json"
    path.write_text(json_text(manifest, SCHEMA))
    raw = json.loads(path.read_text())
    assert raw["schema"] == "prestige.run/2"
    assert raw["changed"] == {"readout": "whole", "learning_rates": [1e-3, 4e-3]}
    assert (raw["patch_px"], raw["validation_score"]) == (None, None)
    assert raw["seconds"] == {"train": 1.5, "validate": 0.5}
    again = read_manifest(path)
    assert again.seconds.validation == 0.5
    assert math.isnan(again.seconds.total)
    assert again.hardware == manifest.hardware
    assert again.configuration == manifest.configuration
    assert str(again.configuration.changed) == "readout whole, learning rates 0.001 / 0.004"


def test_what_looks_at_no_patch_is_infinitely_wide() -> None:
    key = Manifest(encoder="baseline:coordinates", baseline=True, patch_um=None).configuration
    assert (key.patch_um, key.input_px, key.visible_um) == (math.inf, 0, math.inf)
    assert key.label == "coordinates"


@pytest.mark.parametrize(
    ("words", "changed"),
    [
        ("", {}),
        ("readout whole", {"readout": "whole"}),
        (
            "readout whole, norm group, dropout 0.3, learning rates 0.001 / 2e-05",
            {"readout": "whole", "norm": "group", "dropout": 0.3, "learning_rates": [0.001, 2e-05]},
        ),
        (
            "dropout 0.3, from a, norm b, from c.safetensors",
            {"dropout": 0.3, "checkpoint": "a, norm b, from c.safetensors"},
        ),
        ("from mine.safetensors", {"checkpoint": "mine.safetensors"}),
    ],
)
def test_words_of_before_become_settings_and_the_same_words_again(words: str, changed: dict) -> None:
    assert changed_of_words(words) == changed
    assert ", ".join(in_words(changed)) == words


def test_a_models_changes_are_those_that_its_words_gave(tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    model = ModelConfig(encoder="compact_s", readout="whole", checkpoint=weights, learning_rates=(0.002,))
    assert model.changed == {
        "readout": "whole", "learning_rates": (0.002,), "checkpoint": "mine.safetensors",
    }  # fmt: skip
    assert in_words(model.changed) == ("readout whole", "learning rates 0.002", "from mine.safetensors")
    assert ModelConfig(encoder="compact_s").changed == {}


def test_stored_manifests_of_version_1_are_read_with_every_value() -> None:
    for path in STORED.glob("*/manifest.json"):
        raw = json.loads(path.read_text())
        assert raw["schema"] == "prestige.run/1"
        manifest = read_manifest(path)
        written = json.loads(json_text(manifest, SCHEMA))
        assert raw.pop("variant") == (", ".join(in_words(manifest.changed)) or None)
        assert {**raw, "schema": SCHEMA, "changed": written["changed"]} == written


def test_a_manifest_without_an_encoder_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"seed": 3}')
    with pytest.raises(DataError, match=r"'encoder': Field required.; delete the run's folder"):
        read_manifest(path)
    path.write_text('{"encoder": "x", "seconds": {"train": "long"}}')
    with pytest.raises(DataError, match=r"'seconds\.train': Input should be a valid number"):
        read_manifest(path)
