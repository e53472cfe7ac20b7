"""Hierarchical (cluster) block bootstrap of the mean per-gene correlation, paired over configurations.

The statistic: Pearson per gene within a unit (a sample in a fold), mean over the genes whose truth
varies there, mean over units; seeds of a configuration are averaged first.

What is resampled, and so of what an interval speaks (the estimand):

* with at least :data:`MIN_PATIENTS` patients, the patients and, each time that one is drawn, the
  spatial blocks within its sections: the expected score of these trained models on a new patient;
* with fewer, the blocks within each unit: the score of these trained models over all the tissue of
  which the blocks of these sections are a sample.  Nothing about other patients follows.

Trained models are taken as they are: the chance of another training is not in the intervals.  Every draw
uses the same blocks for every configuration, so differences are resampled too.

Each draw comes with the covariance of the configurations' scores as it would have been estimated from that
draw alone, by the infinitesimal jackknife over its clusters (``influence.py``).  Distances from the score
are then counted in a draw's own standard errors (studentised, ``intervals.py``): that makes good that few
clusters give draws which vary too little, and that a mean of correlations is biased in small samples.

Blocks that touch are not quite independent, however wide.  The covariance of blocks is therefore
sum_bb' K(b, b') L_b L_b', with L the influences and K a triangular kernel on the grid of blocks which
reaches B^(1/4) blocks far in x and y, for B blocks of a section (Conley 1999).  Draws lay their blocks out
at random on the same grid and use the same kernel, so what the kernel costs in precision is in the interval.

References
----------
Davison and Hinkley (1997), Bootstrap Methods and their Application, sections 2.4, 3.8, 5.2 and 8.3.
Conley (1999), GMM estimation with cross sectional dependence, Journal of Econometrics 92.
Field and Welsh (2007), Bootstrapping clustered data, J. R. Statist. Soc. B 69, for two levels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array

from prestige.errors import ConfigError
from prestige.stats.influence import UnitSums, unit_scores, unit_sums
from prestige.stats.moments import Moments, neighbours

MIN_CLUSTERS = 10
MIN_PATIENTS = 10
_CHUNK = 1 << 19  # numbers of one (runs, draws, genes) array in flight

Seeds: TypeAlias = Sequence[Sequence[Moments]]
"""One configuration: for each seed its moments, fold by fold."""


@dataclass(frozen=True, eq=False)
class Unit:
    """The clusters of one sample in one fold: ``rows`` of that fold's moments."""

    fold: int
    sample: str
    patient: str
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class Draws:
    """Scores of k configurations in d draws, and their covariance as estimated from each draw.

    A draw in which nothing varies is NaN.
    """

    scores: Float[np.ndarray, "k d"]
    covariances: Float[np.ndarray, "d k k"]


@dataclass(frozen=True, eq=False)
class BlockDraws:
    """Spatial blocks drawn within each unit, once and for every configuration.

    Attributes
    ----------
    units
        What the mean is over.
    clusters
        For each unit the numbers of its blocks; a block that lies in several folds (the same tissue)
        has one number, and is drawn alike in each.
    donors
        (draws, c): which block stands at the place of each of the c blocks.
    kernel
        (c, c): how much blocks at two places count as one.
    n_strata
        Sets of blocks within which is drawn.
    """

    units: tuple[Unit, ...]
    clusters: tuple[np.ndarray, ...]
    donors: Int[np.ndarray, "d c"]
    kernel: csr_array
    n_strata: int

    @property
    def draws(self) -> int:
        """How many there are."""
        return len(self.donors)

    @property
    def n_clusters(self) -> int:
        """How many blocks there are."""
        return self.donors.shape[1]

    @property
    def reason(self) -> str | None:
        """Why no interval may be given: too few blocks, or hardly more than regions they are drawn in."""
        if self.n_clusters < MIN_CLUSTERS:
            return too_few(self.n_clusters, "spatial blocks")
        if self.n_clusters - self.n_strata < MIN_CLUSTERS - 1:
            return (
                f"no interval: {self.n_clusters} spatial blocks in {self.n_strata} test regions are too few, "
                f"at least {MIN_CLUSTERS - 1} more blocks than regions are needed"
            )
        return None

    def whole(self) -> BlockDraws:
        """Return the one draw in which every block stands at its own place."""
        own = np.arange(self.n_clusters)[None]
        return BlockDraws(self.units, self.clusters, own, self.kernel, self.n_strata)

    def width(self, n_runs: int, n_genes: int) -> int:
        """Return the numbers of the largest array that one draw needs."""
        return n_runs * max(n_genes, self.n_clusters)

    def weights(self, part: slice) -> Float[np.ndarray, "d c"]:
        """Return how often each block stands in some draws."""
        donors, c = self.donors[part], self.n_clusters
        places = donors + c * np.arange(len(donors))[:, None]
        return np.bincount(places.ravel(), minlength=len(donors) * c).reshape(-1, c).astype(np.float64)

    def score(
        self, sums: Sequence[UnitSums], sizes: Int[np.ndarray, " k"], part: slice
    ) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "d k k"]]:
        """Return scores and covariances: the influences of a draw are those of its blocks, over all units."""
        weights = self.weights(part)
        total, count = np.zeros((len(sizes), len(weights))), np.zeros(len(weights))
        moved = np.zeros((len(weights), len(sizes), self.n_clusters))
        for ids, unit in zip(self.clusters, sums, strict=True):
            score, influence = unit_scores(weights[:, ids], unit)
            count += np.isfinite(score[0])
            total += _over_seeds(np.nan_to_num(score, nan=0.0), sizes)
            moved[:, :, ids] += _over_seeds(influence, sizes).transpose(1, 0, 2)
        share = np.divide(1.0, count, out=np.full(len(count), np.nan), where=count > 0)
        moved *= share[:, None, None]
        moved = np.take_along_axis(moved, self.donors[part][:, None, :], axis=2)
        spread: np.ndarray = (moved.reshape(-1, self.n_clusters) @ self.kernel).reshape(moved.shape)
        return total * share, spread @ moved.transpose(0, 2, 1)


