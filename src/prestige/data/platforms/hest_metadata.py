"""What the metadata of a sample of HEST-1k say: width of a pixel, whose tissue it is, how it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prestige.data.slides.pixel_size import MOST_APART, checked_um
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import read_json_object

_WIDTHS = ("pixel_size_um", "pixel_size_um_estimated", "pixel_size_um_embedded")
"""The first that is stated is taken: the estimate comes from the spots, the image's own is often wrong."""

_SAID = {
    "species": "species",
    "organ": "organ",
    "disease_state": "disease state",
    "st_technology": "technology",
}
_SAME_SIZE = 0.01


@dataclass(frozen=True)
class Metadata:
    """The metadata of a sample, as far as they have a meaning here.

    Parameters
    ----------
    um_per_px
        Width of a pixel of the image; None where it is not stated.
    content
        All that the file says.
    notes
        Where it contradicts itself.
    """

    um_per_px: float | None = None
    content: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def notes_on(self, *, patient: str, size_px: tuple[int, int], own_table: bool) -> tuple[str, ...]:
        """Return what is worth a word about a sample.

        Parameters
        ----------
        patient
            Whose it is by dataset.yaml.
        size_px
            Width and height of its image.
        own_table
            Whether the table is HEST-1k's, and not another of the same image.
        """
        said = [f"{words} {text}" for key, words in _SAID.items() if (text := self._text(key))]
        named = self._text("patient")
        if named is not None and named != patient:
            said.append(f"patient {named} (here {patient})")
        notes = [f"by its metadata: {', '.join(said)}"] if said else []
        if own_table and "xenium" in (self._text("st_technology") or "").lower():
            notes.append("a Xenium sample of HEST-1k: its observations are pseudo-spots of 100 um, not cells")
        full = [self._number(f"fullres_px_{side}") for side in ("width", "height")]
        if any(
            stated > 0 and abs(there / stated - 1) > _SAME_SIZE
            for there, stated in zip(size_px, full, strict=True)
        ) and all(full):
            notes.append(
                f"the image is {size_px[0]:,} x {size_px[1]:,} px, and {full[0]:,.0f} x {full[1]:,.0f} px by "
                "its metadata: are places and pixel size those of this very image?"
            )
        return (*notes, *self.notes)

    def _number(self, key: str) -> float:
        """Return a number above 0; 0 where there is none."""
        value = self.content.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return 0.0
        return float(value) if math.isfinite(value) and value > 0 else 0.0

    def _text(self, key: str) -> str | None:
        value = self.content.get(key)
        return " ".join(value.split()) if isinstance(value, str) and value.strip() else None


def read_metadata(path: Path) -> Metadata:
    """Read ``metadata/ID.json``; where there is no such file, nothing is said.

    Raises
    ------
    DataError
        When it cannot be read, or states a width that can be none.
    """
    if not path.exists():
        return Metadata()
    expected = "a json object with the key pixel_size_um"
    content = read_json_object(path, expected=expected, remedy=AGAIN)
    stated = [key for key in _WIDTHS if content.get(key) is not None]
    if not stated:
        return Metadata(content=content)
    taken = _width(content, stated[0], path)
    notes = []
    for key in stated[1:]:
        other = content[key]
        sound = type(other) in (int, float) and other > 0
        if sound and max(taken / other, other / taken) - 1 > MOST_APART:
            notes.append(
                f"pixels of {taken:.4g} um by {stated[0]}, {other:.4g} um by {key}: the former was taken"
            )
    return Metadata(taken, content, tuple(notes))


def _width(content: Mapping[str, Any], key: str, path: Path) -> float:
    stated = content[key]
    with reading(path, part=key, expected="a number of micrometres", remedy="mend it"):
        value = float(stated)
    if isinstance(stated, bool):
        raise DataError(f"{key} is {stated}", where=path, expected="a number of micrometres")
    return checked_um(value, where=path, what=key)
