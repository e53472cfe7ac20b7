from pathlib import Path

import numpy as np
import pytest
import torch

from prestige.compute.devices import make_fabric
from prestige.errors import ModelError
from prestige.models.predictor import Predictor
from prestige.prediction.infer import predict_observations
from prestige.training import loop as train_module
from prestige.training.batches import TrainData
from prestige.training.loop import TrainResult, train, validation_score
from prestige.training.state import save_checkpoint

from ..small_train import go, killed, settings, train_data, weights, without_seconds

RARELY = {"checkpoint_seconds": 60}  # where no checkpoint is looked at: else there is one a step


@pytest.fixture(scope="module")
def data(small_samples) -> TrainData:
    return train_data(small_samples)


@pytest.fixture(scope="module")
def whole(data: TrainData, tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, TrainResult]:
    """A training that nothing cut short."""
    return go(data, tmp_path_factory.mktemp("whole"), settings())


def test_training_learns_what_the_patch_shows_and_keeps_its_best_state(
    data: TrainData, tmp_path: Path
) -> None:
    predictor, result = go(data, tmp_path, settings(budget={"steps": 150}, **RARELY))
    prediction = predict_observations(predictor, data.reader, data.validation)
    score = validation_score(prediction, data.validation_y, data.validation.slide_index)
    assert score == pytest.approx(result.validation_score, abs=1e-6)
    assert np.corrcoef(prediction[:, 0], data.validation_y[:, 0])[0, 1] > 0.5
    assert result.validation_score == max(
        row["validation_score"] for row in result.history if row["phase"] == "main"
    )
    assert result.steps == 150
    assert result.plan.main_steps + result.plan.trial_steps == 150
    assert result.observations_seen == result.plan.main_steps * 32
    assert {row["phase"] for row in result.history} == {"trial-0.001", "trial-0.004", "main"}


@pytest.mark.parametrize("killed_after", [2, 4, 8, 11, 20])
def test_a_run_killed_at_any_moment_ends_with_the_very_same_numbers(
    data: TrainData,
    whole: tuple[Predictor, TrainResult],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_after: int,
) -> None:
    predictor, expected = whole
    with killed(monkeypatch, killed_after):
        go(data, tmp_path / "cut", settings())
    resumed, result = go(data, tmp_path / "cut", settings())
    assert torch.equal(weights(resumed), weights(predictor))
    assert without_seconds(result) == without_seconds(expected)
    assert result.learning_rate == expected.learning_rate


