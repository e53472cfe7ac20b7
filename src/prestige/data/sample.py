"""A sample: one section of tissue, its slide and its table, checked when it is made."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.sparse import csr_matrix

from prestige.data.columns.counts import count_faults
from prestige.data.columns.genes import nameless
from prestige.data.slides.glass import glass_note
from prestige.data.slides.slide import Slide
from prestige.data.tables import row_sums
from prestige.errors import DataError
from prestige.text import some

_HALF = re.compile("[\ud800-\udfff]")

Counts = Literal["needed", "optional"]
"""Whether a sample has to have counts: training and scoring need them, prediction does not."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One section: n observations with centres in the slide, G genes, one patient.

    Parameters
    ----------
    id, patient
        Names of the section and of the person.
    slide
        The pixels.
    obs
        (n rows) unique string names; ``measured`` (bool); ``total_counts`` (over all genes measured, also
        those outside the table where the source says so; 0 where not measured); what else the source gives.
    xy_px
        (n, 2) x and y of the centres in slide pixels; a pixel's centre has whole coordinates.
    counts
        (n, G) raw counts, float32; empty rows where not measured.
    genes
        The G symbols, unique.
    covariates
        What dataset.yaml says of the sample.
    source
        The reader that read it.
    fingerprint
        Changes with anything that changes a result; no path is in it.
    notes
        What was assumed, a sentence each, for the report.
    platform
        The platform and its version, as the source names them; empty where it does not.
    um_per_px_from
        Who stated the width of a pixel.
    """

    id: str
    patient: str
    slide: Slide
    obs: pd.DataFrame
    xy_px: Float[np.ndarray, "n 2"]
    counts: csr_matrix
    genes: tuple[str, ...]
    covariates: Mapping[str, str]
    source: str
    fingerprint: str
    notes: tuple[str, ...] = ()
    platform: str = ""
    um_per_px_from: str = ""

    @property
    def n_obs(self) -> int:
        """Number of observations, measured or not."""
        return len(self.obs)

    @property
    def measured(self) -> Bool[np.ndarray, "n"]:
        """Whether each observation has counts."""
        return self.obs["measured"].to_numpy(dtype=bool)

    @property
    def um_per_px(self) -> float:
        """Width of a slide pixel in micrometres."""
        return self.slide.um_per_px

    @property
    def xy_um(self) -> Float[np.ndarray, "n 2"]:
        """Centres in micrometres from the centre of the slide's first pixel."""
        return self.xy_px * self.slide.um_per_px


def bare_glass(sample: Sample) -> str | None:
    """Return a note where many of the measured centres (of all, where none is) lie on bare glass."""
    xy_px = sample.xy_px[sample.measured] if sample.measured.any() else sample.xy_px
    return glass_note(sample.slide.pixels, xy_px, sample.um_per_px)


@dataclass(frozen=True, eq=False)
class Table:
    """Observations, centres and counts as a reader hands them over (fields as in :class:`Sample`)."""

    obs: pd.DataFrame
    xy_px: Float[np.ndarray, "n 2"]
    counts: csr_matrix
    genes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    counts_beside: str | None = None
    """Where else in its source counts stand, in a sentence, where ``counts`` are none."""
    platform: str = ""
    """Platform and version, told by the reader at every opening; like the next no part of what is kept."""
    um_per_px_from: str = ""
    """Who stated the width of a pixel."""


def has_counts(table: Table | Sample) -> bool:
    """Return whether any observation has counts; a section of H&E alone has none."""
    return bool(table.genes) and bool(table.obs["measured"].any()) and table.counts.nnz > 0