@dataclass(frozen=True, eq=False)
class PatientDraws:
    """Patients drawn, and blocks within the sections of each copy of a patient; once for every configuration.

    Attributes
    ----------
    units
        What the mean is over.
    weights
        For each unit (copies, blocks of the unit): how often each block stands in each copy.
    places
        For each unit (copies,), rising: the copy is that number ``place % slots`` of draw ``place // slots``.
    slots
        Patients in a draw.
    draws
        How many there are.
    """

    units: tuple[Unit, ...]
    weights: tuple[np.ndarray, ...]
    places: tuple[np.ndarray, ...]
    slots: int
    draws: int

    @property
    def n_clusters(self) -> int:
        """How many patients there are."""
        return self.slots

    @property
    def reason(self) -> str | None:
        """Why no interval may be given: too few patients."""
        return too_few(self.slots, "patients") if self.slots < MIN_CLUSTERS else None

    def whole(self) -> PatientDraws:
        """Return the one draw in which every patient and every block stands once."""
        ones = tuple(np.ones((1, one.shape[1])) for one in self.weights)
        patients = sorted({unit.patient for unit in self.units})
        places = tuple(np.array([patients.index(unit.patient)]) for unit in self.units)
        return PatientDraws(self.units, ones, places, self.slots, 1)

    def width(self, n_runs: int, n_genes: int) -> int:
        """Return the numbers of the largest array that one draw needs."""
        return n_runs * max(n_genes, self.slots) * 4  # a patient may stand several times in a draw

    def score(
        self, sums: Sequence[UnitSums], sizes: Int[np.ndarray, " k"], part: slice
    ) -> tuple[Float[np.ndarray, "k d"], Float[np.ndarray, "d k k"]]:
        """Return scores and covariances: the influences of a draw are those of its copies of patients.

        The mean over units is a ratio (a patient may have several), linearised as such.
        """
        first, last = part.start * self.slots, part.stop * self.slots
        total, count = np.zeros((len(sizes), last - first)), np.zeros(last - first)
        for weights, places, unit in zip(self.weights, self.places, sums, strict=True):
            begin, end = np.searchsorted(places, [first, last])
            score, _ = unit_scores(weights[begin:end], unit, influences=False)
            at = places[begin:end] - first
            count[at] += np.isfinite(score[0])
            total[:, at] += _over_seeds(np.nan_to_num(score, nan=0.0), sizes)
        total = total.reshape(len(sizes), -1, self.slots).transpose(1, 0, 2)
        count = count.reshape(-1, 1, self.slots)
        n_units = count.sum(axis=2)
        share = np.divide(1.0, n_units, out=np.full(n_units.shape, np.nan), where=n_units > 0)
        score = total.sum(axis=2) * share
        moved = (total - score[:, :, None] * count) * share[:, :, None]
        return score.T, moved @ moved.transpose(0, 2, 1)


Resampling: TypeAlias = BlockDraws | PatientDraws
"""Draws of clusters, made once and used for every configuration."""


def too_few(n_clusters: int, what: str) -> str:
    """Say that there are too few clusters."""
    many = f"{n_clusters} {what} are" if n_clusters != 1 else f"1 {what.replace('blocks', 'block')} is"
    return f"no interval: {many} too few, at least {MIN_CLUSTERS} are needed"


def units_of(folds: Sequence[Moments], patient_of: Mapping[str, str] | None = None) -> tuple[Unit, ...]:
    """Return the units of some folds' moments in a fixed order."""
    patient_of = patient_of or {}
    units = []
    for fold, moments in enumerate(folds):
        for name in np.unique(moments.sample):
            rows = np.flatnonzero((moments.sample == name) & (moments.n > 0))
            if len(rows):
                units.append(Unit(fold, str(name), patient_of.get(str(name), str(name)), rows))
    return tuple(units)


