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

    def sentences(self) -> list[str]:
        """Return what was found, a sentence each."""
        told = [_smoothing_sentence(self), _morans_sentence(self), _variance_sentence(self)]
        if self.smoothing.left_out:
            names = ", ".join(self.smoothing.left_out)
            told.append(f"Too small or too narrow to have a part in the smoothing length: {names}.")
        return told


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


def _smoothing_sentence(found: Structure) -> str:
    s = found.smoothing
    if found.verdict == "not judged":
        return f"Whether the prediction is over-smoothed is not judged: {s.why_not}."
    if found.verdict == "no structure measured":
        return "No structure in space beyond chance was measured, so nothing can be said of over-smoothing."
    if found.verdict == "no structure predicted":
        return "No structure predicted: no gene's prediction has any pattern in space."
    told = f"a Gaussian kernel of {s.length_um:.3g} um"
    told += (
        f" (90 % interval {s.low_um:.3g} to {s.high_um:.3g} um, {s.n_genes} genes)"
        if math.isfinite(s.low_um)
        else f" ({s.n_genes} genes; no interval: {s.n_blocks} blocks of tissue are too few)"
    )
    beside = ""
    if math.isfinite(found.halves.length_um):
        beside = f"; half of the measurement against the other half: {found.halves.length_um:.3g} um"
    if found.verdict == "over-smoothed":
        return (
            f"Over-smoothed: the prediction is as smooth as the measured tissue blurred by {told}, which "
            f"averages about {s.averaged:.0f} observations and takes {s.lost:.0%} of the structure between "
            f"neighbours{beside}."
        )
    if found.verdict == "not over-smoothed":
        return f"Not over-smoothed: the prediction is as smooth as the tissue blurred by {told}{beside}."
    return f"Whether the prediction is over-smoothed cannot be told: it is as smooth as under {told}{beside}."


def _morans_sentence(found: Structure) -> str:
    mean = found.table.filter(like="morans_i_").mean()
    if not np.isfinite(mean["morans_i_measured"]):
        return "Moran's I is not defined: no measured gene varies."
    ranks = found.table.filter(like="morans_i_").rank()
    with np.errstate(invalid="ignore"):
        r, beside = (
            ranks[f"morans_i_{a}"].corr(ranks[f"morans_i_{b}"])
            for a, b in (("half", "predicted_half"), ("half", "other_half"))
        )
    return (
        f"Moran's I, mean over genes: measured {mean['morans_i_measured']:.3f}, predicted with noise "
        f"{mean['morans_i_predicted']:.3f}. At half the depth: measured {mean['morans_i_half']:.3f}, "
        f"predicted {mean['morans_i_predicted_half']:.3f}, depth alone {mean['morans_i_depth']:.3f}; the "
        f"genes' order agrees to {r:.2f} (Spearman), that of the two halves of the measurement "
        f"to {beside:.2f}."
    )


def _variance_sentence(found: Structure) -> str:
    return (
        f"With noise the prediction has {found.variance_ratio:.2f} of the measured variance (median over "
        f"genes; half against half {found.variance_ratio_halves:.2f}); of the variance that is not counting "
        f"noise it has {found.signal_ratio:.2f}."
    )