def test_a_kill_while_the_checkpoint_is_written_costs_only_time(
    data: TrainData, whole: tuple[Predictor, TrainResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = 0

    def dying(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 7:
            (tmp_path / "cut" / ".checkpoint.safetensors.0123456789ab.partial").write_bytes(b"half")
            raise KeyboardInterrupt
        save_checkpoint(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "save_checkpoint", dying)
        with pytest.raises(KeyboardInterrupt):
            go(data, tmp_path / "cut", settings())
    resumed, _ = go(data, tmp_path / "cut", settings())
    assert torch.equal(weights(resumed), weights(whole[0]))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(
    data: TrainData, whole: tuple[Predictor, TrainResult], tmp_path: Path
) -> None:
    two, _ = go(data, tmp_path / "2", settings())
    other, _ = go(data, tmp_path / "3", settings(), seed=1)
    assert torch.equal(weights(whole[0]), weights(two))
    assert not torch.equal(weights(whole[0]), weights(other))


def test_the_winner_of_the_trials_goes_on_from_where_it_stood(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each rate runs a short schedule to its end; the long one begins with the winner's weights."""
    seen: list[tuple[float, torch.Tensor]] = []
    step = train_module.Job.step

    def noting(self, x, y):
        seen.append((self.bare.param_groups[0]["lr"], weights(self.predictor)))
        return step(self, x, y)

    monkeypatch.setattr(train_module.Job, "step", noting)
    config = settings(learning_rates=[1e-7, 4e-3], lr_trial_share=0.2)
    _, result = go(data, tmp_path, config)
    trial = result.plan.trial_steps
    rates = [rate for rate, _ in seen]
    assert result.learning_rate == 4e-3
    assert len(seen) == result.steps == 2 * trial + result.plan.main_steps - trial
    assert rates[trial - 1] < 0.5 * max(rates[:trial])  # the first trial came down
    assert max(rates[trial : 2 * trial]) == pytest.approx(4e-3)
    assert rates[2 * trial] < 4e-3 == pytest.approx(max(rates[2 * trial :]))  # and the long one rises anew
    assert torch.equal(seen[0][1], seen[trial][1])  # both trials begin alike
    moved = [(seen[2 * trial][1] - seen[at][1]).abs().max() for at in (0, 2 * trial - 1)]
    assert moved[1] < moved[0]  # one small step after the winner's last


def test_minutes_become_steps_once_and_stay_in_the_checkpoint(data: TrainData, tmp_path: Path) -> None:
    predictor, result = go(data, tmp_path, settings(budget={"minutes": 0.01}))
    assert result.plan.seconds_per_step is not None
    assert result.plan.seconds_per_step > 0
    again = train(
        predictor,
        data,
        settings(budget={"minutes": 0.01}),
        folder=tmp_path,
        seed=0,
        fabric=make_fabric("32-true", "cpu"),
    )
    assert again.plan == result.plan


def test_timing_leaves_the_weights_alone(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given the plan that the other found by timing, a training that times nothing ends the same."""
    taken = []
    step = train_module.Job.step
    monkeypatch.setattr(
        train_module.Job, "step", lambda job, x, y: (taken.append(job.predictor), step(job, x, y))[1]
    )
    config = settings(budget={"minutes": 0.01}, **RARELY)
    timed, result = go(data, tmp_path / "timed", config)
    assert len(taken) > result.steps  # the timed ones were taken too, on a copy
    assert sum(predictor is timed for predictor in taken) == result.steps
    taken.clear()
    monkeypatch.setattr(train_module, "_time_plan", lambda *args, **kwargs: result.plan)
    untimed, same = go(data, tmp_path / "untimed", config)
    assert len(taken) == same.steps == result.steps
    assert torch.equal(weights(timed), weights(untimed))


def test_to_convergence_it_stops_once_the_score_no_longer_rises(data: TrainData, tmp_path: Path) -> None:
    config = settings(budget={"steps": 400, "patience": 1}, validations=40, learning_rates=[4e-3])
    _, result = go(data, tmp_path, config)
    assert result.steps < 400
    assert result.history[-1]["learning_rate"] < 4e-4


def test_a_learning_rate_that_diverges_loses_and_none_left_is_an_error(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "validation_score", lambda *args: float("nan"))
    with pytest.raises(ModelError, match="smaller `learning_rates`"):
        go(data, tmp_path, settings())


def test_mean_gene_pearson_follows_the_rule_for_constants() -> None:
    truth = np.array([[1, 0, 2], [2, 0, 1], [3, 0, 3], [4, 0, 4]], dtype=np.float32)
    prediction = np.array([[1, 5, 7], [2, 6, 7], [3, 7, 7], [4, 8, 7]], dtype=np.float32)
    # gene 0: r = 1; gene 1: truth constant, left out; gene 2: prediction constant, counts 0
    assert validation_score(prediction, truth, np.zeros(4, dtype=int)) == pytest.approx(0.5)


def test_a_prediction_that_is_not_finite_has_no_score() -> None:
    truth = np.arange(12, dtype=np.float32).reshape(6, 2)
    prediction = truth.copy()
    prediction[4, 1] = np.nan
    assert np.isnan(validation_score(prediction, truth, np.repeat([0, 1], 3)))


def test_samples_weigh_alike_whatever_their_size() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(110, 1)).astype(np.float32)
    prediction = truth.copy()
    prediction[100:] *= -1
    sample = np.repeat([0, 1], [100, 10])
    assert validation_score(prediction, truth, sample) == pytest.approx(0.0, abs=1e-6)


def test_compiled_steps_are_the_same_steps(
    data: TrainData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def as_written(module, dynamic):  # the shape checks of the tests cannot be compiled
        asked.append(module)
        return module

    monkeypatch.setattr(torch, "compile", as_written)
    plain, expected = go(data, tmp_path / "plain", settings())
    assert not asked
    compiled, result = go(data, tmp_path / "compiled", settings(compile=True))
    assert asked
    assert torch.equal(weights(compiled), weights(plain))
    assert without_seconds(result) == without_seconds(expected)
