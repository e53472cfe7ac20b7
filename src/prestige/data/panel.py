"""Panel: the ordered genes a model predicts, fixed on training data, and their normalisation.

Everything here is read from the training rows of one fold; permuting the counts of the other
sides changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from pydantic import Field, model_validator

from prestige.data.columns.mismatch import both_sides, near_miss
from prestige.data.split.folds import TRAIN, Fold
from prestige.errors import ConfigError, DataError, PrestigeError, nearest, one_line, raise_all
from prestige.inputs import plain_file, read_text
from prestige.settings import Settings

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

    from prestige.data.sample import Sample

_WORDS = ("all", "most_expressed", "most_variable")
_BLOCK_ROWS = 8192
_LARGEST = 1e18  # of a panel that is read back; NaN and infinities compare as False
_MOST_BYTES = 1 << 24
_LONGEST_SYMBOL = 100
_NO_SYMBOL = re.compile(r"[\0-\x1f\x7f]")  # a table with tabs, or no text
_MAX_FAULTS = 5  # of one list, told one by one


class PanelConfig(Settings):
    """Which genes, and how their counts become targets.

    Attributes
    ----------
    genes
        ``all`` (that every sample measures), ``most_expressed``, ``most_variable`` (both with
        ``n``), a list of symbols, or a text file with one symbol a line.
    n
        How many genes, for ``most_expressed`` and ``most_variable``.
    total
        Counts of an observation are scaled to this total over all measured genes, then log1p.
    """

    genes: Literal["all", "most_expressed", "most_variable"] | tuple[str, ...] | Path = "all"
    n: int | None = Field(default=None, ge=1)
    total: float = Field(default=100.0, gt=0)

    @model_validator(mode="after")
    def _n_where_it_counts(self) -> PanelConfig:
        chosen = self.genes in ("most_expressed", "most_variable")
        if chosen and self.n is None:
            raise ValueError(f"genes: {self.genes} needs n, the number of genes")
        if not chosen and self.n is not None:
            raise ValueError("n is only used with genes: most_expressed or most_variable")
        if isinstance(self.genes, tuple) and len(set(self.genes)) != len(self.genes):
            twice = sorted({gene for gene in self.genes if self.genes.count(gene) > 1})
            raise ValueError("genes are listed twice: " + ", ".join(twice[:5]))
        if isinstance(self.genes, tuple) and not self.genes:
            raise ValueError("the list of genes is empty")
        return self


@dataclass(frozen=True, eq=False)
class Panel:
    """The genes of a model with the normalisation fitted on training rows.

    Attributes
    ----------
    genes
        The g genes in the order of every prediction.
    total
        Total to which an observation's counts are scaled before log1p.
    train_mean, train_std
        (g,) of the log1p values over the training observations.  The deviation of a gene that is
        constant there is set to 1, so that standardised values stay finite (and are 0).
    notes
        What was left out and why, for the report.
    constant
        The genes that are constant on the training rows; not known of a panel that was read back.
    """

    genes: tuple[str, ...]
    total: float
    train_mean: Float[np.ndarray, " g"]
    train_std: Float[np.ndarray, " g"]
    notes: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()

    def transform(
        self, counts: csr_matrix, genes: Sequence[str], total_counts: Float[np.ndarray, " n"]
    ) -> Float32[np.ndarray, "n g"]:
        """Return ``log1p(counts / total_counts * total)`` of the panel's genes.

        Parameters
        ----------
        counts
            (n, G) raw counts of the genes named by ``genes``.
        genes
            The G columns of ``counts``.
        total_counts
            (n,) counts of each observation over all measured genes; rows with 0 become 0.

        Raises
        ------
        DataError
            When ``genes`` lacks one of the panel.
        """
        scaled = scaled_to(counts[:, columns_of(self.genes, genes)], total_counts, self.total)
        return np.asarray(scaled.log1p().todense(), np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for JSON."""
        return {
            "genes": list(self.genes),
            "total": self.total,
            "train_mean": self.train_mean.tolist(),
            "train_std": self.train_std.tolist(),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Panel:
        """Return the panel that :meth:`to_dict` wrote.

        Raises
        ------
        DataError
            When a part is missing or the lengths do not agree.
        """
        missing = [key for key in ("genes", "total", "train_mean", "train_std") if key not in raw]
        if missing:
            raise DataError("the panel is incomplete", expected="the keys " + ", ".join(missing))
        genes, notes = (_texts(raw, key) for key in ("genes", "notes"))
        if not genes or len(set(genes)) != len(genes) or "" in genes:
            raise DataError("the panel has no genes, or one without a name, or one twice")
        mean, std = (_numbers(raw, key) for key in ("train_mean", "train_std"))
        if mean.shape != (len(genes),) or std.shape != (len(genes),):
            raise DataError(
                f"the panel has {len(genes)} genes, {mean.size} means and {std.size} deviations",
                expected="one of each a gene",
            )
        total = raw["total"]
        if type(total) not in (int, float) or not 0 < total < _LARGEST or (std < 0).any():
            raise DataError("the panel's total or a deviation is no number above 0")
        return cls(genes, float(total), mean, std, notes)


def _texts(raw: Mapping[str, Any], key: str) -> tuple[str, ...]:
    texts = raw.get(key, [])
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"'{key}' of the panel is no list of texts")
    return tuple(texts)


