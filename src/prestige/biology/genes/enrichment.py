"""Which gene sets hold the well and the badly predicted genes: ranked enrichment of per-gene scores.

The panel is the background: a set's genes in the panel are compared with the panel's other genes, never
with genes that were not measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.biology.genes.activity import membership_of, network
from prestige.errors import DataError
from prestige.genesets import GeneSet

CAVEAT = (
    "Genes of a set are co-expressed, so their scores rise and fall together and these p values are too "
    "small (Wu and Smyth 2012): read them as an order of the sets, not as tests."
)

LEVEL = 0.05
"""Adjusted p at or below which a set is named in a sentence."""

_ZERO = 1e-9


@dataclass(frozen=True, eq=False)
class Enrichment:
    """Gene sets by how well their genes are predicted.

    Attributes
    ----------
    table
        A row for each set, best first: ``n_genes`` in the panel, ``mean_inside`` and ``mean_outside`` of the
        scores, ``t``, ``p`` and ``p_adjusted`` (for multiple testing: Benjamini and Hochberg over sets); and
        the same three with ``_residual`` behind, of membership beside the covariates in one regression (NaN
        without covariates, or where they say who is a member).
    n_genes
        Genes of the panel with a score, the background.
    left_out
        Genes without a score, or without a covariate.
    too_small
        A line for each set that has too few genes inside or outside.
    explained
        Share of the variance of the ranked scores that the covariates explain; NaN without covariates.
    covariates
        Their names.
    """

    table: pd.DataFrame
    n_genes: int
    left_out: tuple[str, ...]
    too_small: tuple[str, ...]
    explained: float
    covariates: tuple[str, ...]


def enrichment(
    scores: Float[np.ndarray, " _"],
    genes: Sequence[str],
    sets: Mapping[str, GeneSet],
    *,
    covariates: Mapping[str, Float[np.ndarray, " _"]] | None = None,
) -> Enrichment:
    """Rank gene sets by the scores of their genes.

    The scores are replaced by normal scores of their ranks, ``Phi^-1((rank - 1/2) / g)`` (Hazen's), and
    decoupler's univariate linear model gives the t value of membership: a comparison of the set's genes
    with the panel's other genes that one extreme gene cannot decide.  p values are two-sided of Student's t
    with g - 2 degrees of freedom.  The running sum of GSEA needs permutations of genes for a p value, which
    end at 1 over their number and are blind to the same thing (:data:`CAVEAT`).

    A score follows how much a gene is expressed and how well it is measured.  With ``covariates`` the normal
    scores are regressed on the covariates' normal scores, their squares and membership together (least
    squares over the genes of the panel), and the sets are ranked by the t value of membership in it too.  It
    is found from what the covariates leave of the scores and of membership (Frisch and Waugh 1933, Lovell
    1963): a set of highly expressed genes is compared with other such genes.  With p columns of
    covariates its degrees of freedom are g - 2 - p.  decoupler's model has one regressor, so this one is
    written out here.

    Parameters
    ----------
    scores
        (g,) one value for each gene, higher is better; a gene that is NaN is left out.
    genes, sets
        The g genes of the panel, and name -> gene set.
    covariates
        Name -> (g,) values, as mean expression and ceiling.  A gene with one that is not finite is left out.

    Raises
    ------
    DataError
        When scores, genes and covariates differ in number, or no gene has all of them.
    """
    given = dict(covariates or {})
    _check(scores, genes, given)
    known = np.isfinite(scores)
    for values in given.values():
        known &= np.isfinite(values)
    if not known.any():
        raise DataError("no gene has a score and all covariates", where="enrichment")
    left_out = tuple(gene for gene, has in zip(genes, known, strict=True) if not has)
    names = [gene for gene, has in zip(genes, known, strict=True) if has]
    scored, membership, too_small = membership_of(names, sets)
    known_scores = scores[known].astype(np.float64)
    ranked = _normal_scores(known_scores)
    table = pd.DataFrame(index=pd.Index(list(scored), name="set"))
    table["n_genes"] = membership.sum(axis=0).astype(np.int64)
    table["mean_inside"] = known_scores @ membership / membership.sum(axis=0)
    table["mean_outside"] = known_scores @ (1 - membership) / (1 - membership).sum(axis=0)
    members = {key: one.members for key, one in scored.items()}
    table = table.assign(**_tested(ranked, names, members))
    beside, explained = np.full(len(members), np.nan), float("nan")
    free = 1
    if given:
        design = _design([_normal_scores(values[known]) for values in given.values()])
        beside, free = _partial(ranked, membership, design)
        explained = _explained(ranked, design)
    table = table.assign(**_columns(beside, free, "_residual"))
    table = table.sort_values("t", ascending=False, kind="stable")
    return Enrichment(table, len(names), left_out, too_small, explained, tuple(given))


def _tested(
    values: Float[np.ndarray, " g"], genes: Sequence[str], members: Mapping[str, Sequence[str]]
) -> dict[str, np.ndarray]:
    """Return t, p and adjusted p of each set, NaN where the values do not vary."""
    if not members or np.ptp(values) < 1e-9:
        return _columns(np.full(len(members), np.nan), 1, "")
    import decoupler

    table = pd.DataFrame(values[None, :], columns=list(genes), index=["scores"])
    answer: Any = decoupler.mt.ulm(table, network(members), tmin=1, empty=False)
    t = answer[0].loc["scores", list(members)].to_numpy(np.float64)
    return _columns(t, len(genes) - 2, "")


def _columns(t: Float[np.ndarray, " s"], free: int, end: str) -> dict[str, np.ndarray]:
    """Return t, its two-sided p of Student's t, and that adjusted over the sets that have one."""
    from scipy.stats import false_discovery_control
    from scipy.stats import t as student

    p, adjusted = 2 * student.sf(np.abs(t), free), np.full(len(t), np.nan)
    known = np.isfinite(p)
    if known.any():
        adjusted[known] = false_discovery_control(p[known])
    return {f"t{end}": t, f"p{end}": p, f"p_adjusted{end}": adjusted}


