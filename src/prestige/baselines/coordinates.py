"""Expression from the nearest training neighbours on the same slide: what smoothness alone gives.

Their number is chosen inside the training side: whole blocks are left out together with all tissue
nearer to them than the sides of the split are to each other, so the choice is made at the distance
at which the test is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy.sparse import csr_matrix
from scipy.spatial import KDTree

from prestige.baselines.fitted import Fitted, Totals, TrainingSide
from prestige.baselines.ridge import group_folds
from prestige.baselines.settings import BaselineConfig
from prestige.compute.progress import Progress
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader
from prestige.data.split.sides import nearer_than
from prestige.errors import DataError

COUNTS = (1, 4, 16, 64, 256)
"""Numbers of neighbours that are tried."""
_UNCHOSEN = 16  # where no block can be left out at a distance
_CHOICE_ROWS = 20_000  # left-out observations that the choice rests on, at most
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class Neighbours(Fitted):
    """Training observations with their places, and how many of them a prediction is the mean of.

    Attributes
    ----------
    slide_index
        (n,) the sample of each, as in :class:`~prestige.data.observations.Observations`.
    xy_px
        (n, 2) x, y in that sample's pixels.
    y
        (n, g) expression on the log1p scale.
    k
        Neighbours that are averaged; all of a slide's where it has fewer.
    errors
        For each number tried the mean squared error on left-out blocks, in units of a gene's variance.
    """

    slide_index: Int[np.ndarray, " n"]
    xy_px: Float[np.ndarray, "n 2"]
    y: Float32[np.ndarray, "n g"]
    k: int
    errors: dict[int, float]

    @classmethod
    def fit(cls, config: BaselineConfig, given: TrainingSide) -> Neighbours:
        """Keep the training side, and choose the number at the distance of the split's sides."""
        gap_px = {number: given.gap_um / slide.um_per_px for number, slide in enumerate(given.reader.slides)}
        return fit_neighbours(given.observations, given.y, given.block_of, gap_px=gap_px, seed=given.seed)

    @property
    def n_train(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Training observations that are kept."""
        return len(self.y)

    @property
    def n_parameters(self) -> int:
        """One: the number of neighbours is all that is fitted."""
        return 1

    def predict(
        self, reader: PatchReader, observations: Observations, *, totals: Totals = None, label: str = ""
    ) -> Float32[np.ndarray, "n g"]:
        """Return what the neighbours of the observations say; nothing is read."""
        return self.means_near(observations, label=label)

    def means_near(self, observations: Observations, *, label: str = "") -> Float32[np.ndarray, "n g"]:
        """Return the mean expression of the nearest training neighbours of each observation.

        Raises
        ------
        DataError
            When an observation lies on a slide without any.
        """
        out = np.empty((len(observations), self.y.shape[1]), dtype=np.float32)
        with Progress(label, len(observations)) as progress:
            for slide in np.unique(observations.slide_index):
                here, rows = self.slide_index == slide, np.flatnonzero(observations.slide_index == slide)
                if not here.any():
                    raise DataError(
                        f"sample {slide} of the data set has no training observation",
                        where="baseline 'coordinates'",
                        expected="training neighbours on every slide that is predicted",
                    )
                tree = KDTree(self.xy_px[here])
                for block, (means,) in _means(tree, self.y[here], observations.xy_px[rows], [self.k]):
                    out[rows[block]] = means
                    progress.advance(len(means))
        return out

    def describe(self) -> dict[str, Any]:
        """Return how many neighbours there are, and how their number was chosen."""
        errors = {f"{count:.3g}": error for count, error in self.errors.items()}
        return {"neighbours": self.k, "left_out_errors": errors}


def fit_neighbours(
    observations: Observations,
    y: Float[np.ndarray, "n g"],
    block_of: Int[np.ndarray, " n"],
    *,
    gap_px: Mapping[int, float],
    seed: int = 0,
) -> Neighbours:
    """Keep the training observations, and choose how many neighbours to average.

    Parameters
    ----------
    observations, y
        The training side and its expression on the log1p scale.
    block_of
        Spatial block of each, distinct between samples.
    gap_px
        For each sample the distance (Chebyshev, in its pixels) that the split keeps between its sides.
    seed
        Of the blocks that are left out together, and of the observations that the choice rests on.
    """
    errors = _left_out_errors(observations, y, block_of, gap_px=gap_px, seed=seed)
    k = min(errors, key=lambda count: (errors[count], -count)) if errors else _UNCHOSEN
    y = np.ascontiguousarray(y, dtype=np.float32)
    return Neighbours(observations.slide_index, observations.xy_px, y, k, errors)


def _left_out_errors(
    observations: Observations,
    y: np.ndarray,
    block_of: np.ndarray,
    *,
    gap_px: Mapping[int, float],
    seed: int,
) -> dict[int, float]:
    """Return the error of each number of neighbours; empty where nothing could be left out at a distance."""
    variance = y.var(axis=0, dtype=np.float64)
    weight = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
    asked = np.zeros(len(y), dtype=bool)
    asked[np.random.default_rng(seed).permutation(len(y))[:_CHOICE_ROWS]] = True
    squares, n = np.zeros(len(COUNTS)), 0
    for rest, held in _left_out(observations, group_folds(block_of, seed), gap_px):
        scored = held[asked[held]]
        tree = KDTree(observations.xy_px[rest])
        for block, means in _means(tree, y[rest], observations.xy_px[scored], COUNTS):
            truth = y[scored[block]]
            squares += [float(((mean - truth) ** 2 @ weight).sum()) for mean in means]
            n += len(truth)
    if not n:
        return {}
    return dict(zip(COUNTS, (squares / (n * max(1, int((weight > 0).sum())))).tolist(), strict=True))


def _left_out(
    observations: Observations, fold_of: np.ndarray, gap_px: Mapping[int, float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield (what is left, what is left out) of each sample, apart by the gap, none of them empty."""
    if not fold_of.any():
        return
    for slide in np.unique(observations.slide_index):
        here = np.flatnonzero(observations.slide_index == slide)
        for fold in np.unique(fold_of[here]):
            held, rest = here[fold_of[here] == fold], here[fold_of[here] != fold]
            close = nearer_than(observations.xy_px[rest], observations.xy_px[held], gap_px[int(slide)])
            if not close.all():
                yield rest[~close], held


def _means(
    tree: KDTree, y: np.ndarray, places: np.ndarray, counts: Sequence[int]
) -> Iterator[tuple[slice, list[np.ndarray]]]:
    """Yield (rows, their means over the nearest neighbours for each of the rising counts)."""
    most = min(max(counts), tree.n)
    for start in range(0, len(places), _ROWS):
        block = slice(start, min(start + _ROWS, len(places)))
        nearest = np.asarray(tree.query(places[block], k=np.arange(1, most + 1))[1])
        total, done, means = np.zeros((len(nearest), y.shape[1])), 0, []
        for count in (min(count, most) for count in counts):
            if count > done:
                total += _sums(nearest[:, done:count], y)
                done = count
            means.append(total / done)
        yield block, means


def _sums(nearest: np.ndarray, y: np.ndarray) -> np.ndarray:
    n, width = nearest.shape
    ones = np.ones(nearest.size, dtype=y.dtype)  # of another type, all of y would be converted at every call
    return csr_matrix((ones, nearest.ravel(), np.arange(0, nearest.size + 1, width)), shape=(n, len(y))) @ y