def draw(
    folds: Sequence[Moments], *, draws: int, seed: int, patient_of: Mapping[str, str] | None = None
) -> Resampling:
    """Draw blocks within units, and patients where there are enough of them.

    Raises
    ------
    ConfigError
        When fewer than two draws are asked for.
    """
    if draws < 2:
        raise ConfigError(
            f"{draws} draws are asked for", where="bootstrap", expected="at least 2, better 1,000"
        )
    units = units_of(folds, patient_of)
    keys = [[(unit.sample, int(block)) for block in folds[unit.fold].block[unit.rows]] for unit in units]
    rng = np.random.default_rng(seed)
    if patient_of is not None and len({unit.patient for unit in units}) >= MIN_PATIENTS:
        return _draw_patients(units, keys, draws, rng)
    return _draw_blocks(units, keys, draws, rng)


def _draw_blocks(
    units: tuple[Unit, ...], keys: list[list[tuple[str, int]]], draws: int, rng: np.random.Generator
) -> BlockDraws:
    number: dict[tuple[str, int], int] = {}
    donors = []
    for of_unit in keys:
        new = [key for key in of_unit if key not in number]
        if new:
            first = len(number)
            donors.append(first + rng.integers(len(new), size=(draws, len(new))))
            number.update((key, first + i) for i, key in enumerate(new))
    clusters = tuple(np.array([number[key] for key in of_unit]) for of_unit in keys)
    sample, block = np.array([key[0] for key in number]), np.array([key[1] for key in number])
    all_donors = np.concatenate(donors, axis=1) if donors else np.empty((draws, 0), dtype=np.int64)
    return BlockDraws(units, clusters, all_donors, _kernel(sample, block), len(donors))


def _kernel(sample: np.ndarray, block: np.ndarray) -> csr_array:
    """Return how much two blocks count as one: falling linearly to 0 at B^(1/4) blocks in x and in y."""
    c = len(block)
    first, second, value = [np.arange(c)], [np.arange(c)], [np.ones(c)]
    for name in np.unique(sample):
        here = np.flatnonzero(sample == name)
        reach = len(here) ** 0.25
        far = int(np.ceil(reach)) - 1
        for dx in range(-far, far + 1):
            for dy in range(-far, far + 1):
                if (dx, dy) != (0, 0):
                    a, b = neighbours(block[here], dx, dy)
                    first.append(here[a])
                    second.append(here[b])
                    value.append(np.full(len(a), (1 - abs(dx) / reach) * (1 - abs(dy) / reach)))
    places: Any = (np.concatenate(first), np.concatenate(second))
    return csr_array((np.concatenate(value), places), shape=(c, c))


def _draw_patients(
    units: tuple[Unit, ...], keys: list[list[tuple[str, int]]], draws: int, rng: np.random.Generator
) -> PatientDraws:
    patients = sorted({unit.patient for unit in units})
    slots = len(patients)
    times = rng.multinomial(slots, np.full(slots, 1 / slots), size=draws)
    first = np.cumsum(times, axis=1) - times  # in each draw, the copies of a patient stand together
    drawn: dict[tuple[str, int], np.ndarray] = {}
    weights, places = [], []
    for unit, of_unit in zip(units, keys, strict=True):
        patient = patients.index(unit.patient)
        owner = np.repeat(np.arange(draws), times[:, patient])
        earlier = np.cumsum(times[:, patient]) - times[:, patient]
        places.append(owner * slots + first[owner, patient] + np.arange(len(owner)) - earlier[owner])
        new = [key for key in of_unit if key not in drawn]
        if new:
            counts = rng.multinomial(len(new), np.full(len(new), 1 / len(new)), size=len(owner))
            drawn.update(zip(new, counts.T.astype(np.float64), strict=True))
        weights.append(np.stack([drawn[key] for key in of_unit], axis=1))
    return PatientDraws(units, tuple(weights), tuple(places), slots, draws)


def resample(plan: Resampling, configs: Sequence[Seeds]) -> Draws:
    """Return score and covariance of k configurations in every draw.

    All must have been scored on the same truth; that of the first is used.
    """
    sizes = np.array([len(seeds) for seeds in configs])
    runs = [folds for seeds in configs for folds in seeds]
    sums = [unit_sums([folds[unit.fold] for folds in runs], unit.rows) for unit in plan.units]
    scores = np.empty((len(configs), plan.draws))
    covariances = np.empty((plan.draws, len(configs), len(configs)))
    step = max(1, _CHUNK // plan.width(len(runs), len(runs[0][0].genes)))
    for start in range(0, plan.draws, step):
        part = slice(start, min(start + step, plan.draws))
        scores[:, part], covariances[part] = plan.score(sums, sizes, part)
    return Draws(scores, covariances)


def _over_seeds(values: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Average runs over the seeds of each configuration, along the first axis."""
    if (sizes == 1).all():
        return values
    sums = np.add.reduceat(values, np.cumsum(sizes) - sizes, axis=0)
    return sums / sizes.reshape(-1, *[1] * (values.ndim - 1))


def same_observations(a: Moments, b: Moments) -> bool:
    """Tell whether two moments are over the same clusters of the same size."""
    return (
        np.array_equal(a.sample, b.sample) and np.array_equal(a.block, b.block) and np.array_equal(a.n, b.n)
    )
