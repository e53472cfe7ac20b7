"""What marks a region: an annotation, measured genes, or a number of the observations such as a stain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.biology.noise import halves
from prestige.biology.pair import Pair
from prestige.biology.space.regions import MIN_SIZE, SMOOTH, Region, check_places, region_of_mask
from prestige.errors import DataError, unknown
from prestige.genesets import match
from prestige.stats.space import large_enough, nearest, rows_of_samples


def region_of_annotation(pair: Pair, column: str, value: str) -> Region:
    """Return the region of the observations whose annotation is ``value``.

    Raises
    ------
    ConfigError
        When the column or the value is not there.
    DataError
        As :func:`region_of_mask`, or when the pair has no places.
    """
    check_places(pair)
    if column not in pair.obs.columns:
        raise unknown("column", column, [str(name) for name in pair.obs.columns], where="obs")
    values = pair.obs[column].astype(str).to_numpy().astype(np.str_)
    if value not in values:
        raise unknown("value", value, np.unique(values).tolist(), where=f"obs['{column}']")
    return region_of_mask(values == value, pair.xy_um, pair.sample_of, how=f"{column} '{value}'")


def region_of_genes(
    pair: Pair,
    genes: Sequence[str],
    *,
    share: float | None = None,
    smooth: int = SMOOTH,
    min_size: int = MIN_SIZE,
    seed: int = 0,
) -> Region:
    """Return the region in which measured genes are high; these genes are tested for nothing afterwards.

    The genes' standardised measured values are averaged, over genes and over an observation and its
    ``smooth`` nearest others.  Marked is what lies above the threshold that best splits these means in two
    (Otsu 1979), or the highest ``share`` of the observations.

    Only one half of the counts is looked at, the first of :func:`prestige.biology.noise.draw` with ``seed``,
    and the other half is left for tests (``Region.half_seed``).

    Raises
    ------
    DataError
        When none of the genes is in the panel, the share is not between 0 and 1, the pair has no places, or
        as :func:`region_of_mask`.
    """
    check_places(pair)
    names = tuple(match(genes, pair.genes).found.values())
    if not names:
        raise DataError("none of the genes is in the panel", where="region", expected=", ".join(genes))
    if share is not None and not 0 < share < 1:
        raise DataError(f"the share is {share}", where="region", expected="a number between 0 and 1")
    half = halves(pair, np.random.default_rng([seed, 3]))[0][:, [pair.genes.index(name) for name in names]]
    score = pair.of_genes(names).z(half).mean(axis=1, dtype=np.float64)

    def limit(scores: np.ndarray, _: np.ndarray) -> float:
        return _otsu(scores) if share is None else float(np.quantile(scores, 1 - share))

    how = f"high measured {', '.join(names)}"
    region = _region_above(pair, score, limit, smooth=smooth, min_size=min_size, how=how)
    return replace(region, half_seed=seed, defined_by=names)


def region_of_level(pair: Pair, column: str, above: float | None = None) -> Region:
    """Return the region in which a number of the observations is high, such as a stain of the image.

    The number is averaged over an observation and its 8 nearest others (``SMOOTH``).  Marked is what lies
    above ``above``, or above the threshold that best splits these means in two (Otsu 1979), in each sample by
    itself: stains differ from section to section.

    Raises
    ------
    ConfigError
        When the column is not there.
    DataError
        When it holds no numbers, or not everywhere, the pair has no places, or as :func:`region_of_mask`.
    """
    check_places(pair)
    if column not in pair.obs.columns:
        raise unknown("column", column, [str(name) for name in pair.obs.columns], where="obs")
    values = pd.to_numeric(pair.obs[column], errors="coerce").to_numpy(dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(
            f"{int((~np.isfinite(values)).sum())} values are no numbers",
            where=f"obs['{column}']",
            expected="a number for every observation",
            remedy="name a `value` instead of `above` where it is an annotation",
        )
    how = f"{column} above {'the threshold of Otsu' if above is None else f'{above:g}'}"

    def limit(scores: np.ndarray, sample_of: np.ndarray) -> np.ndarray:
        limits = np.full(len(scores), np.nan if above is None else above)
        if above is None:
            for _, rows in rows_of_samples(sample_of):
                limits[rows] = _otsu(scores[rows])
        return limits

    return _region_above(pair, values, limit, how=how)


def _region_above(
    pair: Pair,
    score: Float[np.ndarray, " n"],
    limit: Callable[[np.ndarray, np.ndarray], float | np.ndarray],
    *,
    how: str,
    smooth: int = SMOOTH,
    min_size: int = MIN_SIZE,
) -> Region:
    """Return the region where a score, averaged over neighbours, is above its limit."""
    kept, _ = large_enough(pair.sample_of, smooth + 1, "region")
    score, sample_of = score[kept], pair.sample_of[kept]
    if smooth:
        near = nearest(pair.xy_um[kept], sample_of, smooth)
        score = (score + score[near].sum(axis=1)) / (smooth + 1)
    if np.ptp(score) <= 0:
        raise DataError("what marks it does not vary", where=how, expected="values that mark a region")
    mask = np.zeros(len(pair), dtype=bool)
    mask[kept] = score > limit(score, sample_of)
    return region_of_mask(mask, pair.xy_um, pair.sample_of, smooth=smooth, min_size=min_size, how=how)


def _otsu(scores: np.ndarray) -> float:
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(scores))
