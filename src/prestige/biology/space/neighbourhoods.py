"""Neighbourhoods of a region: rings around its boundary, and enrichment towards boundary or centre.

After SpNeigh (github.com/jinming-cheng/SpNeigh).  ``regions.py`` makes the region, ``gradients.py`` tests
expression along the distance from its boundary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from prestige.biology.noise import Drawn
from prestige.biology.pair import Pair
from prestige.biology.space.regions import Region, check_region
from prestige.errors import DataError

FAR = np.iinfo(np.int64).min
"""The ring of an observation that lies in none."""

RINGS = 3
"""Rings on each side of the boundary, up to the reach."""

_LEAST_GENES = 3


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """Rings around a boundary, and which genes are high near it or near the centre; descriptive.

    Attributes
    ----------
    rings
        As :func:`ring_means` gives it.
    table
        A row for each gene that does not define the region: its enrichment index towards ``boundary_`` (both
        sides, within reach) and ``centre_`` (inside), ``measured`` and ``predicted`` with counting noise.
    agreement
        A row for ``boundary`` and ``centre``: correlation over ``n_genes`` genes of the logarithms of the
        indices, ``predicted`` against a half of the measured counts, at that depth, and ``half`` against half
        of the counts.  NaN with fewer than 3 genes.
    width_um, max_um
        Of a ring, which is the weights' scale too, and the reach.
    """

    rings: pd.DataFrame
    table: pd.DataFrame
    agreement: pd.DataFrame
    width_um: float
    max_um: float


def neighbourhoods(pair: Pair, region: Region, drawn: Drawn, *, max_um: float) -> Neighbourhoods:
    """Return rings of a third of the reach, and the enrichment index of each gene, measured and predicted.

    Parameters
    ----------
    drawn
        Noise of this pair.  Where measured genes define the region their first half of the counts does, and
        predictions are compared with the second.
    max_um
        Reach on either side of the boundary, um.

    Raises
    ------
    DataError
        When the reach is not positive, the region is of other observations or nothing lies within reach.
    """
    check_region(pair, region)
    width_um = max_um / RINGS
    means = ring_means(pair, region, width_um=width_um, n_rings=RINGS)
    tested = [number for number, gene in enumerate(pair.genes) if gene not in region.defined_by]
    names = pd.Index([pair.genes[number] for number in tested], name="gene")
    weights = {
        "boundary": distance_weights(region, "boundary", scale_um=width_um, side="both"),
        "centre": distance_weights(region, "centre", scale_um=width_um),
    }
    weights["boundary"][~(np.abs(region.distance_um) <= max_um)] = np.nan
    first, second = drawn.measured_halves
    table, agreement = pd.DataFrame(index=names), {}
    sides = (pair.measured, drawn.predicted, drawn.predicted_halves[0], first, second)
    for where, weight in weights.items():
        measured, predicted, *halves = (enrichment_index(values[:, tested], weight) for values in sides)
        table[f"{where}_measured"], table[f"{where}_predicted"] = measured, predicted
        agreement[where] = _agreement(halves)
    return Neighbourhoods(means, table, pd.DataFrame(agreement).T, width_um, max_um)


def _agreement(indices: Sequence[np.ndarray]) -> dict[str, float]:
    """Return the correlation of the logarithms: of the prediction, and of the first half, with the second."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(np.stack(indices))
    logs = logs[:, np.isfinite(logs).all(axis=0)]
    n_genes = logs.shape[1]
    if n_genes < _LEAST_GENES or (np.ptp(logs, axis=1) < 1e-9).any():
        return {"predicted": float("nan"), "half": float("nan"), "n_genes": n_genes}
    r = np.corrcoef(logs)
    return {"predicted": float(r[0, 2]), "half": float(r[1, 2]), "n_genes": n_genes}


def rings(distance_um: Float[np.ndarray, " n"], width_um: float, n_rings: int) -> Int[np.ndarray, " n"]:
    """Return the ring of each observation: r lies r to r + 1 widths outside the boundary, negative inside.

    There are ``n_rings`` on each side; who lies in none of them has :data:`FAR`.

    Raises
    ------
    DataError
        When the width is not positive or there is no ring.
    """
    if not width_um > 0 or n_rings < 1:
        raise DataError(f"{n_rings} rings of {width_um} um", expected="at least one of a positive width")
    known = np.isfinite(distance_um)
    ring = np.full(len(distance_um), FAR)
    ring[known] = np.floor(distance_um[known] / width_um).astype(np.int64)
    return np.where((ring >= -n_rings) & (ring < n_rings), ring, FAR)


def ring_means(pair: Pair, region: Region, *, width_um: float, n_rings: int) -> pd.DataFrame:
    """Return mean log1p expression in each ring, measured and predicted, strays left out.

    A row for each ring with observations and gene: ``ring``, ``from_um``, ``to_um`` (negative inside),
    ``n``, ``gene``, ``measured``, ``predicted``.

    Raises
    ------
    DataError
        As :func:`rings`, or when the region is of other observations.
    """
    check_region(pair, region)
    ring = np.where(region.stray, FAR, rings(region.distance_um, width_um, n_rings))
    tables = []
    for number in np.unique(ring[ring != FAR]):
        rows = np.flatnonzero(ring == number)
        tables.append(
            pd.DataFrame(
                {
                    "ring": int(number),
                    "from_um": number * width_um,
                    "to_um": (number + 1) * width_um,
                    "n": len(rows),
                    "gene": list(pair.genes),
                    "measured": pair.measured[rows].mean(axis=0, dtype=np.float64),
                    "predicted": pair.predicted[rows].mean(axis=0, dtype=np.float64),
                }
            )
        )
    columns = ["ring", "from_um", "to_um", "n", "gene", "measured", "predicted"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def distance_weights(
    region: Region,
    towards: Literal["boundary", "centre"],
    *,
    scale_um: float,
    side: Literal["inside", "outside", "both"] = "inside",
) -> Float[np.ndarray, " n"]:
    """Return weights that fall with the distance from boundary or centre, ``exp(-(d / scale)^2 / 2)``.

    NaN where an observation is not on the side, is a stray, or its sample has no component; towards the
    centre there is only the inside.

    Raises
    ------
    DataError
        When the scale is not positive.
    """
    if not scale_um > 0:
        raise DataError(f"the scale is {scale_um} um", expected="a positive number")
    if towards == "centre":
        return np.exp(-0.5 * np.square(region.centre_um / scale_um))
    weight = np.exp(-0.5 * np.square(region.distance_um / scale_um))
    out = region.stray.copy()
    if side != "both":
        out |= region.inside != (side == "inside")
    return np.where(out, np.nan, weight)


def enrichment_index(
    values: Float[np.ndarray, "n g"], weights: Float[np.ndarray, " _"]
) -> Float[np.ndarray, " g"]:
    """Return each gene's weighted mean over its mean, over the observations that have a weight.

    Above 1 a gene is enriched where weights are high: SpNeigh's normalised spatial enrichment index.  NaN
    where a gene's mean is not positive.

    Raises
    ------
    DataError
        When values and weights differ in number, or no weight is positive.
    """
    if len(values) != len(weights):
        raise DataError(f"{len(weights)} weights for {len(values)} observations")
    rows = np.flatnonzero(np.isfinite(weights))
    if not (weights[rows] > 0).any():
        raise DataError("no observation has a positive weight", where="enrichment index")
    some = values[rows]
    mean = some.mean(axis=0, dtype=np.float64)
    weighted = weights[rows] @ some / weights[rows].sum()
    return np.divide(weighted, mean, out=np.full(len(mean), np.nan), where=mean > 0)
