"""Units of length as files write them."""

from __future__ import annotations

import unicodedata

_METRES = {"pico": 1e-6, "nano": 1e-3, "micro": 1.0, "milli": 1e3, "centi": 1e4, "deci": 1e5, "": 1e6}
_A = "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"
_SYMBOLS = {
    "pm": 1e-6,
    "nm": 1e-3,
    "um": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "dm": 1e5,
    "m": 1e6,
    _A: 1e-4,
}
_NAMES = {
    **{f"{prefix}{metre}": um for prefix, um in _METRES.items() for metre in ("meter", "metre")},
    "micron": 1.0,
    "angstrom": 1e-4,
}
_MU = "\N{GREEK SMALL LETTER MU}"


def um_of(unit: object) -> float | None:
    """Return how many micrometres a unit of length has, by its symbol or its name; None for all else.

    Examples
    --------
    >>> [um_of(unit) for unit in ("um", "\N{MICRO SIGN}m", "Micrometers", "nm", "pixel", None)]
    [1.0, 1.0, 1.0, 0.001, None, None]
    """
    text = unicodedata.normalize("NFKC", str(unit)).strip().replace(_MU, "u")
    if text in _SYMBOLS:
        return _SYMBOLS[text]
    name = text.lower()
    return 1.0 if name == "um" else _NAMES.get(name.removesuffix("s"))


def is_um(unit: object) -> bool:
    """Return whether a unit is the micrometre."""
    return um_of(unit) == 1
