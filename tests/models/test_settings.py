"""The settings of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.errors import ConfigError
from prestige.models.settings import ModelConfig, in_words
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
        ({"encoder": "resnet18", "learning_rates": []}, "learning_rates"),
        ({"encoder": "resnet18", "learning_rates": [1e-3, -1e-3]}, "learning_rates"),
        ({"encoder": "resnet18", "pretrained": True, "checkpoint": Path("a.safetensors")}, "one of the two"),
    ],
)
def test_wrong_values_are_refused(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build(ModelConfig, raw, where="run.yaml")


def test_what_sets_a_model_apart_is_said_in_words() -> None:
    assert in_words(ModelConfig(encoder="resnet18", pretrained=True).changed) == ()
    other = ModelConfig(encoder="resnet18", readout="whole", dropout=0.3, checkpoint=Path("a/b.safetensors"))
    assert in_words(other.changed) == ("readout whole", "dropout 0.3", "from b.safetensors")
    rates = ModelConfig(encoder="resnet18", norm="group", learning_rates=(2e-3, 5e-4))
    assert in_words(rates.changed) == ("norm group", "learning rates 0.002 / 0.0005")


def test_learning_rates_are_written_only_where_there_are_some() -> None:
    plain = ModelConfig(encoder="resnet18")
    assert "learning_rates" not in plain.model_dump(mode="json")
    other = plain.model_copy(update={"learning_rates": (2e-3,)})
    assert other.model_dump(mode="json") == {**plain.model_dump(mode="json"), "learning_rates": [2e-3]}
    assert ModelConfig.model_validate(other.model_dump(mode="json")) == other
