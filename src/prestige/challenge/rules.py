"""What the challenge lays down: samples, groups of cells, columns of a submission, the bound of its error.

Sources: crunchdao/docs (competitions/broad-institute-autoimmune-disease/crunch-1.md) and
crunchdao/competitions (competitions/broad-1/scoring/scoring.py).
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from jaxtyping import Int

from prestige.errors import DataError
from prestige.text import some

SAMPLES = ("UC1_I", "UC1_NI", "UC6_I", "UC6_NI", "UC7_I", "UC9_I", "DC1", "DC5")
"""The eight sections."""

GROUPS = {"train": 0, "validation": 1, "test": 2, "No_transcript-train": 4}
"""Groups of cells: the tables of the challenge hold the names or the numbers."""

HELD_OUT = (GROUPS["validation"], GROUPS["test"])
"""The groups whose cells a submission predicts."""

COLUMNS = ("cell_id", "gene", "prediction", "sample")
"""Columns of a submission: a row for each cell and gene."""

DECIMALS = 2
TOTAL = 100.0
"""The target is log1p of counts that are scaled to this total of a nucleus."""

MOST_MSE = 0.2
"""A submission whose mean squared error is not below it does not count."""

_CONDITIONS = {"_I": "inflamed", "_NI": "non-inflamed"}
_DISEASES = {"UC": "ulcerative colitis", "DC": "diverticulitis"}


def patient_of(sample: str) -> str:
    """Return whose tissue a section is: its name without the condition.

    >>> [patient_of(name) for name in ("UC1_I", "UC1_NI", "DC1")]
    ['UC1', 'UC1', 'DC1']
    """
    return re.sub(r"(?<=.)_N?I$", "", sample)


def covariates_of(sample: str) -> dict[str, str]:
    """Return what the name of a section says of it: the condition, and of those of the challenge the disease.

    >>> covariates_of("UC1_NI")
    {'condition': 'non-inflamed', 'disease': 'ulcerative colitis'}
    >>> covariates_of("DC5")
    {'disease': 'diverticulitis'}
    """
    found = {}
    for ending, condition in _CONDITIONS.items():
        if sample.endswith(ending) and sample != ending:
            found["condition"] = condition
    kind = re.match(r"(UC|DC)\d", sample)
    if kind:
        found["disease"] = _DISEASES[kind[1]]
    return found


def group_codes(groups: pd.Series, *, where: str) -> Int[np.ndarray, " n"]:
    """Return the group of each cell as a number of :data:`GROUPS`, from names or numbers.

    Raises
    ------
    DataError
        For anything else, naming it.
    """
    by_name = {name.lower(): code for name, code in GROUPS.items()}
    by_name |= {str(code): code for code in GROUPS.values()}
    by_name |= {f"{code}.0": code for code in GROUPS.values()}
    known = {value: by_name.get(str(value).strip().lower()) for value in pd.unique(groups)}
    strange = [value for value, code in known.items() if code is None]
    if strange:
        raise DataError(
            f"unknown groups of cells: {some(strange)}",
            where=where,
            expected=f"{', '.join(GROUPS)} (or {', '.join(map(str, GROUPS.values()))})",
        )
    return groups.map(known).to_numpy(dtype=np.int64)
