"""Gene sets and the GMT files they come in: one set a line, name, description and genes between tabs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from prestige.errors import DataError, PrestigeError, one_line, raise_all, reading
from prestige.inputs import plain_file

_MOST_BYTES = 1 << 28
_LONGEST_NAME, _LONGEST_SYMBOL = 500, 200  # in characters; what is longer is no name
_CONTROL = re.compile(r"[\0-\x1f\x7f]")
_MAX_FAULTS = 10  # of one file, told one by one
_GZIP = b"\x1f\x8b"
_WEIGHT = re.compile(r",[-+0-9.eE]+$")  # Enrichr's older files write GENE,1.0


@dataclass(frozen=True)
class GeneSet:
    """Named genes, used to judge predictions and never to fit them.

    Attributes
    ----------
    name
        Unique among the sets of a report.
    genes
        Symbols as the source writes them, each once.
    source
        Where the set comes from, for the report.
    description
        What the set is, or what its file says of it.
    notes
        What is to be said beside it: a collection that was not at hand, a rule that could not be kept.
    """

    name: str
    genes: tuple[str, ...]
    source: str
    description: str = ""
    notes: tuple[str, ...] = ()


def read_gmt(path: Path) -> dict[str, GeneSet]:
    """Read the gene sets of a GMT file, in its order.

    A gene that a line names twice counts once, blank lines are skipped, and a weight behind a gene
    (``GENE,1.0``) is dropped.

    Raises
    ------
    DataError
        With the number of every line (the first ten) that has fewer than three columns, no gene,
        no name or the name of an earlier line; or when the file is missing, binary or no UTF-8 text.
    """
    path = Path(path)
    sets: dict[str, GeneSet] = {}
    first_line: dict[str, int] = {}
    faults: list[PrestigeError] = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        columns = [column.strip() for column in line.split("\t")]
        fault = _fault(columns, first_line)
        if fault:
            faults.append(DataError(fault[0], where=f"{path}, line {number}", expected=fault[1]))
            continue
        first_line[columns[0]] = number
        sets[columns[0]] = GeneSet(columns[0], _genes(columns), path.name, columns[1])
    if len(faults) > _MAX_FAULTS:
        more = DataError(f"{len(faults) - _MAX_FAULTS} further lines are wrong", where=path)
        faults = [*faults[:_MAX_FAULTS], more]
    raise_all(faults)
    if not sets:
        raise DataError("holds no gene set", where=path, expected="one set a line, with tabs between columns")
    return sets


def _text(path: Path) -> str:
    plain_file(path, expected="a GMT file of gene sets")
    with reading(path, expected="a GMT file of gene sets"), path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise DataError(
            f"is larger than {_MOST_BYTES:,} bytes", where=path, expected="a GMT file of gene sets"
        )
    if raw.startswith(_GZIP):
        raise DataError("is compressed", where=path, expected="a GMT file as text", remedy="gunzip it first")
    if b"\0" in raw:
        raise DataError("is a binary file", where=path, expected="a GMT file as UTF-8 text")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"is no UTF-8 text (byte 0x{raw[error.start]:02x})",
            where=f"{path}, line {line}",
            remedy="write it again as UTF-8",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _genes(columns: list[str]) -> tuple[str, ...]:
    named = (column for column in columns[2:] if column)
    return tuple(dict.fromkeys(_WEIGHT.sub("", gene) if "," in gene else gene for gene in named))


def _fault(columns: list[str], first_line: dict[str, int]) -> tuple[str, str] | None:
    """Say what is wrong with a line, and what was expected; None where nothing is."""
    shape = "name, description and genes, with tabs between them"
    if len(columns) < 3:
        return f"has {len(columns)} of at least 3 columns", shape
    if not columns[0]:
        return "names no set", shape
    shown = one_line(columns[0], 60)
    if columns[0] in first_line:
        return f"the set '{shown}' stands in line {first_line[columns[0]]} too", "every name once"
    if not any(columns[2:]):
        return f"the set '{shown}' has no genes", "at least one gene"
    if len(columns[0]) > _LONGEST_NAME:
        return f"the set's name has {len(columns[0]):,} characters", f"{_LONGEST_NAME} at most"
    genes = columns[2:]
    if any(_CONTROL.search(name) for name in (columns[0], *genes)):
        return f"the set '{shown}' holds control characters", "text"
    if longest := max((gene for gene in genes if len(gene) > _LONGEST_SYMBOL), key=len, default=None):
        words = f"the set '{shown}' names a gene of {len(longest):,} characters"
        return words, f"{_LONGEST_SYMBOL} at most, and tabs between genes"
    return None
