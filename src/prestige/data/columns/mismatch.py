"""Why names of two tables do not match: what either side has, and the near miss behind it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

_ENSEMBL = re.compile(r"ENS[A-Z]{0,4}([GTP])[0-9]{6,}(?:\.[0-9]+)?(?:_PAR_Y)?", re.IGNORECASE)
_MOST = 200_000  # names looked at


def _bare_text(name: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKC", name) if char.isprintable()).strip()


def _number(name: str) -> str:
    return re.sub(r"^([0-9]+)\.0+$", r"\1", name)


_WAYS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("in blanks or characters that are not seen", _bare_text),
    ("in capitals", str.lower),
    ("in the versions of Ensembl ids", lambda name: re.sub(r"\.[0-9]+$", "", name)),
    ("in the '-1' behind barcodes", lambda name: re.sub(r"-[0-9]+$", "", name)),
    ("in how whole numbers are written", _number),
    ("in dots, dashes and underscores", lambda name: re.sub(r"[._-]+", "-", name)),
    ("in what stands before the last underscore", lambda name: name.rpartition("_")[2]),
    ("in what stands behind the first underscore", lambda name: name.partition("_")[0]),
)


def ensembl_kind(name: str) -> str | None:
    """Return what a name is the id of in Ensembl: "G" of a gene, "T" a transcript, "P" a protein; else None.

    Examples
    --------
    >>> [ensembl_kind(name) for name in ("ENSG00000141510.17", "ENSMUST00000059552", "TP53")]
    ['G', 'T', None]
    """
    found = _ENSEMBL.fullmatch(name)
    return None if found is None else found[1].upper()


def near_miss(missing: Sequence[str], there: Iterable[str]) -> str | None:
    """Return how names that are missing and those that are there differ, with one of each; None if unclear.

    Parameters
    ----------
    missing
        Names of one side that the other lacks.
    there
        The names of the other side.

    Examples
    --------
    >>> near_miss(["ENSG00000000003.14"], ["ENSG00000000003.15"])
    "'ENSG00000000003.14' looks like 'ENSG00000000003.15': they differ in the versions of Ensembl ids"
    """
    missing, there = list(missing)[:_MOST], list(there)[:_MOST]
    if not missing or not there:
        return None
    for words, bare in _WAYS:
        if "version" in words and not all(map(ensembl_kind, missing[:20])):
            continue
        of_bare = {bare(name): name for name in there}
        found = [(name, of_bare[key]) for name in missing if (key := bare(name)) and key in of_bare]
        if len(found) * 2 > len(missing):
            return f"'{found[0][0]}' looks like '{found[0][1]}': they differ {words}"
    ensembl = [sum(bool(ensembl_kind(name)) for name in names) * 2 > len(names) for names in (missing, there)]
    if ensembl[0] != ensembl[1]:
        kinds = ["Ensembl ids" if one else "symbols" for one in ensembl]
        return f"'{missing[0]}' here, '{there[0]}' there: {kinds[0]} against {kinds[1]}"
    return None


def both_sides(missing: Sequence[str], there: Iterable[str], otherwise: str) -> str:
    """Return the remedy of a mismatch: the near miss, else names of the other side and what else to do."""
    there = list(there)
    near = near_miss(missing, there)
    if near is not None:
        return f"{near}; make them alike"
    known = ", ".join(f"'{name}'" for name in there[:3])
    return f"it has names such as {known}: {otherwise}" if known else otherwise
