"""``experiment.xenium``: what an output folder says of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prestige.data.platforms.xenium.named import named
from prestige.data.slides.pixel_size import checked_um
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import read_json_object

NAME = "experiment.xenium"
_EXPECTED = "the manifest of a Xenium output folder, a JSON object with the key pixel_size"
_IMAGES = ("morphology_focus_filepath", "morphology_mip_filepath", "morphology_filepath")


@dataclass(frozen=True)
class Manifest:
    """What is known of an output folder.

    Parameters
    ----------
    um_per_px
        Width of a pixel of the morphology image in micrometres.
    n_cells
        How many cells it says there are; None where it does not.
    said
        What made the folder, in words, for the notes.
    images
        Images of the morphology that it names and that are there; all of them are fluorescence.
    """

    um_per_px: float
    n_cells: int | None
    said: str
    images: tuple[Path, ...]


def read_manifest(folder: Path, um_per_px: float | None, before: str = "") -> Manifest:
    """Read the manifest of an output folder.

    Parameters
    ----------
    folder
        The output folder.
    um_per_px
        Width of a pixel of the morphology image where dataset.yaml says it; otherwise the manifest has to.
    before
        What stands before the names of its files.

    Raises
    ------
    DataError
        When it is damaged, or nobody says how wide a pixel is: that is never assumed.
    """
    path = named(folder, before, NAME)
    if not path.is_file() and um_per_px is not None:
        return Manifest(um_per_px, None, f"Xenium, without {NAME}", _images(folder, {}, before))
    if not path.exists():
        raise DataError(
            f"the manifest {NAME} is missing, which says how wide a pixel of the morphology image is",
            where=folder,
            expected="a Xenium output folder",
            remedy=f"copy {NAME} into it, or write morphology_um_per_px: in dataset.yaml (0.2125 on the "
            "instruments known so far, and other values where images were made smaller)",
        )
    content = read_json_object(path, expected=_EXPECTED, remedy=AGAIN)
    said = _version(content)
    size = content.get("pixel_size")
    if size is None and um_per_px is None:
        raise DataError(
            "says no pixel_size",
            where=path,
            expected=_EXPECTED,
            remedy="write morphology_um_per_px: in dataset.yaml",
        )
    if size is not None:
        with reading(path, part="pixel_size", expected="micrometres"):
            stated = float("nan") if isinstance(size, bool) else float(size)
        checked_um(stated, where=path, what="pixel_size")
        if um_per_px is not None and abs(stated / um_per_px - 1) > 1e-3:
            raise DataError(
                f"says pixel_size {stated:.6g}, dataset.yaml morphology_um_per_px: {um_per_px:.6g}",
                where=path,
                expected="one width",
                remedy="take the line off dataset.yaml, or mend it",
            )
        um_per_px = stated
    n_cells = content.get("num_cells")
    n_cells = n_cells if isinstance(n_cells, int) and not isinstance(n_cells, bool) else None
    return Manifest(float(um_per_px or 0), n_cells, said, _images(folder, content.get("images"), before))


def _version(content: Mapping[str, Any]) -> str:
    """Return which software wrote the folder: versions that nobody knows yet are words like all others."""
    ranger = content.get("xenium_ranger")
    stated = ranger.get("version") if isinstance(ranger, dict) else None
    which = "Ranger" if stated is not None else "onboard analysis"
    stated = content.get("analysis_sw_version") if stated is None else stated
    number = re.search(r"[0-9]+(?:\.[0-9]+)*", stated) if isinstance(stated, str) else None
    return f"Xenium, {which} {number[0]}" if number else "Xenium, of an unknown version"


def _images(folder: Path, listed: object, before: str) -> tuple[Path, ...]:
    """Return the images of the morphology, those that the manifest names first."""
    values = [listed.get(key) for key in _IMAGES] if isinstance(listed, dict) else []
    paths = [folder / value for value in values if isinstance(value, str) and "\0" not in value]
    there = [one for one in folder.iterdir() if one.name.removeprefix(before).startswith("morphology")]
    paths += sorted(one for one in there if one.name.endswith(".tif"))
    paths += sorted(folder.glob("morphology_focus/*.tif"))
    root = folder.resolve()
    files = (one for one in paths if os.path.isfile(one))  # whatever name a manifest gives
    return tuple(dict.fromkeys(one for one in files if one.resolve().is_relative_to(root)))
