"""The alignment check: whether counts and tissue fit best as they stand, or moved.

Two things are measured at the places as they stand and at each way of ``ways.py``:

fit
    The multiple correlation of the observations' total counts with the optical density of red, green and blue
    around them, all as ranks (Spearman's: counts and densities are skewed, and any increasing scale of either
    gives the same).  Three colours, since what raises counts differs: more nuclei (haematoxylin, dense in
    red), more cytoplasm (eosin, dense in green), or simply more tissue; the sign is left open.
darkness
    How much denser in red the very centres are than the tissue 20 um around them, in standard deviations of
    that difference over the slide: centres of cells lie on nuclei.  Asked of observations less than
    30 um apart, counts or not; of bins it says nothing, as they lie anywhere.

How far chance moves a difference between two positions is told by a bootstrap of spatial blocks.  Positions
that put more of the centres on bare glass than the own one, or beyond the image, are no better ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.stats import rankdata

from prestige.data.sample import Sample, has_counts
from prestige.data.slides.glass import ASKED, glass_of, share_on_glass
from prestige.data.together.density import DensityMap, density_map
from prestige.data.together.ways import OWN, SAME_UM, SHIFTS_UM, Way, shift_by, ways_of
from prestige.stats.space import neighbour_distances

MOST_OBS = 20_000
"""Observations that are asked; of more, a random part."""

FEWEST_OBS, FEWEST_BLOCKS = 50, 10
"""Below these nothing is told."""

BLOCKS, DRAWS = 60, 200
"""Spatial blocks that are aimed at, and draws of the bootstrap."""

GAIN, ERRORS, ERRORS_FOUND = 0.08, 3.0, 4.0
"""A position fits better when its fit is higher by ``GAIN`` and by so many standard errors, one that was
searched by more: it is the best of many."""

LESS_GLASS, MUCH_GLASS, GLASS_RATIO = 0.15, 0.4, 3.0
"""It also does when it brings so many of the centres off bare glass and leaves at most that part of them
there: the first unless its fit is worse beyond chance, the second whatever the fit (a dark frame has one)."""

DARKER, DARK_ERRORS = 0.2, 6.0
"""The same for the darkness of centres; from there on the centres lie on nuclei."""

INSIDE, MORE_GLASS = 0.98, 0.05
"""A better position has so many centres inside the image, and at most so many more on bare glass."""

TOLD, OFF_TISSUE = 2.0, 0.1
"""Standard errors by which a position has to be worse to be told from the own one, or how many more
of its centres have to lie on bare glass."""

CELLS_UM = 30.0
"""Observations nearer to each other can be cells."""

_WIDTH_UM = (25.0, 100.0)  # of the tissue around an observation: half the spacing, within these
_CELL_UM, _AROUND_UM = 4.0, 40.0
_SEARCHED = 3000  # observations by which the best of many shifts is searched
_MOSTLY = 0.75  # of the far positions have to be worse before the own one is said to fit


@dataclass(frozen=True)
class Position:
    """What was measured at one position.

    Attributes
    ----------
    way
        How the places were moved.
    inside, on_glass
        Shares of the centres inside the image, and of these on bare glass.
    fit, gain, error
        The fit, how much more it is than as it stands, and the standard error of that; None without counts.
    darkness, darker, darker_error
        The same for the darkness of the centres; None where observations lie far apart.
    """

    way: Way
    inside: float
    on_glass: float
    fit: float | None = None
    gain: float = 0.0
    error: float = 0.0
    darkness: float | None = None
    darker: float = 0.0
    darker_error: float = 0.0

    def fits_better(self, own: Position) -> bool:
        """Return whether the fit is higher than as it stands beyond chance."""
        errors = ERRORS_FOUND if self.way.kind == "found" else ERRORS
        if self.gain >= max(GAIN, errors * self.error):
            return True
        less = own.on_glass - self.on_glass if own.on_glass >= GLASS_RATIO * self.on_glass else 0.0
        return less >= MUCH_GLASS or (less >= LESS_GLASS and self.gain > -TOLD * self.error)

    @property
    def is_darker(self) -> bool:
        """Whether the centres are darker than as it stands beyond chance."""
        return self.darker >= DARKER and self.darker >= DARK_ERRORS * self.darker_error


Verdict = Literal["fits", "fits elsewhere", "cannot be told"]


@dataclass(frozen=True)
class Alignment:
    """What the check says of a sample.

    Attributes
    ----------
    own, others
        The positions.
    verdict
        Whether the own position is the best.
    better
        The position that fits best where the own one does not.
    told_from_um
        From which shift on every shifted position is worse than the own one beyond chance.
    why
        The reason in words where nothing can be told.
    """

    own: Position
    others: tuple[Position, ...]
    verdict: Verdict
    better: Position | None = None
    told_from_um: float | None = None
    why: str = ""

    @property
    def text(self) -> str:
        """The verdict as a sentence with its numbers."""
        if self.better is not None:
            return f"image and table fit better {self.better.way.words} ({_numbers(self.better, self.own)})"
        if self.verdict == "cannot be told":
            return f"whether image and table fit cannot be told: {self.why}"
        since = f", shifts are told from {self.told_from_um:g} um on" if self.told_from_um else ""
        return f"image and table fit best as they stand{since}"


def _numbers(better: Position, own: Position) -> str:
    if better.is_darker:
        return (
            f"centres are darker than the tissue around them by {better.darkness:.2f} standard deviations "
            f"then, by {own.darkness:.2f} as it stands"
        )
    if better.gain <= 0:  # it was taken for the glass alone
        return f"{better.on_glass:.0%} of the centres lie on bare glass then, {own.on_glass:.0%} as it stands"
    words = "correlation of counts with the density of the tissue"
    return f"{words} {better.fit:.2f} then, {own.fit:.2f} as it stands"


def alignment_of(sample: Sample) -> Alignment:
    """Check a sample: its measured observations, or all where none is."""
    counted = has_counts(sample)
    rows = sample.measured if counted else np.ones(sample.n_obs, dtype=bool)
    totals = sample.obs["total_counts"].to_numpy(np.float64)[rows] if counted else None
    return check_alignment(sample.slide.pixels, sample.xy_px[rows], totals, um_per_px=sample.um_per_px)


def check_alignment(
    pixels: UInt8[np.ndarray, "height width 3"],
    xy_px: Float[np.ndarray, "n 2"],
    totals: Float[np.ndarray, " n"] | None,
    *,
    um_per_px: float,
) -> Alignment:
    """Measure the positions of observations and say which is the best.

    Parameters
    ----------
    pixels, um_per_px
        The slide.
    xy_px, totals
        Centres and total counts of the observations; None where there are no counts.
    """
    asked = np.random.default_rng(0).permutation(len(xy_px))[:MOST_OBS]
    if len(asked) < FEWEST_OBS:
        return _untold(f"{len(asked)} observations are too few")
    spacing_um = spacing_px(xy_px) * um_per_px
    blocks = _blocks(xy_px[asked])
    order = asked[np.argsort(blocks, kind="stable")]
    starts = np.unique(np.sort(blocks), return_index=True)[1]
    if len(starts) < FEWEST_BLOCKS:
        return _untold("the observations lie in too few places")
    if totals is None and spacing_um > CELLS_UM:
        return _untold("there are no counts, and the observations are no single cells")
    measure = _Measure(pixels, None if totals is None else totals[order], starts, spacing_um, um_per_px)
    height_px, width_px = pixels.shape[:2]
    ways = ways_of(xy_px, height_px=height_px, width_px=width_px, um_per_px=um_per_px)
    own, *others = measure.positions(xy_px[order], ways)
    return _judged(own, others)


class _Measure:
    """What is the same at all positions: the slide's density, ranks of the counts, blocks and their draws."""

    def __init__(
        self,
        pixels: UInt8[np.ndarray, "height width 3"],
        totals: Float[np.ndarray, " n"] | None,
        starts: Int[np.ndarray, " b"],
        spacing_um: float,
        um_per_px: float,
    ) -> None:
        self.pixels, self.starts, self.um_per_px = pixels, starts, um_per_px
        width_um = float(np.clip(spacing_um / 2, *_WIDTH_UM))
        cells = spacing_um <= CELLS_UM
        fine = density_map(pixels, (_CELL_UM if cells else width_um / 6) / um_per_px)
        self.around = fine.smoothed(width_um / um_per_px)
        self.darkness = _darkness(fine, um_per_px) if cells else None
        self.ranks = None if totals is None else _ranks(totals[:, None])
        self.glass = glass_of(pixels)
        chance = np.full(len(starts), 1 / len(starts))
        draws = np.random.default_rng(0).multinomial(len(starts), chance, size=DRAWS)
        self.draws = np.concatenate([np.ones((1, len(starts))), draws])  # the first is the data themselves

    def positions(self, xy_px: Float[np.ndarray, "n 2"], ways: Sequence[Way]) -> list[Position]:
        """Measure every position that keeps the centres inside the image; the first is the own one."""
        made: list[Position] = []
        first: tuple[Float[np.ndarray, " d"], ...] = ()
        limit = np.array([self.pixels.shape[1], self.pixels.shape[0]]) - 0.5
        asked = np.random.default_rng(1).permutation(len(xy_px))[:ASKED]
        for way in [*ways, *self.darkest(xy_px), *self.fitting(xy_px)]:
            places = way(xy_px)
            inside = np.asarray(((places >= -0.5) & (places < limit)).all(axis=1))
            share = float(inside.mean())
            if made and share < INSIDE:
                continue
            there = places[asked][inside[asked]]
            glass = share_on_glass(self.pixels, there, self.glass) if self.glass and len(there) else 0.0
            drawn = (self.fit(places), self.dark(places))
            first = first or drawn
            fit, gain, error = _beside(drawn[0], first[0])
            made.append(Position(way, share, glass, fit, gain, error, *_beside(drawn[1], first[1])))
        return made

    def darkest(self, xy_px: Float[np.ndarray, "n 2"]) -> list[Way]:
        """Return the shift, to the square of the map, that puts cells on the darkest places."""
        if self.darkness is None:
            return []
        dark, step = self.darkness.values[:, :, 0], self.darkness.step_px
        reach = min(int(SHIFTS_UM[-1] / self.um_per_px / step), max(dark.shape) - 1)
        if reach * step * self.um_per_px < SAME_UM:
            return []
        shape = [next_fast_len(size + reach) for size in dark.shape]
        there = np.zeros(dark.shape, dtype=np.float32)
        column, row = np.floor((xy_px + 0.5) / step).astype(np.int64).T
        np.add.at(there, (np.clip(row, 0, dark.shape[0] - 1), np.clip(column, 0, dark.shape[1] - 1)), 1.0)
        sums = irfft2(rfft2(dark, shape) * np.conj(rfft2(there, shape)), shape)
        down, right = np.meshgrid(*(np.arange(-reach, reach + 1),) * 2, indexing="ij")
        around = sums[down, right]  # negative shifts stand at the end
        around[np.hypot(down, right) * step * self.um_per_px < SAME_UM] = -np.inf
        best = np.unravel_index(np.argmax(around), around.shape)
        return [shift_by(int(right[best]) * step, int(down[best]) * step, self.um_per_px)]

    def fitting(self, xy_px: Float[np.ndarray, "n 2"]) -> list[Way]:
        """Return the shift in steps of 50 um, 300 um at most, at which a part of the places fits best."""
        if self.ranks is None:
            return []
        part = np.random.default_rng(3).permutation(len(xy_px))[:_SEARCHED]
        places, totals = xy_px[part], _ranks(self.ranks[part])
        limit = np.array([self.pixels.shape[1], self.pixels.shape[0]]) - 0.5
        step, best = SHIFTS_UM[0] / self.um_per_px, (0.0, 0, 0)
        reach = round(SHIFTS_UM[-1] / SHIFTS_UM[0])
        for right, down in np.ndindex(2 * reach + 1, 2 * reach + 1):
            moved = places + (np.array([right, down]) - reach) * step
            if ((moved >= -0.5) & (moved < limit)).all(axis=1).mean() < INSIDE:
                continue
            values = np.concatenate([totals, _ranks(self.around.at(moved))], axis=1)
            best = max(best, (float(_multiple_correlation(np.cov(values.T)[None])[0]), right, down))
        right, down = best[1] - reach, best[2] - reach
        if best[0] == 0.0 or (right, down) == (0, 0):
            return []
        return [shift_by(round(right * step), round(down * step), self.um_per_px)]

    def fit(self, xy_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " d"]:
        """Return the multiple correlation in every draw; empty without counts."""
        if self.ranks is None:
            return np.zeros(0)
        values = np.concatenate([self.ranks, _ranks(self.around.at(xy_px))], axis=1)
        pairs = np.einsum("ni,nj->nij", values, values).reshape(len(values), -1)
        sums = self.draws @ np.add.reduceat(np.concatenate([values, pairs], axis=1), self.starts, axis=0)
        sizes = self.draws @ np.diff(np.append(self.starts, len(values)))
        size = values.shape[1]
        means = sums[:, :size] / sizes[:, None]
        moments = (sums[:, size:] / sizes[:, None]).reshape(-1, size, size)
        return _multiple_correlation(moments - means[:, :, None] * means[:, None, :])

    def dark(self, xy_px: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " d"]:
        """Return the mean darkness of the centres in every draw; empty where they are no cells."""
        if self.darkness is None:
            return np.zeros(0)
        sums = np.add.reduceat(self.darkness.at(xy_px)[:, 0].astype(np.float64), self.starts)
        return (self.draws @ sums) / (self.draws @ np.diff(np.append(self.starts, len(xy_px))))


