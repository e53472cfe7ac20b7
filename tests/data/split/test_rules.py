"""The rule of a split: its settings, and whom it means for which side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from prestige.data.split.rules import SplitConfig, add_validation, block_width, plan, value_key
from prestige.data.split.sides import TEST, TRAIN, UNUSED, VALIDATION
from prestige.errors import SplitError


def usable(samples) -> dict[str, np.ndarray]:
    return {s.id: np.ones(s.n_obs, bool) for s in samples}


def patients(make_sample, sizes) -> list:
    return [make_sample(f"s{i}", patient=f"p{i}", n=n, seed=i) for i, n in enumerate(sizes)]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"by": "column", "column": "group", "train": (0,)}, "needs column, train and test"),
        ({"by": "column", "column": "group", "train": (0,), "test": ("0",)}, "two sides"),
        ({"by": "column", "column": "g", "train": (0,), "test": (1,), "folds": 3}, "folds has no meaning"),
        ({"by": "patient", "column": "group"}, "column belong"),
        ({"by": "patient", "folds": 1}, "at least 2"),
        ({"by": "blocks", "folds": "leave-one-out"}, "by: patient"),
        ({"by": "blocks", "validation_share": 1.0}, "less than 1"),
        ({"by": "blocks", "seed": -1}, "greater than or equal to 0"),
        ({"by": "nearest"}, "patient"),
    ],
)
def test_settings_refuse(raw, message) -> None:
    with pytest.raises(ValidationError, match=message):
        SplitConfig(buffer_um=10, **raw)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        *[(True, "True"), (np.bool_(False), "False"), ("TRUE", "True"), ("false", "False")],
        (0, "0"),
        (0.0, "0"),
        ("0", "0"),
        (np.float32(2), "2"),
        ("a", "a"),
    ],
)
def test_values_are_the_same_however_typed(value, key) -> None:
    assert value_key(value) == key


def test_leave_one_out_by_default_for_few_patients(make_sample) -> None:
    samples = patients(make_sample, [10, 20, 30])
    plans = plan(samples, SplitConfig(by="patient", buffer_um=16), usable(samples))
    assert [name for name, _ in plans] == ["p0", "p1", "p2"]
    assert {k: set(v.tolist()) for k, v in plans[1][1].items()} == {
        "s0": {TRAIN},
        "s1": {TEST},
        "s2": {TRAIN},
    }


def test_folds_of_patients_are_balanced_in_observations(make_sample) -> None:
    samples = patients(make_sample, [50, 40, 30, 20, 20, 10])
    plans = plan(samples, SplitConfig(by="patient", folds=2, buffer_um=16), usable(samples))
    sizes = [sum(int((side == TEST).sum()) for side in sides.values()) for _, sides in plans]
    assert sorted(sizes) in ([80, 90], [85, 85])
    assert set(plans[0][0].split(" + ")) | set(plans[1][0].split(" + ")) == {f"p{i}" for i in range(6)}


def test_too_few_patients(make_sample) -> None:
    samples = patients(make_sample, [10])
    with pytest.raises(SplitError, match="by: blocks with within_section"):
        plan(samples, SplitConfig(by="patient", buffer_um=16), usable(samples))
    samples = patients(make_sample, [10, 10])
    with pytest.raises(SplitError, match="2 patients cannot make 3 folds"):
        plan(samples, SplitConfig(by="patient", folds=3, buffer_um=16), usable(samples))


def test_column_of_the_table_or_of_the_samples(make_sample) -> None:
    config = SplitConfig(
        by="column", column="group", train=(0,), test=("1",), buffer_um=16, within_section=True
    )
    table = make_sample(n=5, group=[0, 1, 2, 0, 4])
    name, sides = plan([table], config, usable([table]))[0]
    assert name == "group 0 | 1"
    np.testing.assert_array_equal(sides["s"], [TRAIN, TEST, UNUSED, TRAIN, UNUSED])
    samples = [
        make_sample("a", n=2, covariates={"group": "0"}),
        make_sample("b", n=3, covariates={"group": "1"}),
    ]
    sides = plan(samples, config, usable(samples))[0][1]
    assert sides["a"].tolist() == [TRAIN] * 2
    assert sides["b"].tolist() == [TEST] * 3


def test_missing_column_and_missing_values(make_sample) -> None:
    config = SplitConfig(by="column", column="groop", train=(0,), test=(1,), buffer_um=16)
    with pytest.raises(SplitError, match=r"sample s: no column 'groop'; expected one of .*group"):
        plan([make_sample(n=2, group=[0, 1])], config, {})
    config = SplitConfig(by="column", column="group", train=(0,), test=(7,), buffer_um=16)
    with pytest.raises(SplitError, match=r"no observation has the value 7; expected values among 0, 1"):
        plan([make_sample(n=2, group=[0, 1])], config, {})


def test_fewer_blocks_than_folds(make_sample) -> None:
    sample = make_sample(n=80)
    config = SplitConfig(by="blocks", folds=4, block_um=100, buffer_um=16, within_section=True)
    with pytest.raises(SplitError, match="smaller block_um"):
        plan([sample], config, usable([sample]))


def test_blocks_deal_every_observation_to_one_fold(make_sample) -> None:
    sample = make_sample(n=400)
    config = SplitConfig(by="blocks", folds=4, block_um=30, buffer_um=8, within_section=True)
    plans = plan([sample], config, usable([sample]))
    tested = np.sum([sides["s"] == TEST for _, sides in plans], axis=0)
    np.testing.assert_array_equal(tested, 1)


def test_default_width_of_blocks() -> None:
    config = SplitConfig(by="blocks", buffer_um=10)
    assert block_width(config, 4e6) == 1000  # four blocks of 1000 um make 4 mm^2
    assert block_width(config, 400.0) == 60  # six buffers at least
    assert block_width(config.model_copy(update={"block_um": 7.0}), 4e6) == 7


def test_a_whole_patient_validates_where_three_train(make_sample) -> None:
    samples = patients(make_sample, [100, 15, 60, 40])
    config = SplitConfig(by="patient", buffer_um=16)
    name, sides = plan(samples, config, usable(samples))[0]
    assert name == "p0"
    got, notes = add_validation(samples, sides, usable(samples), config)
    # 15 % of 115 is 17: the patient with 15 is nearest
    assert {k: int(v[0]) for k, v in got.items()} == {"s0": TEST, "s1": VALIDATION, "s2": TRAIN, "s3": TRAIN}
    assert notes == ["validation: patient p1"]


def test_two_patients_are_left_to_train(make_sample) -> None:
    samples = patients(make_sample, [10, 10, 10, 10, 10])
    config = SplitConfig(by="patient", buffer_um=16, validation_share=0.9)
    got, _ = add_validation(samples, plan(samples, config, {})[0][1], usable(samples), config)
    sides = [int(v[0]) for v in got.values()]
    assert (sides.count(TEST), sides.count(VALIDATION), sides.count(TRAIN)) == (1, 2, 2)


def test_blocks_validate_where_fewer_train(make_sample) -> None:
    samples = patients(make_sample, [300, 300, 10])
    config = SplitConfig(by="patient", buffer_um=8, block_um=20)
    got, notes = add_validation(samples, plan(samples, config, {})[2][1], usable(samples), config)
    for sample in samples[:2]:
        assert 0.05 < (got[sample.id] == VALIDATION).mean() < 0.3
    assert (got["s2"] == TEST).all()
    assert "20 um in s0" in notes[0]


def _by(train: object, test: object, column: str = "group") -> SplitConfig:
    raw = {"by": "column", "column": column, "train": train, "test": test, "buffer_um": 16}
    return SplitConfig.model_validate(raw)


@pytest.mark.parametrize(
    ("values", "train", "test"),
    [
        ([True, False, None], [True], [False]),
        ([True, False, None], [1], [0]),
        ([True, False, None], ["True"], ["False"]),
        ([True, False, None], ["true"], ["FALSE"]),
        (["true", "false", ""], [True], [False]),
        ([1, 0, 2], [True], [False]),
        ([1.0, 0.0, np.nan], [True], [False]),
        (["1.0", "0.0", "x"], [1], [0]),
        (["yes", "no", "x"], ["yes"], ["no"]),
    ],
)
def test_values_are_met_however_the_column_writes_them(make_sample, values, train, test) -> None:
    sample = make_sample(n=3, group=pd.Series(values, dtype=object).to_numpy())
    sides = plan([sample], _by(train, test), {})[0][1]
    np.testing.assert_array_equal(sides["s"], [TRAIN, TEST, UNUSED])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            ["a", "b", "A"],
            r"column 'group': the column holds 'A' beside 'a', unlike in blanks or case alone; write",
        ),
        (["a", "b", "b "], r"holds 'b ' beside 'b'"),
        (["a", "c", "d"], r"no observation has the value b; expected values among a, c, d"),
        (["A", "B", "d"], r"no observation has the value a, b; expected values among A, B, d"),
    ],
)
def test_values_that_differ_by_case_or_blanks_are_refused(make_sample, values, message) -> None:
    with pytest.raises(SplitError, match=message):
        plan([make_sample(n=3, group=values)], _by(["a"], ["b"]), {})


def test_values_that_are_both_named_may_differ_by_case(make_sample) -> None:
    sides = plan([make_sample(n=3, group=["a", "A", "c"])], _by(["a"], ["A"]), {})[0][1]
    np.testing.assert_array_equal(sides["s"], [TRAIN, TEST, UNUSED])


def test_two_spellings_of_one_value_are_no_two_sides(make_sample) -> None:
    with pytest.raises(SplitError, match="the value True stands on two sides"):
        plan([make_sample(n=2, group=[True, False])], _by([1], ["true"]), {})
