"""What text without quotes means, as the setting that takes it decides: a number, true, or the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from prestige.errors import one_line
from prestige.settings.document import Plain

_WHOLE = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_OTHER_BASE = re.compile(r"[-+]?0(?:x[0-9a-fA-F_]+|b[01_]+)")
_TWO_WAYS = re.compile(r"[-+]?0[0-9_]+")
_DECIMAL = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WORDS_OF_NUMBERS = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}
_MOST_DIGITS = 100
_TOO_LARGE = 1 << 63  # for what computes with it
_NUMBERS = (int, float, bool)


@dataclass(frozen=True)
class Wanted:
    """What a setting takes.

    Attributes
    ----------
    kinds
        The types of a single value; ``Literal`` for a choice of words.
    item, value
        What the entries of a list and the values of a mapping are; None where neither is taken.
    """

    kinds: frozenset[Any]
    item: Wanted | None = None
    value: Wanted | None = None


def wanted(annotation: Any) -> Wanted:
    """Return what a setting with an annotation takes: ``tuple[int | str, ...] | None`` and the like."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return Wanted(frozenset({Any}))
    if origin is Annotated:
        return wanted(inside[0])
    if origin is Literal:
        return Wanted(frozenset({Literal}))  # no name, one of the words
    if origin in (Union, UnionType):
        parts = [wanted(part) for part in inside if part is not NoneType]
        kinds = frozenset(kind for part in parts for kind in part.kinds)
        item = next((part.item for part in parts if part.item), None)
        return Wanted(kinds, item, next((part.value for part in parts if part.value), None))
    if origin in (tuple, list):
        return Wanted(frozenset(), item=wanted(inside[0]))
    if origin is dict:
        return Wanted(frozenset(), value=wanted(inside[1]))
    return Wanted(frozenset({annotation}))


def typed(raw: Any, to: Wanted) -> Any:
    """Return what a yaml gave with its text made into what is wanted; other values as they are.

    Raises
    ------
    ValueError
        For a number that can be read in two ways (``010``), or of absurdly many digits.
    """
    anything = Any in to.kinds
    if isinstance(raw, Plain):
        return _scalar(raw, to)
    if isinstance(raw, list) and (to.item or anything):
        return [typed(one, to.item or to) for one in raw]
    if isinstance(raw, dict) and (to.value or anything):
        return {key: typed(one, to.value or to) for key, one in raw.items()}
    return raw


def _scalar(text: Plain, to: Wanted) -> Any:
    if not to.kinds.intersection((*_NUMBERS, Any)):
        return str(text)
    as_text = str in to.kinds or Any in to.kinds
    if not as_text and _TWO_WAYS.fullmatch(text) and len(text) < _MOST_DIGITS:
        plain = text.replace("_", "").lstrip("+-").lstrip("0") or "0"
        raise ValueError(
            f"a number that begins with 0 can be read in two ways; write {plain} if that is meant"
        )
    meant = meaning(text)
    if isinstance(meant, int) and abs(meant) >= _TOO_LARGE and not as_text:
        raise ValueError(f"expected a whole number below {_TOO_LARGE:.2g}")
    # Where names stand beside numbers (values of a column), a number is only what is written as numbers are.
    return str(text) if str in to.kinds and str(meant).lower() != text.lower() else meant


def meaning(text: str) -> bool | int | float | str:
    """Return the number, or true or false, that a text without quotes is; or the text.

    Numbers are those of yaml 1.1 and 1.2 both (``1_000``, ``0x1F``, ``1e3``, ``.inf``).  What the two read in
    two ways stays text: ``010``, ``12:30``, ``yes``, ``no``, dates.

    Raises
    ------
    ValueError
        For a number of absurdly many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text.lower() in _WORDS_OF_NUMBERS:
        return float(_WORDS_OF_NUMBERS[text.lower()])
    decimal = _DECIMAL.fullmatch(text)
    if decimal and len(text) > _MOST_DIGITS:
        raise ValueError(f"{one_line(text, 20)} has {len(text):,} digits")
    if _WHOLE.fullmatch(text):
        return int(text.replace("_", ""))
    if _OTHER_BASE.fullmatch(text) and text[-1] != "_" and len(text) <= _MOST_DIGITS:
        return int(text.replace("_", ""), 0)
    if decimal and not _TWO_WAYS.fullmatch(text):
        return float(text.replace("_", ""))
    return str(text)
