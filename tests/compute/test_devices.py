"""Where networks compute, and that their input reaches them as it is."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from prestige.compute.devices import make_fabric, precision_on
from prestige.errors import ConfigError


class Remembers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen += [x, self.layer(x)]
        return self.seen[-1]


@pytest.mark.parametrize(
    ("precision", "inside"), [("bf16-mixed", torch.bfloat16), ("32-true", torch.float32)]
)
def test_layers_round_and_nothing_before_them(precision: str, inside: torch.dtype) -> None:
    fabric, module = make_fabric(precision, "cpu"), Remembers()
    x = torch.tensor([[1.0, 1 + 2**-20, 0.3]])  # the second is 1 in bf16
    out = fabric.setup_module(module)(x)
    assert module.seen[0] is x
    assert module.seen[1].dtype == inside
    assert out.dtype == torch.float32
    assert fabric._precision.precision == precision_on("cpu", precision) == precision


def test_auto_is_one_of_the_two() -> None:
    fast = torch.cpu._is_avx512_bf16_supported()
    assert precision_on("cpu") == ("bf16-mixed" if fast else "32-true")
    assert make_fabric("auto", "cpu")._precision.precision == precision_on("cpu")


@pytest.mark.parametrize("name", ["tpu", "banana"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"there is no device '{name}'"):
        make_fabric("auto", name)
