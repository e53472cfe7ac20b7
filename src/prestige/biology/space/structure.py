"""Structure in space: Moran's I and variance of every gene, the smoothing length, and the verdict on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.biology.space.smoothing import Smoothing, smoothing_length
from prestige.errors import DataError
from prestige.genesets import morans_i
from prestige.stats.space import covariance_within

AVERAGED = 7.0
"""Over-smoothed is what is as smooth as a mean of more observations than this, one and six around it, ..."""

LOST = 0.25
"""... by which the measured structure between neighbours loses more than this share."""

Verdict = Literal[
    "over-smoothed",
    "not over-smoothed",
    "undecided",
    "no structure predicted",
    "no structure measured",
    "not judged",
]


@dataclass(frozen=True, eq=False)
class Structure:
    """How far the structure of the measured tissue is in the prediction.

    Attributes
    ----------
    table
        One row a gene.  ``morans_i_*`` and ``variance_*`` of ``measured`` and ``predicted`` (with noise at
        the observed depth), and at half the depth of ``half``, ``other_half``, ``predicted_half`` and
        ``depth`` (the same shares everywhere, with noise: what depth and counting bring by themselves);
        ``signal_measured`` and ``signal_predicted``: the covariance of the two halves, which is the variance
        that is not counting noise.  Variances are within samples.
    smoothing
        The prediction against the measurement.
    halves
        One half of the measurement against the other: what this tissue and depth say where nothing is
        smoothed.
    verdict
        "over-smoothed" where the kernel that makes the tissue as smooth as the prediction averages more than
        :data:`AVERAGED` observations, also at the lower end of its interval, and takes more than :data:`LOST`
        of the structure; "not over-smoothed" where the upper end of either does not; "undecided" else.
        "not judged" where the tissue allows no smoothing length (``smoothing.why_not``).
    """

    table: pd.DataFrame
    smoothing: Smoothing
    halves: Smoothing
    verdict: Verdict

    @property
    def variance_ratio(self) -> float:
        """Median over genes of predicted (with noise) over measured variance; NaN where nothing varies."""
        return _median_ratio(self.table["variance_predicted"], self.table["variance_measured"])

    @property
    def variance_ratio_halves(self) -> float:
        """The same of one half of the measurement over the other."""
        return _median_ratio(self.table["variance_other_half"], self.table["variance_half"])

    @property
    def signal_ratio(self) -> float:
        """Predicted over measured variance that is not counting noise, of genes scaled to equal variance."""
        weight = 1 / self.table["variance_half"].replace(0.0, np.inf)
        below = float((self.table["signal_measured"] * weight).sum())
        return float((self.table["signal_predicted"] * weight).sum()) / below if below > 0 else math.nan

    @property
    def morans_order(self) -> tuple[float, float]:
        """Spearman's correlation over genes of Moran's I at half the depth.

        That of a half of the measurement with the prediction, and with the other half.
        """
        ranks = self.table.filter(like="morans_i_").rank()
        with np.errstate(invalid="ignore"):
            predicted, other = (
                float(ranks["morans_i_half"].corr(ranks[f"morans_i_{side}"]))
                for side in ("predicted_half", "other_half")
            )
        return predicted, other


def structure(pair: Pair, drawn: Drawn | None = None, *, seed: int = 0) -> Structure:
    """Compare the structure in space of measured and predicted expression.

    Moran's I is that of :func:`prestige.genesets.morans_i` (8 nearest neighbours within the sample).  For it
    and for variances the prediction carries noise (:mod:`prestige.biology.noise`), and since that follows the
    observed depth, what depth alone has stands beside; the smoothing length is
    :func:`prestige.biology.space.smoothing.smoothing_length`, which needs no noise, so depth has no part
    in it.

    Parameters
    ----------
    drawn
        What :func:`prestige.biology.noise.draw` gave for this pair; drawn with ``seed`` where it is left out.

    Raises
    ------
    DataError
        When the pair has no positions.
    """
    if not pair.has_positions:
        raise DataError(
            "the observations have no positions", where="structure", expected="places in um", remedy=_REMEDY
        )
    drawn = draw(pair, seed) if drawn is None else drawn
    half, other = drawn.measured_halves
    smoothing, halves = (
        _smoothing(pair, *both, seed=seed) for both in ((pair.measured, pair.predicted), (half, other))
    )
    sides = drawn.sides(pair)
    columns: dict[str, np.ndarray] = {"gene": np.array(pair.genes, dtype=object)}
    for name, values in sides.items():
        columns[f"morans_i_{name}"] = morans_i(values, pair.xy_um, pair.sample_of, seed=seed)
    for name, values in sides.items():
        columns[f"variance_{name}"] = covariance_within(values, values, pair.sample_of)
    columns["signal_measured"] = covariance_within(half, other, pair.sample_of)
    columns["signal_predicted"] = covariance_within(*drawn.predicted_halves, pair.sample_of)
    return Structure(pd.DataFrame(columns), smoothing, halves, verdict_of(smoothing))


def _smoothing(pair: Pair, measured: np.ndarray, predicted: np.ndarray, *, seed: int) -> Smoothing:
    try:
        return smoothing_length(measured, predicted, pair.xy_um, pair.sample_of, seed=seed)
    except DataError as error:  # too little tissue: Moran's I and variances need less
        return Smoothing.unknown(str(error))


_REMEDY = 'give the truth obsm["spatial"] in pixels and uns["um_per_px"]'


def verdict_of(smoothing: Smoothing) -> Verdict:
    """Return the verdict that a smoothing length and its interval allow."""
    if smoothing.why_not:
        return "not judged"
    if not smoothing.measured_structure:
        return "no structure measured"
    if not smoothing.n_genes:
        return "no structure predicted"
    limit = smoothing.spacing_um * math.sqrt(AVERAGED / (4 * math.pi))
    if smoothing.low_um > limit and smoothing.lost > LOST:
        return "over-smoothed"
    within = smoothing.high_um <= limit or smoothing.lost_high <= LOST
    return "not over-smoothed" if within else "undecided"


def _median_ratio(above: pd.Series, below: pd.Series) -> float:
    varies = below > 0
    return float((above[varies] / below[varies]).median()) if varies.any() else math.nan
