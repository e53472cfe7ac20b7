"""Observations: which rows of which samples are meant, and their targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int

if TYPE_CHECKING:
    from prestige.data.panel import Panel
    from prestige.data.sample import Sample
    from prestige.data.split.folds import Fold


@dataclass(frozen=True, eq=False)
class Observations:
    """n observations of several samples, as positions only: no pixels, no counts.

    Attributes
    ----------
    slide_index
        (n,) position of the observation's sample in the dataset's samples.
    row
        (n,) row in that sample's table.
    xy_px
        (n, 2) x, y in that sample's slide pixels, pixel centres at integers.
    """

    slide_index: Int[np.ndarray, " n"]
    row: Int[np.ndarray, " n"]
    xy_px: Float[np.ndarray, "n 2"]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, index: Int[np.ndarray, " m"]) -> Observations:
        """Return the observations at the given positions, in their order."""
        return Observations(self.slide_index[index], self.row[index], self.xy_px[index])


def gather(samples: Sequence[Sample], fold: Fold, side: int) -> Observations:
    """Return the observations of one side of a fold, ordered by sample, then row."""
    return _collect(samples, [np.flatnonzero(fold.sides[sample.id] == side) for sample in samples])


def all_observations(samples: Sequence[Sample]) -> Observations:
    """Return every observation of the samples, measured or not, ordered by sample, then row."""
    return _collect(samples, [np.arange(sample.n_obs) for sample in samples])


def positions_um(samples: Sequence[Sample], observations: Observations) -> Float[np.ndarray, "n 2"]:
    """Return x, y of the observations in um on their slides."""
    um_per_px = np.array([sample.um_per_px for sample in samples])
    return observations.xy_px * um_per_px[observations.slide_index, None]


def targets(
    samples: Sequence[Sample], observations: Observations, panel: Panel
) -> Float32[np.ndarray, "n g"]:
    """Return what a model should predict: ``log1p(counts / total_counts * panel.total)``.

    The total is over all measured genes of the observation, not over the panel.

    Raises
    ------
    DataError
        When a sample lacks a gene of the panel.
    """
    out = np.zeros((len(observations), len(panel.genes)), np.float32)
    for number in np.unique(observations.slide_index):
        sample = samples[number]
        at = np.flatnonzero(observations.slide_index == number)
        rows = observations.row[at]
        total = sample.obs["total_counts"].to_numpy(np.float64)[rows]
        out[at] = panel.transform(sample.counts[rows], sample.genes, total)
    return out


def _collect(samples: Sequence[Sample], rows: list[np.ndarray]) -> Observations:
    return Observations(
        slide_index=np.repeat(np.arange(len(samples)), list(map(len, rows))),
        row=np.concatenate([np.zeros(0, np.int64), *rows]),
        xy_px=np.concatenate(
            [np.zeros((0, 2)), *(sample.xy_px[of_it] for sample, of_it in zip(samples, rows, strict=True))]
        ),
    )
