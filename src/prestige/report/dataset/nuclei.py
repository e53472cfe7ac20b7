"""The gene whose counts follow the nuclei most: its map shows whether table and image belong together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse import csr_matrix

from prestige.data.panel import scaled_to
from prestige.data.sample import Sample, has_counts
from prestige.data.together.density import density_map

WIDTH_UM = 25.0
"""Width of the tissue around an observation whose density is taken."""

FEWEST = 30
"""Observations with counts that a gene needs."""


@dataclass(frozen=True, eq=False)
class Concentrated:
    """One gene on the observations that were measured.

    Attributes
    ----------
    gene, correlation
        Its name, and Pearson's correlation of ``values`` with the density in red around the observations.
    values
        log(1 + counts, scaled to the median total) of the n measured observations.
    xy_um
        (n, 2) their places.
    """

    gene: str
    correlation: float
    values: Float[np.ndarray, " n"]
    xy_um: Float[np.ndarray, "n 2"]


def most_concentrated(sample: Sample) -> Concentrated | None:
    """Return the gene that is most concentrated where nuclei are dense; None where no gene varies.

    Nuclei take up haematoxylin, which absorbs red: the density in red stands for how dense they lie.
    """
    if not has_counts(sample):
        return None
    rows = sample.measured
    slide = sample.slide
    around = density_map(slide.pixels, WIDTH_UM / 5 / slide.um_per_px).smoothed(WIDTH_UM / slide.um_per_px)
    density = around.at(sample.xy_px[rows])[:, 0].astype(np.float64)
    totals = sample.obs["total_counts"].to_numpy(np.float64)[rows]
    scaled = scaled_to(sample.counts[rows], totals, float(np.median(totals[totals > 0])))
    scaled.data = np.log1p(scaled.data)
    correlation = _correlations(scaled, density)
    correlation[np.asarray((scaled > 0).sum(axis=0)).reshape(-1) < FEWEST] = -np.inf
    best = int(np.argmax(correlation))
    if not np.isfinite(correlation[best]):
        return None
    values = scaled[:, [best]].toarray().reshape(-1)
    return Concentrated(sample.genes[best], float(correlation[best]), values, sample.xy_um[rows])


def _correlations(values: csr_matrix, of: Float[np.ndarray, " n"]) -> Float[np.ndarray, " g"]:
    """Return Pearson's correlation of every column with ``of``; minus infinity where either is constant."""
    number = values.shape[0]
    centred = of - of.mean()
    mean = np.asarray(values.mean(axis=0)).reshape(-1)
    square = np.asarray(values.multiply(values).sum(axis=0)).reshape(-1) / number
    spread = np.sqrt(np.maximum(square - mean**2, 0.0)) * float(centred.std())
    covariance = np.asarray(values.T @ centred).reshape(-1) / number
    return np.divide(covariance, spread, out=np.full(len(mean), -np.inf), where=spread > 1e-9)
