"""What the challenge lays down."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prestige.challenge.rules import SAMPLES, covariates_of, group_codes, patient_of
from prestige.errors import DataError


def test_eight_sections_of_six_patients() -> None:
    assert len(SAMPLES) == 8
    assert [patient_of(name) for name in SAMPLES] == [
        "UC1", "UC1", "UC6", "UC6", "UC7", "UC9", "DC1", "DC5",
    ]  # fmt: skip
    assert patient_of("_I") == "_I"


def test_conditions_follow_from_names() -> None:
    assert {name: covariates_of(name).get("condition") for name in SAMPLES} == {
        "UC1_I": "inflamed", "UC1_NI": "non-inflamed", "UC6_I": "inflamed", "UC6_NI": "non-inflamed",
        "UC7_I": "inflamed", "UC9_I": "inflamed", "DC1": None, "DC5": None,
    }  # fmt: skip
    assert covariates_of("pancreas") == {}
    assert covariates_of("mine_NI") == {"condition": "non-inflamed"}


@pytest.mark.parametrize(
    "groups",
    [
        pd.Series([0, 1, 2, 4, 0]),
        pd.Series([0.0, 1.0, 2.0, 4.0, 0.0]),
        pd.Series(["train", "validation", "test", "No_transcript-train", "train"]),
        pd.Series(["train", "Validation ", "TEST", "no_transcript-train", "train"], dtype="category"),
        pd.Series(["0", "1", "2", "4", "0"]),
    ],
)
def test_groups_are_names_or_numbers(groups: pd.Series) -> None:
    np.testing.assert_array_equal(group_codes(groups, where="store"), [0, 1, 2, 4, 0])


@pytest.mark.parametrize("groups", [[0, 3], ["train", "held out"], [0, None], ["train", np.nan]])
def test_other_groups_are_named(groups: list[object]) -> None:
    with pytest.raises(DataError, match=r"store: unknown groups of cells: 1 \("):
        group_codes(pd.Series(groups), where="store")
