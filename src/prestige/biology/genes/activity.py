"""Pathway activity of each observation, measured and predicted, and how far the two agree.

The activity of a gene set in an observation is the t value of a univariate linear model (ULM; Badia-i-Mompel
et al. 2022, Bioinformatics Advances 2, doi:10.1093/bioadv/vbac016): the observation's expression of the
g genes of the panel, each standardised by training data, regressed on membership of the set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int

from prestige.biology.agreement import COMPARISONS, Mean, agreement, mean_agreement, moments, versions
from prestige.biology.noise import Drawn
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.genesets import MIN_GENES, GeneSet, PanelSet, score_sets
from prestige.stats.moments import Moments, spatial_blocks

KEPT = 6
"""Pathways whose activity is kept for maps."""

_ALIKE = 0.5  # sets that share more of their genes (Jaccard) make the same map
_FLAT = 1e-6  # spread of an observation's genes below which none stands out
_NEAR_ONE = 1e-7  # 1 - r^2 is at least this in single precision


@dataclass(frozen=True, eq=False)
class Activity:
    """Activity of the pathways of a panel: how far measured and predicted agree.

    A t value grows beyond bounds as noise vanishes, so the activity of a prediction without noise has a
    longer tail than a measured one has, and may correlate less with it than that of the same prediction
    with noise.

    Attributes
    ----------
    table
        A row for each pathway with its number of genes in the panel (``n_genes``) and the correlations of
        :data:`~prestige.biology.agreement.COMPARISONS` (``predicted``, ``noisy``, ``noisy_half``,
        ``halves``), within samples and averaged over them; ``n_constant`` counts samples in which the
        predicted activity is constant (they count 0), ``n_samples`` those in which the measured one varies.
    means
        Comparison -> mean over pathways, with its interval.
    maps
        Pathway -> (n, 2) activity of each observation, measured and predicted as it is.
    too_small
        A line for each set that has too few genes in the panel, and for each that is the whole panel.
    moments
        Comparison -> sums over spatial blocks, for the interval of any choice of pathways
        (:func:`~prestige.biology.agreement.mean_agreement`).
    notes
        What is to be said beside it.
    """

    table: pd.DataFrame
    means: Mapping[str, Mean]
    maps: Mapping[str, Float32[np.ndarray, "n 2"]]
    too_small: tuple[str, ...]
    moments: Mapping[str, Moments]
    notes: tuple[str, ...]


def ulm(z: Float[np.ndarray, "n _"], membership: Float[np.ndarray, "g s"]) -> Float32[np.ndarray, "n s"]:
    """Return the t value of each observation's genes regressed on membership of each set.

    With r the correlation over genes between an observation and a column of ``membership``,
    ``t = r sqrt((g - 2) / (1 - r^2))``, two-sided in principle: positive where the set's genes stand out
    above the others.  These are the values of ``decoupler.mt.ulm``, without its p values; in single
    precision.

    Parameters
    ----------
    z
        Expression standardised gene by gene.  A row whose genes are all alike gets 0.
    membership
        1 for a member and 0 for the others, or any weights that are not all the same.

    Raises
    ------
    DataError
        When genes differ in number or are fewer than 3, or a set weighs all genes alike.
    """
    n_genes = len(membership)
    if z.shape[1] != n_genes or n_genes < 3:
        raise DataError(
            f"expression of {z.shape[1]} genes, sets over {n_genes}", expected="the same genes, at least 3"
        )
    weights = membership - membership.mean(axis=0)
    norm = np.sqrt(np.square(weights).sum(axis=0))
    if (norm < 1e-9).any():
        raise DataError("a set weighs all genes of the panel alike", expected="genes outside each set")
    rows = z.astype(np.float32)  # a copy that may be changed in place
    rows -= rows.mean(axis=1, dtype=np.float64, keepdims=True).astype(np.float32)
    length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    flat = length <= _FLAT * np.sqrt(n_genes)
    rows /= np.where(flat, 1.0, length).astype(np.float32)[:, None]
    rows[flat] = 0.0
    r = rows @ (weights / norm).astype(np.float32)
    rest = 1.0 - np.square(r)
    np.maximum(rest, np.float32(_NEAR_ONE), out=rest)
    rest /= np.float32(n_genes - 2)
    return np.divide(r, np.sqrt(rest, out=rest), out=r)


def membership_of(
    genes: Sequence[str], sets: Mapping[str, GeneSet], min_genes: int = MIN_GENES
) -> tuple[dict[str, PanelSet], Float[np.ndarray, "g s"], tuple[str, ...]]:
    """Return the sets that can be scored, their membership matrix, and a line for each that cannot.

    Left out are sets with fewer than ``min_genes`` genes in the panel, or fewer than that outside the set.

    Raises
    ------
    DataError
        When a symbol stands in the panel twice.
    """
    of_panel = score_sets(genes, sets, min_genes)
    large = {key for key, one in of_panel.items() if one.scored and len(genes) - len(one.members) < min_genes}
    scored = {key: one for key, one in of_panel.items() if one.scored and key not in large}
    too_small = [one.text for one in of_panel.values() if not one.scored]
    too_small += [
        f"{key}: has fewer than {min_genes} genes of the panel outside" for key in of_panel if key in large
    ]
    matrix = np.zeros((len(genes), len(scored)))
    for column, one in enumerate(scored.values()):
        matrix[one.index, column] = 1.0
    return scored, matrix, tuple(too_small)


def pathway_activity(
    pair: Pair,
    sets: Mapping[str, GeneSet],
    *,
    block_um: float = 500.0,
    drawn: Drawn | None = None,
    seed: int = 0,
) -> Activity:
    """Compare the measured and the predicted activity of pathways, observation by observation.

    Memory: the pair's values in six versions and blocks of rows; the activities themselves are never held
    all at once.

    Parameters
    ----------
    sets
        Name -> gene set.
    block_um
        Width of the spatial blocks of the intervals, um.
    drawn, seed
        Noise and halves of this pair, where they are drawn already; or their seed.
    """
    scored, matrix, too_small = membership_of(pair.genes, sets)
    if not scored:
        return Activity(_empty(), {}, {}, too_small, {}, ())
    held = versions(pair, drawn, seed)

    def columns(rows: Int[np.ndarray, " r"]) -> dict[str, np.ndarray]:
        return {name: ulm(pair.z(values[rows]), matrix) for name, values in held.items()}

    sums = moments(columns, list(scored), pair.sample_of, spatial_blocks(pair.xy_um, block_um))
    table = _table(scored, sums)
    kept = _chosen(table, scored)
    index = [list(scored).index(name) for name in kept]
    both = [ulm(pair.z(held[name]), matrix[:, index]) for name in ("measured", "predicted")]
    maps = {name: np.stack([one[:, i] for one in both], axis=1) for i, name in enumerate(kept)}
    means = {name: mean_agreement(one, patient_of=pair.patient_of, seed=seed) for name, one in sums.items()}
    return Activity(table, means, maps, too_small, sums, tuple(pair.notes))


def network(members: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return sets as the long table that decoupler takes: source, target and a weight of 1."""
    pairs = [(name, gene, 1.0) for name, genes in members.items() for gene in genes]
    return pd.DataFrame(pairs, columns=["source", "target", "weight"])


def _table(scored: Mapping[str, PanelSet], sums: Mapping[str, Moments]) -> pd.DataFrame:
    table = pd.DataFrame(
        {"n_genes": [len(one.members) for one in scored.values()]}, index=pd.Index(list(scored), name="set")
    )
    of = {name: agreement(one) for name, one in sums.items()}
    for name, one in of.items():
        table[name] = one.value
    return table.assign(n_samples=of["predicted"].n_samples, n_constant=of["predicted"].n_constant)


def _empty() -> pd.DataFrame:
    columns = ["n_genes", *COMPARISONS, "n_samples", "n_constant"]
    return pd.DataFrame(columns=columns, index=pd.Index([], name="set"))


def _chosen(table: pd.DataFrame, scored: Mapping[str, PanelSet]) -> list[str]:
    """Return pathways whose halves agree best and that share few genes, which looks at no prediction."""
    ranked = table["halves"].dropna().sort_values(ascending=False, kind="stable").index
    kept: list[str] = []
    for name in ranked:
        members = set(scored[name].members)
        others = [set(scored[one].members) for one in kept]
        if len(kept) < KEPT and all(len(members & one) <= _ALIKE * len(members | one) for one in others):
            kept.append(str(name))
    return kept
