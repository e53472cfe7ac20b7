"""The questions of biology asked of two AnnData: predicted and measured expression of the same observations.

No run folder and no file is needed.  The measurement holds raw counts in ``X``, places in ``obsm["spatial"]``
and, where there are several, the section of each observation in ``obs["sample"]``; the prediction holds
expression in ``X``.  Observations and genes are matched by name.  What comes back are numbers: dataclasses
with tidy frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from prestige.biology.genes.activity import Activity, pathway_activity
from prestige.biology.genes.correlations import GeneCorrelations, gene_correlations
from prestige.biology.pair import Pair, pair_of_matched
from prestige.biology.space import domains as _domains
from prestige.biology.space import structure as _structure
from prestige.evaluate.matched import match_tables
from prestige.genesets import GeneSet

if TYPE_CHECKING:
    from anndata import AnnData


def pair_of(
    pred: AnnData, true: AnnData, *, scale: str | None = None, um_per_px: float | None = None
) -> Pair:
    """Return both sides as the pair that every question of this package takes.

    Parameters
    ----------
    pred
        Predictions, n observations x g genes.  ``uns["prestige"]`` of a prediction file of ours says on which
        scale they are.
    true
        Raw counts of these observations and at least these genes.  ``obs["total_counts"]`` are the counts
        over all measured genes, where ``X`` has not all of them; ``obs["measured"]`` may say which rows
        count.
    scale
        Of predictions from elsewhere: "log1p:TOTAL" (log1p of counts scaled to TOTAL), "log1p", "total:TOTAL"
        or "counts".
    um_per_px
        Micrometres per unit of ``obsm["spatial"]``; by default ``uns["um_per_px"]`` of the measurement.
        Without either, questions of space are refused.

    Raises
    ------
    ConfigError
        When the scale is not known, or named twice and differently.
    DataError
        When a gene or observation that is needed is missing, a name occurs twice, ``X`` of the measurement
        holds no counts or a prediction is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> from prestige import biology
    >>> counts = np.random.default_rng(0).poisson(3.0, (5, 4)).astype(np.float32)
    >>> pair = biology.pair_of(AnnData(np.log1p(counts)), AnnData(counts), scale="log1p:12")
    >>> len(pair), pair.genes, pair.has_positions
    (5, ('0', '1', '2', '3'), False)
    """
    return pair_of_matched(match_tables(pred, true, scale, um_per_px=um_per_px))


def structure(
    pred: AnnData,
    true: AnnData,
    *,
    scale: str | None = None,
    um_per_px: float | None = None,
    seed: int = 0,
) -> _structure.Structure:
    """Compare the structure in space: Moran's I and variance of each gene, smoothing length and verdict.

    Parameters
    ----------
    pred, true, scale, um_per_px
        As in :func:`pair_of`.
    seed
        Of the counting noise and the resamples.

    Raises
    ------
    ConfigError, DataError
        As :func:`pair_of`, and when there are no places.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> from prestige import biology
    >>> rng = np.random.default_rng(0)
    >>> xy_um = rng.uniform(0, 500, (600, 2))
    >>> mean = 20 * np.exp(np.sin(xy_um / 60) @ rng.normal(size=(2, 8)))
    >>> true = AnnData(rng.poisson(mean).astype(np.float32), obsm={"spatial": xy_um})
    >>> blind = AnnData(np.log1p(np.tile(mean.mean(axis=0), (600, 1))).astype(np.float32))
    >>> found = biology.structure(blind, true, scale="log1p", um_per_px=1.0)
    >>> found.verdict
    'no structure predicted'
    >>> sorted(found.table.columns)[:3]
    ['gene', 'morans_i_depth', 'morans_i_half']
    """
    return _structure.structure(pair_of(pred, true, scale=scale, um_per_px=um_per_px), seed=seed)


def correlations(
    pred: AnnData,
    true: AnnData,
    sets: Mapping[str, Sequence[str]] | None = None,
    *,
    scale: str | None = None,
    seed: int = 0,
) -> GeneCorrelations:
    """Compare the correlations between genes, over all genes and within sets.

    Parameters
    ----------
    pred, true, scale
        As in :func:`pair_of`; no places are needed.
    sets
        Name -> genes of further sets.
    seed
        Of the counting noise.

    Raises
    ------
    ConfigError, DataError
        As :func:`pair_of`, and when there are fewer than 3 genes.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> from prestige import biology
    >>> rng = np.random.default_rng(0)
    >>> mean = 20 * np.exp(rng.normal(size=(300, 2)) @ rng.normal(size=(2, 8)))
    >>> true = AnnData(rng.poisson(mean).astype(np.float32))
    >>> found = biology.correlations(AnnData(mean), true, {"first": list("01234")}, scale="counts")
    >>> found.measured.shape, list(found.table["set"])
    ((8, 8), ['all genes', 'first'])
    >>> bool(found.table["agreement"].min() > 0.9)
    True
    """
    return gene_correlations(pair_of(pred, true, scale=scale), sets, seed=seed)


def domains(
    pred: AnnData,
    true: AnnData,
    *,
    n_domains: int = _domains.N_DOMAINS,
    scale: str | None = None,
    um_per_px: float | None = None,
    block_um: float = 500.0,
    seed: int = 0,
) -> _domains.Domains:
    """Cluster neighbourhoods on each side by itself, and say how far the tissue domains agree.

    Parameters
    ----------
    pred, true, scale, um_per_px
        As in :func:`pair_of`.
    n_domains
        Clusters on each side.
    block_um
        Width of the spatial blocks that the confidence intervals resample, um.
    seed
        Of the counting noise and the clustering.

    Raises
    ------
    ConfigError, DataError
        As :func:`pair_of`, and when there are no places or too few observations.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> from prestige import biology
    >>> rng = np.random.default_rng(0)
    >>> xy_um = rng.uniform(0, 500, (600, 2))
    >>> mean = np.where(xy_um[:, :1] < 250, [30, 30, 5, 5], [5, 5, 30, 30])
    >>> true = AnnData(rng.poisson(mean).astype(np.float32), obsm={"spatial": xy_um})
    >>> pred = AnnData(mean.astype(np.float32))
    >>> found = biology.domains(pred, true, n_domains=2, scale="counts", um_per_px=1.0)
    >>> bool(found.ari > 0.9)
    True
    """
    pair = pair_of(pred, true, scale=scale, um_per_px=um_per_px)
    return _domains.domains(pair, n_domains=n_domains, block_um=block_um, seed=seed)


def activity(
    pred: AnnData,
    true: AnnData,
    sets: Mapping[str, Sequence[str]],
    *,
    scale: str | None = None,
    um_per_px: float | None = None,
    block_um: float = 500.0,
    seed: int = 0,
) -> Activity:
    """Compare the activity of pathways (univariate linear model), observation by observation.

    Parameters
    ----------
    pred, true, scale, um_per_px
        As in :func:`pair_of`.  Without places all of a sample is one block, and there are no intervals.
    sets
        Name -> genes; at least 5 of them inside and outside among the genes.
    block_um
        Width of the spatial blocks that the confidence intervals resample, um.
    seed
        Of the counting noise.

    Raises
    ------
    ConfigError, DataError
        As :func:`pair_of`.

    Examples
    --------
    >>> import numpy as np
    >>> from anndata import AnnData
    >>> from prestige import biology
    >>> rng = np.random.default_rng(0)
    >>> mean = np.full((300, 12), 20.0)
    >>> mean[:, :6] *= np.exp(rng.normal(size=(300, 1)))
    >>> true = AnnData(rng.poisson(mean).astype(np.float32))
    >>> found = biology.activity(AnnData(mean), true, {"first": list("012345")}, scale="counts")
    >>> bool(found.table.loc["first", "predicted"] > 0.8)
    True
    """
    pair = pair_of(pred, true, scale=scale, um_per_px=um_per_px)
    named = {name: GeneSet(name, tuple(genes), "given") for name, genes in sets.items()}
    return pathway_activity(pair, named, block_um=block_um, seed=seed)
