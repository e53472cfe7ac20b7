"""Steps that are captured and replayed change what the steps as written change, to the same bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from prestige.data.patches.on_device import on_device
from prestige.training import loop as train_module
from prestige.training.batches import TrainData
from prestige.training.cuda_graph import WARMUP_STEPS, GraphedStep

from ..small_train import go, killed, settings, train_data, weights, without_seconds

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU on this machine")
GPU = torch.device("cuda", 0)


@pytest.fixture
def repeatable(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Have the device add in the same order every time; what is measured then is the capture alone."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True)
    yield
    torch.use_deterministic_algorithms(mode=False)
    assert "not captured" not in caplog.text


@pytest.fixture
def data(small_samples) -> TrainData:
    made = train_data(small_samples)
    reader = on_device(made.reader, GPU)  # pyright: ignore[reportArgumentType]
    return TrainData(reader, made.train, made.train_y, made.validation, made.validation_y)


def test_a_step_is_captured_once_and_then_replayed() -> None:
    calls, total = [], torch.zeros((), device=GPU)

    def take(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        total.add_((x * y).sum())
        return x.sum() + torch.rand((), device=GPU)

    step = GraphedStep(take, GPU)
    torch.manual_seed(5)
    expected = float(torch.rand((), device=GPU))
    kept = []
    for i in range(WARMUP_STEPS + 5):
        torch.manual_seed(5)
        kept.append(step(torch.full((4,), float(i), device=GPU), torch.ones(4, device=GPU)))
    assert len(calls) == WARMUP_STEPS + 1
    assert float(total) == 4 * sum(range(WARMUP_STEPS + 5))
    assert [float(loss) for loss in kept] == pytest.approx(
        [4 * i + expected for i in range(WARMUP_STEPS + 5)]
    )


def test_a_step_that_cannot_be_captured_is_taken_as_usual(caplog: pytest.LogCaptureFixture) -> None:
    total = torch.zeros((), device=GPU)

    def take(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total.add_(float(x.sum()))  # waits for the device, which no capture can hold
        return x.sum() + y.sum() + torch.rand((), device=GPU)

    step = GraphedStep(take, GPU)
    losses = [
        float(step(torch.ones(3, device=GPU), torch.ones(3, device=GPU))) for _ in range(WARMUP_STEPS + 3)
    ]
    assert all(6 <= loss < 7 for loss in losses)
    assert len(set(losses)) == WARMUP_STEPS + 3
    assert float(total) == 3 * (WARMUP_STEPS + 3)
    assert caplog.text.count("not captured") == 1
    assert torch.cuda.current_stream(GPU) == torch.cuda.default_stream(GPU)


@pytest.mark.usefixtures("repeatable")
def test_a_training_ends_with_the_weights_of_steps_as_written(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphed, result = go(data, tmp_path / "graphed", settings(budget={"steps": 60}), device="cuda")
    monkeypatch.setattr(train_module, "GraphedStep", lambda take, device: take)
    plain, expected = go(data, tmp_path / "plain", settings(budget={"steps": 60}), device="cuda")
    assert torch.equal(weights(graphed), weights(plain))
    assert without_seconds(result) == without_seconds(expected)


@pytest.mark.usefixtures("repeatable")
@pytest.mark.parametrize("killed_after", [2, 9, 30])
def test_a_run_killed_on_a_gpu_ends_with_the_very_same_numbers(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    config = settings(budget={"steps": 60})
    whole, expected = go(data, tmp_path / "whole", config, device="cuda")
    with killed(monkeypatch, killed_after):
        go(data, tmp_path / "cut", config, device="cuda")
    resumed, result = go(data, tmp_path / "cut", config, device="cuda")
    assert torch.equal(weights(resumed), weights(whole))
    assert without_seconds(result) == without_seconds(expected)


@pytest.mark.usefixtures("repeatable")
def test_dropout_draws_the_same_captured_or_not() -> None:
    layer = torch.nn.Dropout(0.5).train()
    x = torch.ones(64, 64, device=GPU)

    def take(x: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        return (layer(x) + 2 * layer(x)).sum(dim=0)

    step = GraphedStep(take, GPU)
    for i in range(WARMUP_STEPS + 4):
        torch.manual_seed(i)
        loss = step(x, x)
        torch.manual_seed(i)
        assert torch.equal(loss, take(x, x))
