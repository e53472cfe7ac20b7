"""The genes of a table: their symbols, and which of its features are no genes but controls."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool
from scipy.sparse import csr_matrix

from prestige.data.columns.gaps import OF_GENES, is_gap
from prestige.text import some

SYMBOLS = "gene_symbols"
"""The column of ``var`` that holds the symbols where there is one; else its names are taken."""

_TYPES = ("feature_types", "feature_type")
_GENE_TYPE = "gene expression"
_MOST_TYPES = 8  # told by name
_CONTROL = re.compile(
    r"""(?: neg(?:ative)?[-_ ]?(?:control|ctrl|prb|prob).* | negative[-_ ]?[0-9].*
    | (?:unassigned|deprecated)[-_ ]?codeword.* | deprecated_ens.* | blank[-_ ]?[0-9].*
    | __(?:ambiguous|no_feature|too_low_aqual|not_aligned|alignment_not_unique).*
    | (?:antisense|intergenic)[-_ ].+ | (?:system|genomic)[-_ ]?control.* | false[-_ ]?code.* )$""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, eq=False)
class Genes:
    """The features of a table.

    Attributes
    ----------
    names
        One a gene, in the order of the table.
    kept
        (f,) which of the table's f features are genes; None for all.
    notes
        What was left out, or named otherwise than its column says.
    """

    names: tuple[str, ...]
    kept: Bool[np.ndarray, " f"] | None
    notes: tuple[str, ...]

    def of(self, counts: csr_matrix) -> csr_matrix:
        """Return the columns of counts (n, f) that are genes."""
        if self.kept is None or counts.shape[1] != len(self.kept):  # the latter is told elsewhere
            return counts
        return csr_matrix(counts[:, np.flatnonzero(self.kept)])


def genes_of(var: pd.DataFrame) -> Genes:
    """Return the genes of a table: symbols, where it has them, without its controls.

    A symbol that is missing is filled by the name in the index, and so is one that several genes bear: which
    of them another table means by it cannot be told, and their counts are not those of one gene.  Negative
    control probes, codewords of no gene, blanks and antisense probes count noise: they are no genes, and no
    part of totals.  They are known by ``feature_types`` where it tells genes from others ("Gene Expression"),
    and by the names that the makers give them.
    """
    index = var.index.astype(str).to_numpy(dtype=object)
    names, notes = index.copy(), []
    if SYMBOLS in var.columns:
        symbols = var[SYMBOLS].astype(object).to_numpy(dtype=object)
        gaps = np.array([is_gap(symbol, OF_GENES) for symbol in symbols], dtype=bool)
        names = np.where(gaps, index, [str(symbol) for symbol in symbols])
        if gaps.any():
            notes.append(
                f"genes without a symbol in var['{SYMBOLS}'] are called by their row names: "
                f"{some(index[gaps].tolist())}"
            )
    controls = np.array([is_control(name) for name in names], dtype=bool)
    if SYMBOLS in var.columns:
        controls |= np.array([is_control(name) for name in index], dtype=bool)
    types = _other_types(var)
    by_name = controls & (types == "")
    controls |= types != ""
    if SYMBOLS in var.columns and (shared := _shared(names, ~controls)).any():
        symbols = sorted(set(names[shared].tolist()))
        notes.append(
            f"genes that share a symbol are called by their row names: {some(index[shared].tolist())}, "
            f"symbols {some(symbols)}"
        )
        names = np.where(shared, index, names)
    if not controls.any():
        return Genes(tuple(map(str, names)), None, tuple(notes))
    told = [f"{n:,} {kind}" for kind, n in Counter(types[types != ""].tolist()).most_common(_MOST_TYPES)]
    told += [some(names[by_name].tolist())] if by_name.any() else []
    notes.append(
        f"{', '.join(told)} of {len(names):,} features are controls or no genes: left out, of the totals too"
    )
    return Genes(tuple(map(str, names[~controls])), ~controls, tuple(notes))


def nameless(names: tuple[str, ...]) -> list[int]:
    """Return the columns whose gene has no name."""
    return [place for place, name in enumerate(names) if is_gap(name, OF_GENES)]


def are_numbered(names: tuple[str, ...]) -> bool:
    """Return whether genes have no names, only the numbers that a table without names gets: 0, 1, 2, ..."""
    return len(names) > 0 and names == tuple(str(place) for place in range(len(names)))


def is_control(name: object) -> bool:
    """Return whether a feature is a control by its name, as the makers of the platforms write it.

    Examples
    --------
    >>> [is_control(name) for name in ("NegControlProbe_00042", "BLANK_0006", "NEGR1", "BLNK")]
    [True, True, False, False]
    """
    return _CONTROL.match(str(name)) is not None


def _shared(names: np.ndarray, genes: Bool[np.ndarray, " f"]) -> Bool[np.ndarray, " f"]:
    """Say which features are genes whose name another gene bears too."""
    out = np.zeros(len(names), dtype=bool)
    out[genes] = pd.Index(names[genes]).duplicated(keep=False)
    return out


def _other_types(var: pd.DataFrame) -> np.ndarray:
    """Return the type of each feature that is stated not to be a gene, in a table that tells; else ''."""
    for column in _TYPES:
        if column in var.columns:
            stated = var[column].astype(object)
            words = ["" if is_gap(one, OF_GENES) else str(one).strip() for one in stated]
            types = np.array(words, dtype=object)
            is_gene = np.array([one.lower() == _GENE_TYPE for one in types], dtype=bool)
            if is_gene.any():
                return np.where(is_gene, "", types)
    return np.full(len(var), "", dtype=object)
