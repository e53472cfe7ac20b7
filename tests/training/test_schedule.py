import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import ConfigError
from prestige.settings import build
from prestige.training.schedule import TrainConfig, _note_old, plan_steps, schedule


def config(**budget) -> TrainConfig:
    return TrainConfig.model_validate({"budget": budget})


def of_minutes(**changes) -> TrainConfig:
    raw = {"budget": {"minutes": 2}, "validations": 10, "learning_rates": [1e-3, 2e-3], "lr_trial_share": 0.1}
    return TrainConfig.model_validate(raw | changes)


def test_minutes_become_steps_after_the_validations_are_paid() -> None:
    plan = plan_steps(of_minutes(validation_share=0.15), seconds_per_step=0.05, seconds_per_validation=1.5)
    # 120 s - 12 validations x 1.5 s = 102 s = 2,040 steps; a trial takes 204 and one of the two is lost
    assert plan.trial_steps == 204
    assert plan.main_steps == 2040 - 204
    assert plan.total_steps(2) == 2040
    assert plan.validate_every == 184


def test_slow_validations_are_fewer_so_that_they_keep_to_their_share() -> None:
    plan = plan_steps(of_minutes(), seconds_per_step=0.1, seconds_per_validation=2.5)
    # 12 s of 120 allow 4 validations: 2 trials, and 2 of the 10.  110 s = 1,100 steps, 110 lost to a trial
    assert plan.main_steps == 990
    assert plan.validate_every == 495
    slower = plan_steps(of_minutes(), seconds_per_step=1.0, seconds_per_validation=20.0)
    # 12 s allow none: the 3 that choose rate and end remain.  60 s = 60 steps, 6 lost to a trial
    assert slower.main_steps == slower.validate_every == 54


def test_without_a_trial_no_validation_is_paid_for_one() -> None:
    plan = plan_steps(
        of_minutes(learning_rates=[1e-3], validations=1), seconds_per_step=1.0, seconds_per_validation=10.0
    )
    assert plan.main_steps == 110


@given(
    steps=st.integers(1, 100_000),
    rates=st.integers(1, 4),
    share=st.floats(0.01, 0.2),
)
def test_a_budget_of_steps_is_spent_exactly(steps: int, rates: int, share: float) -> None:
    settings = TrainConfig.model_validate(
        {
            "budget": {"steps": steps},
            "learning_rates": [1e-3 * (i + 1) for i in range(rates)],
            "lr_trial_share": share,
        }
    )
    plan = plan_steps(settings)
    assert plan.trial_steps < plan.main_steps
    if steps >= 2 * rates + 1:
        assert plan.total_steps(rates) == steps


def test_the_learning_rate_rises_then_falls_along_half_a_cosine() -> None:
    shares = [schedule(step, (0, 110), warmup_share=10 / 110) for step in range(110)]
    assert shares[0] == pytest.approx(1 / 11)
    assert shares[10] == pytest.approx(1.0)
    assert shares[60] == pytest.approx(0.5)  # half way down the cosine
    assert shares[85] == pytest.approx((1 + math.cos(math.pi * 0.75)) / 2)
    assert max(shares) <= 1.0
    assert shares[-1] < 0.005


def test_a_schedule_that_begins_later_is_the_same_one_shifted() -> None:
    for step in range(110):
        assert schedule(step + 30, (30, 140), 0.1) == pytest.approx(schedule(step, (0, 110), 0.1))


def test_training_to_convergence_holds_the_peak_until_the_decay() -> None:
    assert schedule(79, (0, 100), 0.05, decay_from=80) == 1.0
    assert schedule(90, (0, 100), 0.05, decay_from=80) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "budget", [{}, {"minutes": 1, "steps": 5}, {"patience": 3}, {"patience": 3, "minutes": 1, "steps": 5}]
)
def test_a_budget_is_exactly_one_rule(budget: dict) -> None:
    with pytest.raises(ConfigError, match="budget"):
        build(TrainConfig, {"budget": budget}, where="run.yaml")


def test_the_kind_of_a_budget_is_said() -> None:
    assert config(minutes=1).budget.kind == "minutes"
    assert config(steps=10).budget.kind == "steps"
    assert config(steps=10, patience=2).budget.kind == "convergence"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rates", [1e-3, -1e-3], "above 0"),
        ("learning_rates", [1e-3, 1e-3], "twice"),
        ("lr_trial_share", 0.29, "trials"),
        ("batch_size", 1, "batch_size"),
    ],
)
def test_settings_that_make_no_sense_are_refused(key: str, value: object, message: str) -> None:
    raw = {"budget": {"steps": 10}, "learning_rates": [1e-3, 2e-3, 3e-3, 4e-3], key: value}
    with pytest.raises(ConfigError, match=message):
        build(TrainConfig, raw, where="run.yaml")


def test_old_keys_are_read_with_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    _note_old.cache_clear()
    raw = {"budget": {"steps": 10}, "race_share": 0.05, "race_tie": 0.1}
    config = build(TrainConfig, raw, where="run.yaml")
    assert (config.lr_trial_share, config.lr_trial_tie) == (0.05, 0.1)
    assert build(TrainConfig, raw, where="run.yaml") == config
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(" now;")[0] for line in told] == [
        "note: `race_share` is `lr_trial_share`",
        "note: `race_tie` is `lr_trial_tie`",
    ]
    with pytest.raises(ConfigError, match="`race_tie` is the old name of `lr_trial_tie`: give one"):
        build(TrainConfig, raw | {"lr_trial_tie": 0.1}, where="run.yaml")


def test_an_unknown_key_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="did you mean 'learning_rates'"):
        build(TrainConfig, {"budget": {"steps": 10}, "learning_rate": [1e-3]}, where="run.yaml")
