"""The settings of a model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prestige.errors import ConfigError
from prestige.models.settings import ModelConfig
from prestige.settings import build


def test_a_name_alone_is_enough() -> None:
    assert ModelConfig.model_validate("resnet18") == ModelConfig(encoder="resnet18")
    assert ModelConfig(encoder="resnet18").readout == "centre_whole"


def test_unknown_key_names_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean 'pretrained'"):
        build(ModelConfig, {"encoder": "resnet18", "pretraind": True}, where="run.yaml")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"encoder": ""}, "encoder"),
        ({"encoder": "resnet18", "dropout": 1.0}, "dropout"),
        ({"encoder": "resnet18", "readout": "center"}, "readout"),
        ({"encoder": "resnet18", "pretrained": True, "checkpoint": Path("a.safetensors")}, "one of the two"),
    ],
)
def test_wrong_values_are_refused(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(ModelConfig, raw, where="run.yaml")


def test_what_sets_a_model_apart_is_said_in_words() -> None:
    assert ModelConfig(encoder="resnet18", pretrained=True).peculiarities == ()
    other = ModelConfig(encoder="resnet18", readout="whole", dropout=0.3, checkpoint=Path("a/b.safetensors"))
    assert other.peculiarities == ("readout whole", "dropout 0.3", "from b.safetensors")


def test_settings_import_no_torch() -> None:
    code = "import sys, prestige.models.settings; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
