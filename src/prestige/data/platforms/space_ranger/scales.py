"""``scalefactors_json.json``: how large the pictures of a folder are, and what it says of micrometres."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prestige.data.platforms.packed import text_of
from prestige.errors import AGAIN, DataError, reading

EXPECTED = "scalefactors_json.json of Space Ranger"
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Scales:
    """Scale factors of one folder; None where it does not state them.

    Attributes
    ----------
    hires, lowres
        Pixels of the picture by one of the full-resolution image.
    fiducial_px
        Diameter of a fiducial, in pixels of the full-resolution image.
    um_per_px, bin_um
        Width of such a pixel, and of a bin, in micrometres (Visium HD).
    """

    hires: float | None
    lowres: float | None
    fiducial_px: float | None
    um_per_px: float | None
    bin_um: float | None


def read_scales(path: Path) -> Scales:
    """Read the scale factors of a folder.

    Raises
    ------
    DataError
        When it is no such file, or a factor is no number above 0.
    """
    text = text_of(path, expected=EXPECTED, most_bytes=_MOST_BYTES)
    with reading(path, expected=EXPECTED):
        said = json.loads(text)
    if not isinstance(said, dict):
        raise DataError("holds no JSON object", where=path, expected=EXPECTED, remedy=AGAIN)
    return Scales(
        hires=_factor(said, "tissue_hires_scalef", path),
        lowres=_factor(said, "tissue_lowres_scalef", path),
        fiducial_px=_factor(said, "fiducial_diameter_fullres", path),
        um_per_px=_factor(said, "microns_per_pixel", path),
        bin_um=_factor(said, "bin_size_um", path),
    )


def _factor(said: dict[str, Any], name: str, path: Path) -> float | None:
    value = said.get(name)
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < value < 1e9:
        raise DataError(
            f"'{name}' is {json.dumps(value)[:40]}",
            where=path,
            expected="a number above 0",
            remedy="copy the file of this section again",
        )
    return float(value)
