"""Losses against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from prestige.errors import ConfigError
from prestige.models.losses import PEARSON_EPSILON, losses

PRED = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
TARGET = torch.tensor([[0.0, 0.0], [0.0, 4.0]])


def test_registered_losses() -> None:
    assert tuple(losses) == ("mse", "huber", "pearson_mse")
    with pytest.raises(ConfigError, match="did you mean 'pearson_mse'"):
        losses.get("pearson-mse")


def test_mse() -> None:
    assert losses.get("mse")(PRED, TARGET).item() == (0 + 1 + 4 + 9) / 4


def test_huber_is_linear_beyond_one() -> None:
    # Errors 0, 1, 2, 3: half the square up to 1, |error| - 1/2 beyond.
    assert losses.get("huber")(PRED, TARGET).item() == (0 + 0.5 + 1.5 + 2.5) / 4


def test_pearson_mse_against_numpy() -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=(50, 3))
    pred = 0.5 * target + rng.normal(size=(50, 3))
    r = np.mean([np.corrcoef(pred[:, i], target[:, i])[0, 1] for i in range(3)])
    expected = 0.5 * (1 - r) + 0.5 * np.mean((pred - target) ** 2)
    got = losses.get("pearson_mse")(torch.tensor(pred), torch.tensor(target)).item()
    assert got == pytest.approx(expected, abs=2e-3)
    assert got != pytest.approx(expected, abs=1e-7)  # the small number that keeps it smooth is felt


def test_pearson_mse_leaves_constant_targets_out() -> None:
    varying = torch.tensor([[-1.0], [1.0]])
    pred = torch.cat([varying, varying], dim=1)
    target = torch.cat([varying, torch.zeros(2, 1)], dim=1)
    r = 1 / np.sqrt(1 + PEARSON_EPSILON)  # of the first gene alone
    assert losses.get("pearson_mse")(pred, target).item() == pytest.approx(
        0.5 * (1 - r) + 0.5 * 0.5, abs=1e-6
    )


@pytest.mark.parametrize("name", list(losses))
@pytest.mark.parametrize(
    ("pred", "target"),
    [
        (torch.zeros(4, 2), torch.randn(4, 2, generator=torch.Generator().manual_seed(0))),
        (torch.zeros(4, 2), torch.zeros(4, 2)),
        (torch.ones(1, 2), torch.zeros(1, 2)),
    ],
    ids=["constant prediction", "constant truth", "one observation"],
)
def test_gradients_stay_finite(name: str, pred: torch.Tensor, target: torch.Tensor) -> None:
    pred = pred.clone().requires_grad_(True)
    loss = losses.get(name)(pred, target)
    loss.backward()
    assert torch.isfinite(loss)
    assert pred.grad is not None
    assert torch.isfinite(pred.grad).all()
    assert pred.grad.abs().max() < 20


def test_a_constant_prediction_is_led_towards_the_target() -> None:
    target = torch.tensor([[-1.0], [1.0]])
    pred = torch.zeros(2, 1, requires_grad=True)
    losses.get("pearson_mse")(pred, target).backward()
    assert pred.grad is not None
    assert (-pred.grad * target > 0).all()


def test_half_precision_is_summed_in_full() -> None:
    pred = torch.full((1, 2), 300.0, dtype=torch.float16)  # its square is beyond float16
    assert losses.get("mse")(pred, torch.zeros(1, 2)).item() == 90000.0