def _numbers(raw: Mapping[str, Any], key: str) -> Float[np.ndarray, " n"]:
    numbers = raw[key]
    if not isinstance(numbers, list) or not all(
        type(one) in (int, float) and -_LARGEST < one < _LARGEST for one in numbers
    ):
        raise DataError(f"'{key}' of the panel is no list of finite numbers")
    return np.asarray(numbers, np.float64)


@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the training rows of one sample: n, of scaled counts, of log1p values, of their squares."""

    n: int
    scaled: Float[np.ndarray, " g"]
    logged: Float[np.ndarray, " g"]
    squares: Float[np.ndarray, " g"]


def fit_panel(samples: Sequence[Sample], fold: Fold, config: PanelConfig) -> Panel:
    """Choose the genes and fit their normalisation on the training rows of one fold.

    ``most_expressed`` ranks by the mean of the scaled counts, ``most_variable`` by the variance
    of the log1p values within samples, pooled over them: the scale on which errors and
    correlations are taken, and free of differences between slides, which no within-sample score
    sees.  (HEST-Bench, Jaume et al. 2024, chooses by variance after log1p likewise, though on all
    samples.)  Ties go to the gene that comes first in the first sample.  Counts are read in
    blocks of rows and stay sparse.

    Raises
    ------
    ConfigError
        When none of the wanted genes is measured, more are asked for than there are, or the list
        cannot be read.
    DataError
        When there is no training row.
    """
    genes, notes = _candidates(samples, config)
    rows = {sample.id: np.flatnonzero(fold.sides[sample.id] == TRAIN) for sample in samples}
    sums = [
        _sum_up(sample, rows[sample.id], genes, config.total) for sample in samples if len(rows[sample.id])
    ]
    if not sums:
        raise DataError("there is no training observation to fit the panel on", where=f"fold {fold.name}")
    keep = np.arange(len(genes)) if config.n is None else _best(sums, config)
    n = sum(one.n for one in sums)
    mean = np.sum([one.logged for one in sums], axis=0) / n
    square = np.sum([one.squares for one in sums], axis=0) / n
    variance = square - mean**2
    constant = variance <= 1e-9 * square
    std = np.sqrt(np.where(constant, 1.0, variance))
    still = tuple(genes[i] for i in keep if constant[i])
    if still:
        notes.append(f"{len(still)} of the panel's {len(keep)} genes are constant in training")
    return Panel(tuple(genes[i] for i in keep), config.total, mean[keep], std[keep], tuple(notes), still)


def _candidates(samples: Sequence[Sample], config: PanelConfig) -> tuple[list[str], list[str]]:
    """Return the genes to choose from, which all samples measure, and notes on those left out."""
    shared = set(samples[0].genes).intersection(*(sample.genes for sample in samples))
    every = {gene for sample in samples for gene in sample.genes}
    wanted = wanted_genes(config)
    notes = []
    if wanted is None:
        if left_out := len(every) - len(shared):
            notes.append(f"{left_out} genes are not measured in every sample and were left out")
    elif absent := [gene for gene in wanted if gene not in shared]:
        some = ", ".join(absent[:10]) + (" ..." if len(absent) > 10 else "")
        notes.append(f"{len(absent)} of {len(wanted)} wanted genes are not measured in every sample: {some}")
    candidates = [gene for gene in wanted or samples[0].genes if gene in shared]
    if candidates:
        return candidates, notes
    raise _none_shared(samples, wanted)


def _none_shared(samples: Sequence[Sample], wanted: list[str] | None) -> ConfigError:
    """Build the error where no wanted gene is in every sample: it names both sides and the near miss."""
    first = samples[0]
    if wanted is None:
        other = next(one for one in samples if not set(one.genes) & set(first.genes) or one is samples[-1])
        there = f"{', '.join(first.genes[:3])} ('{first.id}') and {', '.join(other.genes[:3])} ('{other.id}')"
        near = near_miss(first.genes, other.genes)
        return ConfigError(
            "none of the genes is measured in every sample",
            where="panel",
            expected=f"samples of the same genes; there are {there}",
            remedy=f"{near}; make them alike, by var['gene_symbols'] of the tables say"
            if near
            else "check species and kind of gene names",
        )
    shared = set(first.genes).intersection(*(sample.genes for sample in samples))
    near = nearest(wanted[0], shared)
    remedy = f"'{wanted[0]}' looks like '{near}'" if near else "check species and kind of gene names"
    return ConfigError(
        "none of the wanted genes is measured in every sample",
        where="panel",
        expected=f"symbols such as {', '.join(list(first.genes)[:3])}" if first.genes else None,
        remedy=near_miss(wanted, shared or first.genes) or remedy,
    )


def wanted_genes(config: PanelConfig) -> list[str] | None:
    """Return the genes that the settings list, or None where they are chosen by a rule.

    Raises
    ------
    ConfigError
        When the file that lists them cannot be read or is empty.
    """
    if isinstance(config.genes, tuple):
        return list(config.genes)
    if not isinstance(config.genes, Path):
        return None
    return read_genes(config.genes)


def read_genes(path: Path) -> list[str]:
    """Read a list of genes: a symbol a line, blank lines and lines that begin with # left out.

    A gene that is named twice counts once.

    Raises
    ------
    ConfigError
        When the file cannot be read, is empty, or a line holds more than a symbol, with the line's number.
    """
    expected = "a text file with one gene a line, or one of " + ", ".join(_WORDS)
    near = nearest(path.name, _WORDS)
    remedy = f"did you mean '{near}'?" if near else None
    plain_file(path, expected=expected, kind=ConfigError, remedy=remedy)
    text = read_text(path, expected=expected, kind=ConfigError, most_bytes=_MOST_BYTES)
    wanted: dict[str, None] = {}
    faults: list[PrestigeError] = []
    for number, line in enumerate(text.splitlines(), start=1):
        symbol = line.strip()
        if not symbol or symbol.startswith("#"):
            continue
        if _NO_SYMBOL.search(symbol) or len(symbol) > _LONGEST_SYMBOL:
            what = f"'{one_line(symbol, 40)}' is no gene's symbol"
            where = f"{path}, line {number}"
            faults.append(ConfigError(what, where=where, expected="one symbol a line and nothing else"))
        wanted[symbol] = None
    if len(faults) > _MAX_FAULTS:
        more = f"{len(faults) - _MAX_FAULTS} further lines are wrong"
        faults = [*faults[:_MAX_FAULTS], ConfigError(more, where=path)]
    raise_all(faults)
    if not wanted:
        raise ConfigError("the list of genes is empty", where=path, expected="one symbol a line")
    return list(wanted)


def _best(sums: Sequence[_Sums], config: PanelConfig) -> Int[np.ndarray, " n"]:
    """Return the positions of the n best genes, best first."""
    n = sum(one.n for one in sums)
    if config.genes == "most_expressed":
        rank = np.sum([one.scaled for one in sums], axis=0) / n
    else:
        rank = np.sum([one.squares - one.logged**2 / one.n for one in sums], axis=0) / n
    assert config.n is not None
    if config.n > len(rank):
        raise ConfigError(
            f"n: {config.n} genes are asked for, {len(rank)} are measured in every sample",
            where="panel",
            remedy=f"write n: {len(rank)} or genes: all",
        )
    return np.argsort(-rank, kind="stable")[: config.n]


def _sum_up(sample: Sample, rows: np.ndarray, genes: Sequence[str], total: float) -> _Sums:
    columns = columns_of(genes, sample.genes)
    depth = sample.obs["total_counts"].to_numpy(np.float64)
    scaled, logged, squares = np.zeros((3, len(genes)))
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = rows[start : start + _BLOCK_ROWS]
        values = scaled_to(sample.counts[block][:, columns], depth[block], total)
        scaled += np.asarray(values.sum(axis=0)).ravel()
        values.data = np.log1p(values.data)
        logged += np.asarray(values.sum(axis=0)).ravel()
        values.data = values.data**2
        squares += np.asarray(values.sum(axis=0)).ravel()
    return _Sums(len(rows), scaled, logged, squares)


def scaled_to(counts: csr_matrix, totals: np.ndarray, total: float) -> csr_matrix:
    """Return ``counts / totals * total``, still sparse, in float64; rows whose total is 0 become 0."""
    from scipy.sparse import csr_matrix

    depth = np.asarray(totals, np.float64)
    factor = np.divide(total, depth, out=np.zeros_like(depth), where=depth > 0)
    values = counts.data * np.repeat(factor, np.diff(counts.indptr))
    return csr_matrix((values, counts.indices, counts.indptr), shape=counts.shape)


def columns_of(
    wanted: Sequence[str], genes: Sequence[str], *, where: str | None = None
) -> Int[np.ndarray, " n"]:
    """Return the columns of the wanted genes of a panel among those of a table, which ``where`` names.

    Raises
    ------
    DataError
        When one is not measured.
    """
    column = {gene: i for i, gene in enumerate(genes)}
    absent = [gene for gene in wanted if gene not in column]
    if absent:
        raise DataError(
            f"{len(absent)} of the panel's {len(wanted)} genes are not measured: " + ", ".join(absent[:5]),
            where=where,
            expected="every gene of the panel",
            remedy=both_sides(absent, genes, "check species and kind of gene names"),
        )
    return np.array([column[gene] for gene in wanted], np.int64)