def faults_in(
    table: Table, *, height_px: int, width_px: int, where: str, counts: Counts = "needed"
) -> list[DataError]:
    """List everything that is wrong with a table against its image; an empty list is a sound sample."""
    obs, faults = table.obs, []

    def fault(what: str, expected: str, remedy: str | None = None) -> None:
        faults.append(DataError(what, where=where, expected=expected, remedy=remedy))

    if not len(obs):
        fault("the table has no observations", "at least one")
    if counts == "needed" and len(obs) and not has_counts(table):
        fault(
            "no observation has counts" if table.genes else "the table has no genes, so it has no counts",
            "counts of at least one observation",
            "leave the sample out: one of H&E alone can be predicted, not trained on, split or scored",
        )
    if table.counts.shape != (len(obs), len(table.genes)) or len(table.xy_px) != len(obs):
        fault(
            f"{table.counts.shape} counts and {len(table.xy_px)} centres for {len(obs)} observations",
            f"({len(obs)}, {len(table.genes)}) counts and as many centres as observations",
        )
        return faults
    ids = pd.Index(obs.index)
    if not ids.is_unique:
        fault(
            f"duplicate ids: {some(ids[ids.duplicated()])}",
            "every observation once",
            "make the row names of the table unique",
        )
    genes = pd.Index(table.genes)
    if not genes.is_unique:
        fault(
            f"duplicate genes: {some(genes[genes.duplicated()])}",
            "every gene once",
            "sum them or make their names unique",
        )
    faults.extend(_name_faults(table, ids, where))
    lost = np.asarray(~np.isfinite(table.xy_px).all(axis=1))
    if lost.any():
        fault(
            f"no place (NaN) for {some(ids[lost])}",
            "a finite x and y for every observation",
            "take these rows off the table",
        )
    edge = np.array([width_px, height_px]) - 0.5
    outside = ~lost & ((table.xy_px < -0.5) | (table.xy_px > edge)).any(axis=1)
    if outside.any():
        fault(
            f"outside the image of {width_px} x {height_px} px: {some(ids[outside])}",
            "every centre inside, in pixels of the full image as x, y",
            "check that x and y are not swapped and are not given at another level or in um",
        )
    faults.extend(_count_faults(table, ids, where))
    return faults


def _name_faults(table: Table, ids: pd.Index, where: str) -> list[DataError]:
    """List the names that are none, or that no file holds."""
    faults = []
    if blank := nameless(table.genes):
        faults.append(
            DataError(
                f"genes without a name: {some(blank)} (columns, from 0)",
                where=where,
                expected="a name for every gene",
                remedy="name them in var, or take them off the table",
            )
        )
    for what, names in (("ids", list(ids)), ("genes", list(table.genes))):
        if odd := unstorable(names):
            faults.append(
                DataError(
                    f"{what} with characters that no table stores: {some([ascii(name) for name in odd])}",
                    where=where,
                    expected="text without NUL, in UTF-8",
                    remedy="rename them",
                )
            )
    return faults


def unstorable(names: Sequence[object]) -> list[object]:
    """Return the names that HDF5 cannot store: with a NUL, or half of a pair of characters."""
    text = "\n".join(map(str, names))
    if "\0" not in text and not _HALF.search(text):  # nearly always, at the cost of one look
        return []
    return [name for name in names if "\0" in str(name) or _HALF.search(str(name))]


def _count_faults(table: Table, ids: pd.Index, where: str) -> list[DataError]:
    faults = count_faults(table.counts, ids, where=where, elsewhere=table.counts_beside)
    rows = table.counts.indptr
    measured = table.obs["measured"].to_numpy(dtype=bool)
    low = measured & (table.obs["total_counts"].to_numpy(float) < row_sums(table.counts) * (1 - 1e-6))
    if low.any():
        faults.append(
            DataError(
                f"totals below the sum of the counts in {some(ids[low])}",
                where=where,
                expected="counts over all genes of the table, and more",
                remedy="mend total_counts, or prepare the sample again",
            )
        )
    stray = ~measured & (np.diff(rows) > 0)
    if stray.any():
        faults.append(DataError(f"counts in rows that are not measured: {some(ids[stray])}", where=where))
    return faults
