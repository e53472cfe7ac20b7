"""The width of a pixel: what may be one, what an image file says of it, and where that contradicts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from prestige.data.columns.units import um_of
from prestige.data.slides.tiff import directories as tags
from prestige.data.slides.tiff.ome import stated_um
from prestige.data.slides.tiff.pages import Level0
from prestige.errors import DataError

LEAST_UM, MOST_UM = 1e-3, 1e3
"""Between them lies the width of every pixel that is one: of an electron microscope, of a photograph."""

MOST_APART = 0.05
"""How far two statements of one width may lie apart."""

_LEAST_TAGGED_UM, _MOST_TAGGED_UM = 0.01, 20.0  # beyond it stand the dots per inch of a screen or printer
_SQUARE_WITHIN = 0.01
_AGREES_WITHIN = 0.02
_UNIT_UM = {2: 25_400.0, 3: 10_000.0, 4: 1_000.0, 5: 1.0}  # inch, cm; mm and um as some writers add
_APERIO_UM = re.compile(r"\bMPP\s*=\s*([0-9]*[.,]?[0-9]+|[0-9]+[.,])(?![0-9]|[.,][0-9])")
_IMAGEJ_UNIT = re.compile(r"^unit=(.*?)\s*$", re.M)


def checked_um(value: float, *, where: str | Path, what: str = "the width of a pixel") -> float:
    """Return a width of a pixel in micrometres that can be one.

    Raises
    ------
    DataError
        When it is not a number between :data:`LEAST_UM` and :data:`MOST_UM`.
    """
    if fault := um_fault(value, where=where, what=what):
        raise fault
    return value


def um_fault(value: float, *, where: str | Path, what: str = "the width of a pixel") -> DataError | None:
    """Return what is wrong with a width of a pixel; None where it can be one."""
    if LEAST_UM <= value <= MOST_UM:
        return None
    expected = f"micrometres, between {LEAST_UM:g} and {MOST_UM:g}"
    return DataError(f"{what} is {value:g}", where=where, expected=expected)


def tagged_um(level: Level0) -> dict[str, float]:
    """Return the widths of a pixel that an image file states itself, by what states them.

    Resolutions that no microscope has (72 dots per inch) say nothing of the tissue and are left out.

    Raises
    ------
    DataError
        When it states pixels that are not square.
    """
    return square_um(_stated(level), level.image)


def square_um(stated: Iterable[tuple[str, float, float]], image: Path) -> dict[str, float]:
    """Return the widths of pixels by what states them, of those that a microscope can have.

    Parameters
    ----------
    stated
        What states it, and the width and height of a pixel in micrometres.
    image
        The file, for messages.

    Raises
    ------
    DataError
        When width and height differ.
    """
    found = {}
    for what, x_um, y_um in stated:
        if not all(_LEAST_TAGGED_UM < side < _MOST_TAGGED_UM for side in (x_um, y_um)):
            continue
        if abs(x_um / y_um - 1) > _SQUARE_WITHIN:
            raise DataError(
                f"its pixels are not square: {x_um:.4g} x {y_um:.4g} um by its {what}",
                where=image,
                expected="square pixels",
                remedy=f"resample it to square pixels, or mend its {what}",
            )
        found[what] = x_um
    return found


def _stated(level: Level0) -> Iterator[tuple[str, float, float]]:
    page = level.page
    text = page.texts.get(tags.DESCRIPTION, "")
    said = stated_um(level.pages[0].texts.get(tags.DESCRIPTION, ""), page.width, page.height, level.image)
    if said is not None:
        yield "OME-XML", *said
    aperio = _APERIO_UM.search(text) if text.startswith("Aperio") else None
    if aperio:
        um = float(aperio[1].replace(",", "."))
        yield "Aperio description", um, um
    x, y = (page.numbers.get(tag, (0.0,)) for tag in (tags.X_RESOLUTION, tags.Y_RESOLUTION))
    unit_um = _UNIT_UM.get(page.number(tags.RESOLUTION_UNIT, 2))
    of_imagej = _IMAGEJ_UNIT.search(text) if text.startswith("ImageJ=") else None
    if of_imagej is not None:
        unit_um = um_of(of_imagej[1].replace(r"\u00B5", "u")) or unit_um
    if unit_um is not None and x and y and x[0] > 0 and y[0] > 0:
        yield "resolution tags", unit_um / x[0], unit_um / y[0]


def settled_um(
    stated: Sequence[tuple[str, float]],
    *,
    where: str,
    trusted: bool = False,
    most_apart: float = MOST_APART,
) -> tuple[float, tuple[str, ...]]:
    """Return the width of a pixel that is taken, the first that is stated, and notes on others that differ.

    Parameters
    ----------
    stated
        Who states it and the width in micrometres, the one to be taken first: dataset.yaml, the platform, the
        image.
    where
        The sample, for messages.
    trusted
        Whether the first is known to be right: others that contradict it are noted, not refused.
    most_apart
        How far two statements may lie apart.

    Raises
    ------
    DataError
        When nobody states it, when it cannot be one, or when two contradict each other by more than that.
    """
    if not stated:
        raise DataError(
            "no pixel size",
            where=where,
            expected="the width of a slide pixel in micrometres",
            remedy="write um_per_px: in dataset.yaml",
        )
    (by, um), others = stated[0], stated[1:]
    checked_um(um, where=where, what=f"the width of a pixel ({by})")
    notes = []
    for other_by, other in others:
        apart = max(um / other, other / um) - 1
        if apart > most_apart and not trusted:
            raise DataError(
                f"pixels of {um:.4g} um by {by}, of {other:.4g} um by {other_by}",
                where=where,
                expected=f"one width, within {most_apart:.0%}",
                remedy=f"mend the wrong one; where {by} is right, add trust_um_per_px: true",
            )
        if apart > _AGREES_WITHIN:
            notes.append(
                f"pixels of {um:.4g} um by {by} and {other:.4g} um by {other_by}: the former was taken"
            )
    return um, tuple(notes)
