"""Weights from a file are loaded whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from prestige.errors import ModelError
from prestige.models.weights import load_weights


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def saved(folder: Path, **changes: torch.Tensor | None) -> Path:
    state = {key: torch.full_like(value, 2) for key, value in network().state_dict().items()}
    for key, value in changes.items():
        if value is None:
            del state[key]
        else:
            state[key] = value
    save_file(state, folder / "w.safetensors")
    return folder / "w.safetensors"


def test_every_weight_comes_from_the_file(tmp_path: Path) -> None:
    net = network()
    load_weights(net, saved(tmp_path))
    assert all((value == 2).all() for value in net.state_dict().values())


def test_counters_may_be_missing_and_a_classifier_may_be_over(tmp_path: Path) -> None:
    changes = {"1.num_batches_tracked": None, "fc.weight": torch.zeros(5, 4)}
    net = network()
    load_weights(net, saved(tmp_path, **changes), unused=["fc"])
    assert (net[0].weight == 2).all()
    with pytest.raises(ModelError, match=r"1 unknown \(fc\.weight\)"):
        load_weights(network(), saved(tmp_path, **changes), unused=["f"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"0.weight": None}, r"1 missing \(0\.weight\)"),
        ({"0.weight": torch.zeros(4, 3, 5, 5)}, r"'0\.weight' with \(4, 3, 5, 5\); expected \(4, 3, 3, 3\)"),
    ],
)
def test_other_weights_change_nothing(
    tmp_path: Path, changes: dict[str, torch.Tensor | None], words: str
) -> None:
    net = network()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.raises(ModelError, match=words):
        load_weights(net, saved(tmp_path, **changes))
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no such file"):
        load_weights(network(), tmp_path / "absent.safetensors")
    torch.save(network().state_dict(), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="pickled files"):
        load_weights(network(), tmp_path / "w.pt")
    path = saved(tmp_path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ModelError, match="cannot be read"):
        load_weights(network(), path)
