"""Gene symbols of a set found among those of a panel, and which sets a panel can score."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import yaml
from jaxtyping import Int

from prestige.errors import DataError
from prestige.genesets.gmt import GeneSet
from prestige.genesets.settings import MIN_GENES


@dataclass(frozen=True)
class Match:
    """Which genes of the panel are meant by some wanted symbols.

    Attributes
    ----------
    found
        Wanted symbol -> symbol of the panel, in the wanted order; no panel gene twice.
    missing
        Wanted symbols that the panel does not have, or that mean several of its genes.
    repeated
        Wanted symbol -> symbol of the panel, for further names of a gene that is found already
        (``CD20`` beside ``MS4A1``).
    """

    found: Mapping[str, str]
    missing: tuple[str, ...]
    repeated: Mapping[str, str]


class PanelNames:
    """The symbols of a panel, looked up exactly, without regard to case, and by gene.

    Raises
    ------
    DataError
        When a symbol stands in the panel twice.
    """

    def __init__(self, panel: Iterable[str]) -> None:
        self.panel = tuple(panel)
        self.exact = {name: (name,) for name in self.panel}
        if len(self.exact) != len(self.panel):
            twice = next(name for name in self.panel if self.panel.count(name) > 1)
            raise DataError(f"the gene '{twice}' stands in the panel twice", expected="every gene once")
        self.by_case: dict[str, tuple[str, ...]] = {}
        self.by_gene: dict[str, tuple[str, ...]] = {}
        for name in self.panel:
            folded, gene = name.casefold(), _gene(name)
            self.by_case[folded] = (*self.by_case.get(folded, ()), name)
            self.by_gene[gene] = (*self.by_gene.get(gene, ()), name)


@dataclass(frozen=True, eq=False)
class PanelSet:
    """A gene set as a panel has it.

    Attributes
    ----------
    gene_set
        The set as it was wanted.
    match
        What was found of it, and what was not.
    members, index
        Symbols and positions of the m genes found, in the panel's order.
    min_genes
        With fewer genes the set is too small to be scored.
    """

    gene_set: GeneSet
    match: Match
    members: tuple[str, ...]
    index: Int[np.ndarray, " m"]
    min_genes: int

    @property
    def scored(self) -> bool:
        """Whether the set has enough genes in the panel."""
        return len(self.members) >= self.min_genes

    @property
    def text(self) -> str:
        """One line for the report: how many genes were found, and whether they suffice."""
        wanted = len(self.gene_set.genes) - len(self.match.repeated)
        line = f"{self.gene_set.name}: {len(self.members)} of {wanted} genes in the panel"
        return line if self.scored else f"{line}, too small to be scored (at least {self.min_genes})"


def match(genes_wanted: Iterable[str], panel: Sequence[str] | PanelNames) -> Match:
    """Find wanted genes in a panel: exactly, then without regard to case, then by another name.

    The steps are taken for all genes in turn, so an exact match is never lost to a nearer name of
    another gene.  Case joins human and mouse symbols (``CD3E``, ``Cd3e``).  Other names come from
    :func:`aliases` and hold both ways: the panel may have the old symbol and the set the new one.

    Parameters
    ----------
    genes_wanted
        Symbols; one that is given twice counts once.
    panel
        The panel's symbols, or :class:`PanelNames` where many sets meet one panel.

    Raises
    ------
    DataError
        When a symbol stands in the panel twice.
    """
    names = panel if isinstance(panel, PanelNames) else PanelNames(panel)
    wanted = tuple(dict.fromkeys(genes_wanted))
    steps: tuple[tuple[Callable[[str], str], Mapping[str, tuple[str, ...]]], ...] = (
        (str, names.exact),
        (str.casefold, names.by_case),
        (_gene, names.by_gene),
    )
    found: dict[str, str] = {}
    used: set[str] = set()
    for key, table in steps:
        for name in wanted:
            free = [] if name in found else [one for one in table.get(key(name), ()) if one not in used]
            if len(free) == 1:  # several would be a guess
                found[name] = free[0]
                used.add(free[0])
    left = [name for name in wanted if name not in found]
    repeated = {name: names.by_gene[_gene(name)][0] for name in left if _is_used(name, names, used)}
    return Match(
        found={name: found[name] for name in wanted if name in found},
        missing=tuple(name for name in left if name not in repeated),
        repeated=repeated,
    )


def score_sets(
    panel: Sequence[str], sets: Mapping[str, GeneSet], min_genes: int = MIN_GENES
) -> dict[str, PanelSet]:
    """Find every set in a panel and say which can be scored.

    A set with fewer than ``min_genes`` genes in the panel is in the answer too, with ``scored``
    False: the report names it as too small.

    Raises
    ------
    DataError
        When a symbol stands in the panel twice.
    """
    names = PanelNames(panel)
    place = {name: position for position, name in enumerate(names.panel)}
    found = {}
    for key, one in sets.items():
        matched = match(one.genes, names)
        index = np.sort(np.array([place[name] for name in matched.found.values()], dtype=np.int64))
        members = tuple(names.panel[position] for position in index)
        found[key] = PanelSet(one, matched, members, index, min_genes)
    return found


def names_of(table: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return other name -> approved symbol, both without case, from approved symbol -> other names.

    A name of two genes, and one that is an approved symbol itself, is ambiguous and left out.
    """
    approved = {symbol.casefold() for symbol in table}
    genes: dict[str, set[str]] = {}
    for symbol, others in table.items():
        for other in others:
            genes.setdefault(other.casefold(), set()).add(symbol.casefold())
    return {
        other: next(iter(symbols))
        for other, symbols in genes.items()
        if len(symbols) == 1 and other not in approved
    }


@cache
def aliases() -> Mapping[str, str]:
    """Return other name -> approved symbol of the shipped table (HGNC), both without case."""
    text = files("prestige.genesets").joinpath("aliases.yaml").read_text(encoding="utf-8")
    return names_of(yaml.safe_load(text))


def _gene(name: str) -> str:
    folded = name.casefold()
    return aliases().get(folded, folded)


def _is_used(name: str, names: PanelNames, used: set[str]) -> bool:
    """Return whether all panel genes that a name may mean are found under other names."""
    meant = names.by_gene.get(_gene(name), ())
    return bool(meant) and all(one in used for one in meant)
