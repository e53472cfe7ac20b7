"""Expression along the distance from a boundary: splines, and p values that respect spatial autocorrelation.

Neighbouring observations are alike, so a gene and a distance that have nothing to do with each other
go together far more often than with independent observations.  The test therefore takes random shifts of
the region as a whole (``random_shifts.py``): its map of distances is shifted, turned and mirrored over the
tissue, and each time the gene is asked the same question.  Both keep their own autocorrelation; only what
ties them to each other is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int

from prestige.biology.noise import Drawn, depth_alone, draw, noisy
from prestige.biology.pair import Pair
from prestige.biology.space.random_shifts import Chart
from prestige.biology.space.regions import Region, check_places, check_region
from prestige.biology.space.splines import NaturalSpline
from prestige.errors import DataError
from prestige.stats.space import rows_of_samples

KNOTS = 5
"""Knots of the natural cubic spline; it has one degree of freedom fewer."""

PERMUTATIONS = 999
LEVEL = 0.05
"""Adjusted p at or below which a gene counts as changing."""

_POINTS = 50  # of a curve
_BATCH = 16
_TRIES = 20
_NUMBERS = 1 << 21  # centred in one piece


@dataclass(frozen=True, eq=False)
class Gradients:
    """Genes along the distance from a boundary, measured and predicted.

    Attributes
    ----------
    table
        A row for each tested gene, by measured p.  For ``measured``, ``predicted`` (as it is), ``noisy``
        (with counting noise) and ``depth`` (the same shares everywhere with noise: what a depth that changes
        along the distance brings by itself): ``share_`` of the variance within reach that the spline
        explains, ``p_`` and ``p_adjusted_`` (for multiple testing: Benjamini and Hochberg); ``curves`` is the
        correlation of measured and predicted curve.  Where counts define the region, all are of the half of
        the counts that did not, or at half the depth, but for the prediction as it is.
    distance_um
        (m,) distances of the curves, negative inside.
    curves
        ``measured`` and ``predicted`` -> (m, genes in the order of ``genes``) the splines.
    genes
        The tested genes, in the panel's order.
    n_obs
        Observations within reach.
    max_um
        The reach on either side.
    permutations
        Random shifts of the region.
    region
        Around which they were looked for.
    """

    table: pd.DataFrame
    distance_um: Float[np.ndarray, " m"]
    curves: Mapping[str, Float[np.ndarray, "m g"]]
    genes: tuple[str, ...]
    n_obs: int
    max_um: float
    permutations: int
    region: Region


def gradients(
    pair: Pair,
    region: Region,
    *,
    max_um: float,
    permutations: int = PERMUTATIONS,
    drawn: Drawn | None = None,
    seed: int = 0,
) -> Gradients:
    """Fit a natural cubic spline of the distance from the boundary to every gene and test it.

    The spline (Hastie, Tibshirani and Friedman 2009, section 5.2.1, knots at quantiles from 5 to 95 %) is
    fitted to the observations within ``max_um`` of the boundary, with an intercept for each sample.  The
    statistic is its F.  In each of the permutations the map of signed distances is shifted by a random vector
    over the bounding box of the sample (what leaves on one side enters on the other), mirrored and turned
    by half turns, each sample by itself, and F is computed anew with the observations that are then within
    reach.  ``p = (1 + count of F at least as large) / (1 + permutations)``.  The same shifts serve all genes
    and all versions.  This is the random shift of Lotwick and Silverman (1982, JRSS B 44), for a map in the
    place of a point pattern; it takes a tissue that is of one kind where the region could lie, and it is
    only nearly exact, since map and tissue do not continue across the edges.

    The genes that define the region are not tested.  Where measured counts define it, the others are tested
    on the half of the counts that did not (``Region.half_seed``): counts of an observation share its total,
    so what is high by chance in some genes is low in the others.

    Parameters
    ----------
    max_um
        Reach on either side of the boundary, um.
    permutations, seed
        How many random shifts of the region, and their seed.
    drawn
        Noise of this pair, where it is drawn already.

    Raises
    ------
    DataError
        When a number is out of range, the pair has no places, the region is of other observations,
        or too few observations are within reach.
    """
    check_places(pair)
    check_region(pair, region)
    if not max_um > 0 or permutations < 1:
        raise DataError(f"reach {max_um} um, {permutations} permutations", where="gradients")
    tested = [number for number, name in enumerate(pair.genes) if name not in region.defined_by]
    rng = np.random.default_rng([seed, 1])  # of the shifts, which are the same whatever the noise
    values = _versions(pair, region, drawn, seed)
    near = (np.abs(region.distance_um) <= max_um) & ~region.stray
    if near.sum() < 10 * KNOTS:
        raise DataError(
            f"{int(near.sum())} observations within {max_um} um of the boundary",
            where="gradients",
            expected=f"at least {10 * KNOTS}",
            remedy="widen the reach",
        )
    if not tested:
        raise DataError("all genes define the region", where="gradients", expected="genes that are tested")
    spline = NaturalSpline.of(region.distance_um[near], KNOTS)
    charts = [Chart.of(pair.xy_um[rows], region.distance_um[rows], ~region.stray[rows], region.spacing_um)
               for rows in _rows(pair, region)]  # fmt: skip
    samples = [_centred(list(values.values()), rows, tested) for rows in _rows(pair, region)]
    squares = [np.square(values_of_sample) for values_of_sample in samples]
    observed, share = _statistic(samples, squares, [[chart.distance for chart in charts]], spline, max_um)
    count = np.zeros(observed.shape[1])
    least = near.sum() / 2
    for start in range(0, permutations, _BATCH):
        some = [_shifted(charts, max_um, least, rng) for _ in range(min(_BATCH, permutations - start))]
        at_random = _statistic(samples, squares, some, spline, max_um)[0]
        count += (at_random >= observed * (1 - 1e-9)).sum(axis=0)
    p = ((1 + count) / (1 + permutations)).reshape(len(values), -1)
    low, high = np.quantile(region.distance_um[near], (0.01, 0.99))
    grid = np.linspace(low, high, _POINTS)
    curves = {
        name: spline.curve(
            region.distance_um[near], values[name][near][:, tested], pair.sample_of[near], grid
        )
        for name in ("measured", "predicted")
    }
    names = tuple(pair.genes[number] for number in tested)
    table = _table(names, list(values), share[0].reshape(len(values), -1), p, curves)
    return Gradients(table, grid, curves, names, int(near.sum()), max_um, permutations, region)


def _versions(pair: Pair, region: Region, drawn: Drawn | None, seed: int) -> dict[str, np.ndarray]:
    """Return what is tested: all counts, or the half of them that does not define the region."""
    if (half := region.half_seed) is None:
        from_seed = seed if drawn is None else drawn.seed
        return {
            "measured": pair.measured,
            "predicted": pair.predicted,
            "noisy": noisy(pair, np.random.default_rng(seed)) if drawn is None else drawn.predicted,
            "depth": noisy(depth_alone(pair), np.random.default_rng([from_seed, 4])),
        }
    made = drawn if drawn is not None and drawn.seed == half else draw(pair, half)
    return {
        "measured": made.measured_halves[1],
        "predicted": pair.predicted,
        "noisy": made.predicted_halves[0],
        "depth": made.depth_half,
    }


def _rows(pair: Pair, region: Region) -> list[Int[np.ndarray, " m"]]:
    """Return the rows of each sample that has a component."""
    return [
        rows for _, rows in rows_of_samples(pair.sample_of) if np.isfinite(region.distance_um[rows]).any()
    ]


def _shifted(
    charts: Sequence[Chart], max_um: float, least: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """Return one shift of all samples; drawn again where it leaves too few observations within reach."""
    shifts = [chart.shifted(rng) for chart in charts]
    for _ in range(_TRIES):
        if sum(int((np.abs(one) <= max_um).sum()) for one in shifts) >= least:
            break
        shifts = [chart.shifted(rng) for chart in charts]
    return shifts


def _centred(
    versions: Sequence[np.ndarray], rows: Int[np.ndarray, " m"], tested: Sequence[int]
) -> Float32[np.ndarray, "m c"]:
    """Return the tested genes of all versions side by side, less their means over the rows.

    In blocks of rows, so that nothing but the result is as large as it.
    """
    g = len(tested)
    out = np.empty((len(rows), g * len(versions)), dtype=np.float32)
    step = max(1, _NUMBERS // g)
    for number, values in enumerate(versions):
        block = out[:, number * g : (number + 1) * g]
        for start in range(0, len(rows), step):
            block[start : start + step] = values[rows[start : start + step]][:, tested]
        mean = block.mean(axis=0, dtype=np.float64)
        for start in range(0, len(rows), step):
            block[start : start + step] = block[start : start + step] - mean
    return out


def _statistic(
    samples: Sequence[np.ndarray],
    squared: Sequence[np.ndarray],
    shifts: Sequence[Sequence[np.ndarray]],
    spline: NaturalSpline,
    max_um: float,
) -> tuple[Float[np.ndarray, "d c"], Float[np.ndarray, "d c"]]:
    """Return F of the spline and its share of the variance, for each shift and column of the values."""
    d, c, width = len(shifts), samples[0].shape[1], len(spline.mean)
    gram, cross = np.zeros((d, width, width)), np.zeros((d, width, c))
    total, n_obs, n_means = np.zeros((d, c)), np.zeros(d), np.zeros(d)
    for number, values in enumerate(samples):
        design = np.zeros((len(values), d, width + 1), dtype=np.float32)
        for k, shift in enumerate(shifts):
            near = np.abs(shift[number]) <= max_um  # NaN is not
            design[near, k, 0] = 1.0
            design[near, k, 1:] = spline(shift[number][near])
        flat = design.reshape(len(values), -1)
        sums = (flat.T @ values).astype(np.float64).reshape(d, width + 1, c)
        squares = (design[:, :, 0].T @ squared[number]).astype(np.float64)
        for k in range(d):
            one = design[:, k].astype(np.float64)
            products = one.T @ one
            n = products[0, 0]
            if n < 2:
                continue
            gram[k] += products[1:, 1:] - np.outer(products[0, 1:], products[0, 1:]) / n
            cross[k] += sums[k, 1:] - np.outer(products[0, 1:] / n, sums[k, 0])
            total[k] += squares[k] - sums[k, 0] ** 2 / n
            n_obs[k] += n
            n_means[k] += 1
    inverse = np.linalg.pinv(gram, rcond=1e-8, hermitian=True)
    explained = np.einsum("dic,dij,djc->dc", cross, inverse, cross)
    share = np.divide(
        explained, total, out=np.zeros((d, c)), where=total > 1e-9 * np.maximum(n_obs, 1)[:, None]
    )
    share = np.clip(share, 0.0, 1 - 1e-12)
    free = np.maximum(n_obs - n_means - width, 1.0)[:, None]
    return share / (1 - share) * free / width, share


def _table(
    names: tuple[str, ...],
    kinds: Sequence[str],
    share: np.ndarray,
    p: np.ndarray,
    curves: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    from scipy.stats import false_discovery_control

    from prestige.metrics import pearson

    table = pd.DataFrame(index=pd.Index(names, name="gene"))
    for number, kind in enumerate(kinds):
        table[f"share_{kind}"] = share[number]
        table[f"p_{kind}"] = p[number]
        table[f"p_adjusted_{kind}"] = np.asarray(false_discovery_control(p[number]))
    table["curves"] = pearson(curves["predicted"], curves["measured"])
    return table.sort_values(["p_measured", "share_measured"], ascending=[True, False], kind="stable")
