"""Changes of tables as text, packed or not: fields, columns and lines of csv and tsv files."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from random import Random

from campaign.kinds import VALUE, Change
from campaign.values import TEXTS, bytes_of, latin_of, replaced

_FIELDS = (
    "",
    "NA",
    "nan",
    "-1",
    "1e400",
    "1e30",
    "0.5",
    "9999999",
    "-0",
    "3,5",
    "true",
    "10x14",
    '"',
    "x" * 5000,
)


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError("an earlier change has put something else there")
    data = path.read_bytes()
    return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8")


def _save(path: Path, text: str) -> None:
    data = text.encode("utf-8", errors="surrogatepass")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def fields_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of a field, a column or a line of one of some tables."""

    def apply(folder: Path, rng: Random) -> str:
        path = rng.choice(sorted(file for pattern in patterns for file in folder.glob(pattern)))
        text = _text(path)
        separator = "\t" if "\t" in text else ","
        rows = [line.split(separator) for line in text.splitlines()]
        row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
        other = rng.randrange(len(rows[0]))
        ways: dict[str, Callable[[], object]] = {
            "field": lambda: rows[row].__setitem__(column, rng.choice((*_FIELDS, *TEXTS)).replace("\n", " ")),
            "name": lambda: rows[0].__setitem__(column, rng.choice(("", "x", rows[0][other]))),
            "twice": lambda: [line.append(line[column]) for line in rows],
            "gone": lambda: [line.pop(column) for line in rows],
            "swapped": lambda: [line.insert(other, line.pop(column)) for line in rows],
            "short": lambda: rows[row].pop(),
            "long": lambda: rows[row].append("7"),
            "same": lambda: [line.__setitem__(column, rows[row][column]) for line in rows[1:]],
        }
        way = rng.choice(("field", *ways))
        ways[way]()
        _save(path, "".join(separator.join(line) + "\n" for line in rows))
        return f"{path.relative_to(folder)}: {way}, line {row + 1}, column {column + 1}"

    return apply


def changes(*patterns: str) -> tuple[Change, ...]:
    """Return all the ways to change tables as text."""
    return (
        Change("fields", fields_of(*patterns), VALUE),
        Change("bytes", bytes_of(*patterns), VALUE),
        Change("no UTF-8", latin_of(*patterns), VALUE),
        Change("replaced", replaced(*patterns)),
    )
