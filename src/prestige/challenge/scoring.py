"""Submission and measurement -> the official figures of Crunch 1.

Of each cell Spearman's correlation over the genes (average ranks for ties; 0 where it is not defined) and
the mean squared error; their mean over the cells of a region, the plain mean over regions, the plain mean
over samples (crunchdao/competitions, competitions/broad-1/scoring/scoring.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.challenge.long_table import Cells, collect, submission_file
from prestige.challenge.rules import MOST_MSE
from prestige.challenge.truth import REGIONS, Group, Truth, read_regions, read_truth, truth_files
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.evaluate.scores import challenge_spearman
from prestige.metrics import all_metrics
from prestige.text import some

_ROWS = 8192
_FIGURES = ("spearman", "mse")


@dataclass(frozen=True, eq=False)
class ChallengeScores:
    """The figures of a submission.

    Attributes
    ----------
    group
        Which cells were scored: validation or test.
    regions
        A row a region: sample, region, n_cells, spearman, mse.
    notes
        What was assumed or left out.
    """

    group: Group
    regions: pd.DataFrame
    notes: tuple[str, ...]

    @property
    def samples(self) -> pd.DataFrame:
        """A row a sample: sample, n_cells, spearman, mse, plain means over its regions."""
        grouped = self.regions.groupby("sample", sort=False)
        means = grouped[list(_FIGURES)].mean()
        return means.assign(n_cells=grouped["n_cells"].sum()).reset_index()[["sample", "n_cells", *_FIGURES]]

    @property
    def spearman(self) -> float:
        """The plain mean over samples."""
        return float(self.samples["spearman"].mean())

    @property
    def mse(self) -> float:
        """The plain mean over samples."""
        return float(self.samples["mse"].mean())

    @property
    def counts(self) -> bool:
        """Whether the error is small enough for the submission to count."""
        return self.mse < MOST_MSE

    def summary(self) -> dict[str, Any]:
        """Return the figures as JSON holds them."""
        return {
            "group": self.group,
            "spearman": self.spearman,
            "mse": self.mse,
            "counts": self.counts,
            "samples": self.samples.to_dict("records"),
            "regions": self.regions.to_dict("records"),
            "notes": list(self.notes),
        }


def score(submission: Path | str, truth: Path | str, *, group: Group | None = None) -> ChallengeScores:
    """Score a submission as the challenge does.

    In memory stand the predictions of the cells that were measured, of all samples together.

    Parameters
    ----------
    submission
        The long table, parquet or csv.
    truth
        The folder of measured expression and of the map of regions, as :mod:`prestige.challenge.truth` says.
    group
        Which cells are scored; not needed where the folder holds one group alone.

    Raises
    ------
    DataError
        With every fault of the truth, or of the submission: wrong columns, NaN, numbers below 0, a cell or
        gene that is missing or stands twice.
    """
    submission, folder = Path(submission), Path(truth)
    faults: list[PrestigeError] = []
    try:
        submission_file(submission)
    except PrestigeError as error:
        faults.extend(error.faults)
    try:
        of_group, files = truth_files(folder, group)
    except PrestigeError as error:
        raise_all([*faults, error])
        raise  # never reached
    regions, truths = read_regions(folder), []
    for sample, path in files.items():
        try:
            truths.append(read_truth(sample, path))
        except PrestigeError as error:
            faults.extend(error.faults)
    if regions is not None:
        faults += [
            DataError(
                f"names no region of sample '{one}'", where=folder / REGIONS, expected="its cells' regions"
            )
            for one in files
            if one not in regions
        ]
    raise_all(faults)
    wanted = [Cells(one.sample, one.cell_id, one.genes) for one in truths]
    beside = collect(submission, wanted)
    notes = [
        f"sample '{name}' of the submission is not among the measured: not scored"
        for name in beside
        if name not in files
    ]
    rows: list[dict[str, Any]] = []
    if regions is None:
        notes.append(f"no {REGIONS} in {folder}: each sample counts as one region")
    for one, predicted in zip(truths, wanted, strict=True):
        spearman, mse = _of_cells(predicted.prediction, one.expression)
        parts = _regions(one, None if regions is None else regions[one.sample], notes)
        for name, at in parts:
            figures = (challenge_spearman(spearman[at]), float(mse[at].mean()))
            rows.append(
                {"sample": one.sample, "region": name, "n_cells": len(at)}
                | dict(zip(_FIGURES, figures, strict=True))
            )
    return ChallengeScores(of_group, pd.DataFrame(rows), tuple(notes))


def _of_cells(
    pred: Float[np.ndarray, "n g"], truth: Float[np.ndarray, "n g"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return Spearman's correlation and the mean squared error of each cell, some thousand at a time."""
    found = [
        all_metrics(pred[start : start + _ROWS], truth[start : start + _ROWS], axis=1)
        for start in range(0, len(pred), _ROWS)
    ]
    return (
        np.concatenate([part["spearman"] for part in found]),
        np.concatenate([part["mse"] for part in found]),
    )


def _regions(
    truth: Truth, region_of: pd.Series | None, notes: list[str]
) -> Sequence[tuple[str, Int[np.ndarray, " m"]]]:
    """Return the rows of each region that has measured cells; what is left out is added to the notes."""
    if region_of is None:
        return [("all", np.arange(len(truth.cell_id)))]
    cells = pd.Index(truth.cell_id)
    parts = {
        str(name): np.flatnonzero(cells.isin(part.index))
        for name, part in region_of.groupby(region_of, sort=True)
    }
    empty = [name for name, at in parts.items() if not len(at)]
    if empty:
        notes.append(
            f"sample '{truth.sample}': {some(empty)} regions without a measured cell are left out "
            "(the official scorer counts a region that it is given without cells as 0)"
        )
    outside = int((~cells.isin(region_of.index)).sum())
    if outside:
        notes.append(f"sample '{truth.sample}': {outside:,} measured cells lie in no region: not scored")
    parts = {name: at for name, at in parts.items() if len(at)}
    if not parts:
        raise DataError(
            f"no measured cell of sample '{truth.sample}' lies in a region",
            where=REGIONS,
            expected="its cells' ids",
        )
    return list(parts.items())
