"""Words that say that nothing is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prestige.data.columns.gaps import OF_GENES, is_gap


@pytest.mark.parametrize(
    "value", [None, np.nan, pd.NA, pd.NaT, "", "  ", "NA", "n/a", "NaN", "None", "NULL", "<NA>"]
)
def test_gaps(value: object) -> None:
    assert is_gap(value)


@pytest.mark.parametrize("value", [0, 0.0, False, "0", "nana", "NAT1", "Unknown", "-"])
def test_what_is_none(value: object) -> None:
    assert not is_gap(value)


def test_a_gene_of_the_fly() -> None:
    assert not is_gap("na", OF_GENES)
    assert is_gap("NaN", OF_GENES)