def _beside(
    drawn: Float[np.ndarray, " d"], own: Float[np.ndarray, " d"]
) -> tuple[float | None, float, float]:
    """Return a value, its difference from the own one, and the standard error of that."""
    if not len(drawn):
        return None, 0.0, 0.0
    gain = drawn - own
    return float(drawn[0]), float(gain[0]), float(gain[1:].std())


def _multiple_correlation(covariance: Float[np.ndarray, "d k k"]) -> Float[np.ndarray, " d"]:
    """Return the correlation of the first variable with the best linear combination of the others."""
    of_first, together = covariance[:, 0, 1:], covariance[:, 1:, 1:]
    ridge = 1e-6 * np.trace(together, axis1=1, axis2=2)[:, None, None] + 1e-12
    weights = np.linalg.solve(together + ridge * np.eye(together.shape[1]), of_first[:, :, None])[:, :, 0]
    share = (weights * of_first).sum(axis=1) / np.maximum(covariance[:, 0, 0], 1e-12)
    return np.sqrt(np.clip(share, 0.0, 1.0))


def _ranks(values: Shaped[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
    """Return ranks of each column, from -0.5 to 0.5."""
    return (rankdata(values, axis=0) - 0.5) / len(values) - 0.5


def _darkness(fine: DensityMap, um_per_px: float) -> DensityMap:
    red = DensityMap(np.ascontiguousarray(fine.values[:, :, :1]), fine.step_px)
    difference = red.smoothed(_CELL_UM / um_per_px).values - red.smoothed(_AROUND_UM / um_per_px).values
    return DensityMap(difference / max(float(difference.std()), 1e-6), red.step_px)


def spacing_px(xy_px: Float[np.ndarray, "n 2"]) -> float:
    """Return the median distance to the nearest neighbour, in pixels; 0 of a single observation."""
    if len(xy_px) < 2:
        return 0.0
    some = np.random.default_rng(2).permutation(len(xy_px))[:2000]
    return float(np.median(neighbour_distances(xy_px, 1, some)))


def _blocks(xy_px: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, " n"]:
    """Return the number of each observation's square block; about :data:`BLOCKS` of them are occupied."""
    low, size = xy_px.min(axis=0), np.maximum(np.ptp(xy_px, axis=0), 1.0)
    side = float(np.sqrt(np.prod(size) / BLOCKS))
    block = _squares(xy_px - low, side)
    for _ in range(8):
        if block.max() + 1 >= 0.8 * BLOCKS or len(block) < 4 * (block.max() + 1):
            break
        side *= 0.85
        block = _squares(xy_px - low, side)
    return block


def _squares(xy_px: Float[np.ndarray, "n 2"], side: float) -> Int[np.ndarray, " n"]:
    """Return the number of the square in which each place lies; squares without one have no number."""
    column, row = np.floor(xy_px / side).astype(np.int64).T
    return np.unique(row * (column.max() + 1) + column, return_inverse=True)[1].reshape(-1)


def _untold(why: str) -> Alignment:
    return Alignment(Position(OWN, 1.0, 0.0), (), "cannot be told", why=why)


def _judged(own: Position, others: Sequence[Position]) -> Alignment:
    """Say which position is the best."""
    possible = [one for one in others if one.on_glass <= own.on_glass + MORE_GLASS]
    on_nuclei = own.darkness is not None and own.darkness >= max(DARKER, DARK_ERRORS * _error(others))
    darker = [one for one in possible if one.is_darker]
    fitting = [] if on_nuclei else [one for one in possible if one.fits_better(own)]
    if darker or fitting:
        if darker:
            better = max(darker, key=lambda one: one.darker)
        else:
            better = max(fitting, key=lambda one: one.gain)
            if better.gain <= 0:  # all of them for the glass alone
                better = min(fitting, key=lambda one: one.on_glass)
        return Alignment(own, tuple(others), "fits elsewhere", better)
    told = {um: [one for one in others if one.way.shift_um == um] for um in SHIFTS_UM}
    since = None
    for um in reversed(SHIFTS_UM):
        if not told[um] or not all(_is_worse(one, own) for one in told[um]):
            break
        since = um
    far = [one for one in others if one.way.kind == "turn" or one.way.shift_um == SHIFTS_UM[-1]]
    if on_nuclei or (far and np.mean([_is_worse(one, own) for one in far]) >= _MOSTLY):
        return Alignment(own, tuple(others), "fits", told_from_um=since)
    why = "counts follow the tissue here no better than elsewhere"
    return Alignment(own, tuple(others), "cannot be told", why=why)


def _error(others: Sequence[Position]) -> float:
    return max((one.darker_error for one in others), default=0.0)


def _is_worse(one: Position, own: Position) -> bool:
    """Return whether a position is worse than the own one beyond chance."""
    if one.on_glass >= own.on_glass + OFF_TISSUE:
        return True
    by_fit = one.fit is not None and -one.gain >= max(GAIN, TOLD * one.error)
    return by_fit or (one.darkness is not None and -one.darker >= max(DARKER, DARK_ERRORS * one.darker_error))
