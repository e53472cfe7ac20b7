"""Units of length, however they are written."""

from __future__ import annotations

import pytest

from prestige.data.columns.units import is_um, um_of


@pytest.mark.parametrize(
    "unit",
    [
        "um",
        "UM",
        "\u00b5m",
        "\u03bcm",
        "micron",
        "Microns",
        "micrometer",
        "micrometers",
        "micrometre",
        "Micrometres",
        " um ",
    ],
)
def test_micrometres_have_one_meaning(unit: str) -> None:
    assert um_of(unit) == 1
    assert is_um(unit)


@pytest.mark.parametrize(
    ("unit", "um"),
    [
        ("nm", 1e-3),
        ("mm", 1e3),
        ("cm", 1e4),
        ("m", 1e6),
        ("\u00c5", 1e-4),
        ("\u212b", 1e-4),
        ("millimetre", 1e3),
        ("angstrom", 1e-4),
    ],
)
def test_other_lengths(unit: str, um: float) -> None:
    assert um_of(unit) == um
    assert not is_um(unit)


@pytest.mark.parametrize("unit", [None, "", "pixel", "unit", "Mm", "s", "micro", "reference frame", 1.0])
def test_what_is_no_length(unit: object) -> None:
    assert um_of(unit) is None
