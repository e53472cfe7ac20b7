"""A point of the grid: what sets it apart, its labels, its order."""

import math

import pytest

from prestige.records.configuration import Changed, Configuration

RATES = {"readout": "whole", "learning_rates": [1e-3, 4e-3]}


def test_labels_say_what_was_seen() -> None:
    assert Configuration(False, False, "resnet18", 64.04, 128).label == "resnet18 at 64 µm"
    assert (
        Configuration(True, False, "resnet18", 64.0, 128, 16.0).label
        == "resnet18 (pretrained) at 16 of 64 µm"
    )
    assert Configuration(False, True, "baseline:mean", 64.0, 128).label == "training mean"
    assert Configuration(False, True, "baseline:ridge", 64.0, 128).label == "ridge at 64 µm"
    blind = Configuration(False, True, "diagnostic:depth", float("inf"), 0, diagnostic=True)
    assert blind.label == "depth (diagnostic)"


def test_what_was_changed_is_told_in_brackets() -> None:
    changed = Configuration(True, False, "resnet18", 64.0, 128, changed=Changed.of(RATES))
    assert changed.name == "resnet18 (pretrained, readout whole, learning rates 0.001 / 0.004)"
    assert changed.own_rates
    assert not Configuration(False, False, "resnet18", 64.0, 128).own_rates


def test_what_was_changed_is_a_mapping_that_can_be_a_key() -> None:
    changed = Changed.of(RATES)
    assert dict(changed) == {"readout": "whole", "learning_rates": (1e-3, 4e-3)}
    assert {changed: 1}[Changed.of(dict(RATES))] == 1
    assert changed != Changed.of({"readout": "whole"}) == changed.without("learning_rates")
    assert not Changed()
    with pytest.raises(KeyError):
        changed["norm"]


def test_a_files_name_with_commas_is_one_setting() -> None:
    named = Configuration(
        True, False, "resnet18", 64.0, 128,
        changed=Changed.of({"checkpoint": "a, learning rates 1, b.safetensors"}),
    )  # fmt: skip
    assert not named.own_rates
    assert named.name == "resnet18 (pretrained, from a, learning rates 1, b.safetensors)"
    own_rates = Changed.of({"learning_rates": [1e-3], **named.changed})
    assert own_rates.without("learning_rates") == named.changed  # what it is compared with


def test_configurations_are_sorted_by_what_is_shown() -> None:
    of = [Changed(), Changed.of({"dropout": 0.3}), Changed.of({"norm": "group"}), Changed.of(RATES)]
    keys = [Configuration(False, False, "resnet18", 64.0, 128, math.inf, changed) for changed in of]
    assert sorted([keys[2], keys[0], keys[3], keys[1]]) == keys
    assert max(keys) == keys[-1]