def _normal_scores(values: Float[np.ndarray, " g"]) -> Float[np.ndarray, " g"]:
    """Return the normal quantiles of the ranks, ties at their mean rank."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    return ndtri((rankdata(values) - 0.5) / len(values))


def _design(covariates: Sequence[np.ndarray]) -> Float[np.ndarray, "g k"]:
    """Return orthonormal columns that span the constant, the covariates and their squares."""
    columns = [np.ones(len(covariates[0])), *covariates, *(np.square(one) for one in covariates)]
    left, size, _ = np.linalg.svd(np.stack(columns, axis=1), full_matrices=False)
    return left[:, size > _ZERO * size[0]]


def _partial(
    values: Float[np.ndarray, " g"], membership: Float[np.ndarray, "g s"], design: Float[np.ndarray, "g k"]
) -> tuple[Float[np.ndarray, " s"], int]:
    """Return the t value of each set's membership beside the design's columns, and its degrees of freedom.

    NaN where the design explains all of the values or of the membership, or no degree of freedom is left.
    """
    free = len(values) - design.shape[1] - 1
    rest = values - design @ (design.T @ values)
    rest_of_sets = membership - design @ (design.T @ membership)
    square, product = np.square(rest_of_sets).sum(axis=0), rest @ rest_of_sets
    total = float(np.square(rest).sum())
    known = square > _ZERO * membership.sum(axis=0)
    if free < 1 or total <= _ZERO * float(np.square(values).sum()):
        known = np.zeros_like(known)
    slope = np.divide(product, square, out=np.full(len(square), np.nan), where=known)
    error = np.sqrt(np.maximum(total - slope * product, _ZERO * total) / max(free, 1))
    return slope * np.sqrt(square) / np.where(known, error, np.nan), max(free, 1)


def _explained(values: Float[np.ndarray, " g"], design: Float[np.ndarray, "g k"]) -> float:
    """Return the share of the values' variance that the design explains, NaN where they do not vary."""
    spread = float(np.square(values - values.mean()).sum())
    left = float(np.square(values - design @ (design.T @ values)).sum())
    return 1.0 - left / spread if spread > 0 else float("nan")


def _check(scores: np.ndarray, genes: Sequence[str], covariates: Mapping[str, np.ndarray]) -> None:
    lengths = {"scores": len(scores), **{name: len(values) for name, values in covariates.items()}}
    for name, length in lengths.items():
        if length != len(genes):
            raise DataError(
                f"{length} values of '{name}' for {len(genes)} genes",
                where="enrichment",
                expected="one value for each gene of the panel",
            )
