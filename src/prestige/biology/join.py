"""Several pairs of measured and predicted expression as one: sections, and folds that tested them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy.sparse import csr_matrix, vstack

from prestige.biology.pair import Pair
from prestige.errors import DataError


def join(pairs: Sequence[Pair], folds: Sequence[int] | None = None) -> Pair:
    """Return all observations of several pairs, on the genes that all of them have.

    Training means and deviations of pairs from several folds are averaged, and the notes say so.  The
    pairs are of different observations.

    Parameters
    ----------
    folds
        The fold of each pair.  A section that several folds tested part by part is predicted by as many
        models, which need not agree: each part is then a sample of its own, "S1, fold 0", so that no
        correlation or structure runs across them, and the notes say so.  Left out, samples of one name
        are one.

    Raises
    ------
    DataError
        When there is none, they share no gene, their scales differ, or folds and pairs differ in number.
    """
    if folds is not None and len(folds) != len(pairs):
        raise DataError(f"{len(folds)} folds of {len(pairs)} pairs", where="join", expected="one each")
    if not pairs:
        raise DataError("there is no pair of measured and predicted expression", where="join")
    first = pairs[0]
    if len(pairs) == 1:
        return first
    genes = tuple(gene for gene in first.genes if all(gene in set(one.genes) for one in pairs[1:]))
    if not genes:
        raise DataError("the pairs share no gene", where="join", expected="predictions of one panel")
    if len({(one.total, one.mean_of) for one in pairs}) > 1:
        raise DataError("the pairs are on different scales", where="join", expected="one scale for all")
    pairs_of_genes = [one if one.genes == genes else one.of_genes(genes) for one in pairs]
    pairs_of_genes, apart = (pairs_of_genes, []) if folds is None else _apart(pairs_of_genes, folds)
    notes = list(dict.fromkeys(note for one in pairs_of_genes for note in one.notes))
    mean, differs = _average([one.train_mean for one in pairs_of_genes])
    std, _ = _average([one.train_std for one in pairs_of_genes])
    if differs:
        notes.append("training means and deviations are averaged over the folds that the observations are of")
    if apart:
        notes.append(
            f"{', '.join(apart)}: tested part by part by several folds, whose models differ, so what each "
            "fold tested is a sample of its own here"
        )
    return Pair(
        genes=genes,
        counts=csr_matrix(vstack([one.counts for one in pairs_of_genes], format="csr")),
        totals=np.concatenate([one.totals for one in pairs_of_genes]),
        predicted=np.concatenate([one.predicted for one in pairs_of_genes]),
        xy_um=np.concatenate([one.xy_um for one in pairs_of_genes]),
        sample_of=np.concatenate([one.sample_of for one in pairs_of_genes]),
        obs=pd.concat([one.obs for one in pairs_of_genes]),
        total=first.total,
        train_mean=mean,
        train_std=std,
        has_positions=all(one.has_positions for one in pairs_of_genes),
        mean_of=first.mean_of,
        notes=tuple(notes),
    )


def _apart(pairs: Sequence[Pair], folds: Sequence[int]) -> tuple[list[Pair], list[str]]:
    """Return the pairs with a name for each fold's part of a section, and the sections that have several."""
    of_section: dict[str, set[int]] = {}
    for pair, fold in zip(pairs, folds, strict=True):
        for name in np.unique(pair.sample_of.astype(np.str_)):
            of_section.setdefault(str(name), set()).add(fold)
    apart = sorted(name for name, tested in of_section.items() if len(tested) > 1)
    named = []
    for pair, fold in zip(pairs, folds, strict=True):
        names = [f"{name}, fold {fold}" if str(name) in apart else str(name) for name in pair.sample_of]
        named.append(replace(pair, sample_of=np.array(names)))
    return named, apart


def _average(values: Sequence[Float[np.ndarray, " _"] | None]) -> tuple[Float[np.ndarray, " _"] | None, bool]:
    """Return the mean of vectors, and whether they differ; None where one is not known."""
    known = [one for one in values if one is not None]
    if len(known) < len(values):
        return None, False
    stacked = np.stack(known)
    return stacked.mean(axis=0), bool((stacked != stacked[0]).any())
