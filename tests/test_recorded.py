"""Steps that are recorded and replayed change what the steps as written change, to the same bit."""

from pathlib import Path

import pytest
import torch

from prestige import train as train_module
from prestige.data.on_device import on_device
from prestige.feed import TrainData
from prestige.recorded import PLAIN, Recorded

from .small_train import go, settings, train_data, weights, without_seconds

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU on this machine")
GPU = torch.device("cuda", 0)


@pytest.fixture
def data(small_samples) -> TrainData:
    made = train_data(small_samples)
    reader = on_device(made.reader, GPU)  # pyright: ignore[reportArgumentType]
    return TrainData(reader, made.train, made.train_y, made.validation, made.validation_y)


def test_a_step_is_recorded_once_and_then_replayed() -> None:
    calls, total = [], torch.zeros((), device=GPU)

    def take(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        total.add_((x * y).sum())
        return x.sum() + torch.rand((), device=GPU)

    step = Recorded(take, GPU)
    torch.manual_seed(5)
    expected = float(torch.rand((), device=GPU))
    kept = []
    for i in range(PLAIN + 5):
        torch.manual_seed(5)
        kept.append(step(torch.full((4,), float(i), device=GPU), torch.ones(4, device=GPU)))
    assert len(calls) == PLAIN + 1
    assert float(total) == 4 * sum(range(PLAIN + 5))
    assert [float(loss) for loss in kept] == pytest.approx([4 * i + expected for i in range(PLAIN + 5)])


def test_a_step_that_cannot_be_recorded_is_taken_as_usual(caplog: pytest.LogCaptureFixture) -> None:
    total = torch.zeros((), device=GPU)

    def take(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        total.add_(float(x.sum()))  # waits for the device, which no recording can hold
        return x.sum() + y.sum() + torch.rand((), device=GPU)

    step = Recorded(take, GPU)
    losses = [float(step(torch.ones(3, device=GPU), torch.ones(3, device=GPU))) for _ in range(PLAIN + 3)]
    assert all(6 <= loss < 7 for loss in losses)
    assert len(set(losses)) == PLAIN + 3
    assert float(total) == 3 * (PLAIN + 3)
    assert caplog.text.count("not recorded") == 1


def test_a_training_ends_with_the_weights_of_steps_as_written(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(budget={"steps": 120})
    recorded, result = go(data, tmp_path / "recorded", config, device="cuda")
    monkeypatch.setattr(train_module, "Recorded", lambda take, device: take)
    plain, expected = go(data, tmp_path / "plain", config, device="cuda")
    torch.testing.assert_close(weights(recorded), weights(plain), rtol=1e-3, atol=1e-4)
    assert result.learning_rate == expected.learning_rate
    assert result.validation_score == pytest.approx(expected.validation_score, abs=2e-3)


@pytest.mark.parametrize("killed_after", [2, 9, 30])
def test_a_run_killed_on_a_gpu_goes_on(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed_after: int
) -> None:
    config = settings(budget={"steps": 60})
    whole, expected = go(data, tmp_path / "whole", config, device="cuda")
    taken, step = 0, train_module.Job.step

    def dying(self, x, y):
        nonlocal taken
        if taken == killed_after:
            raise KeyboardInterrupt
        taken += 1
        return step(self, x, y)

    with monkeypatch.context() as patch:
        patch.setattr(train_module.Job, "step", dying)
        with pytest.raises(KeyboardInterrupt):
            go(data, tmp_path / "cut", config, device="cuda")
    resumed, result = go(data, tmp_path / "cut", config, device="cuda")
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=1e-3, atol=1e-4)
    assert len(without_seconds(result)) == len(without_seconds(expected))
