"""The H&E image of an output folder and how it lies on the morphology image: never by assumption."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float
from scipy.sparse import csr_matrix

from prestige.data.platforms.alignment import Alignment, candidates, identity, read_alignment
from prestige.data.platforms.xenium.manifest import NAME, Manifest
from prestige.data.sample import Table
from prestige.data.slides.images import Image, image_of
from prestige.data.slides.tiff.directories import read_directories
from prestige.errors import DataError, PrestigeError, raise_all

MOST_APART = 0.1
"""How far the alignment and the image may lie apart in the width of a pixel."""

_MOST_OUTSIDE = 0.05  # of the cells, which are left out without a question
_FLUORESCENCE = re.compile(r"(morphology(_focus|_mip)?(_[0-9]{4})?|ch[0-9]{4}_.*)\.ome\.tiff?", re.I)
_ALIGNMENT = (
    "alignment: FILE, a 3 x 3 matrix from pixels of the H&E image to pixels of the morphology image "
    "(*_imagealignment.csv, Xenium Explorer's matrix.csv or keypoints.csv)"
)


@dataclass(frozen=True, eq=False)
class Registered:
    """An H&E image and its place.

    Parameters
    ----------
    image
        The slide.
    alignment
        From its pixels to those of the morphology image.
    morphology_um
        Width of a pixel of the morphology image in micrometres.
    """

    image: Image
    alignment: Alignment
    morphology_um: float

    @property
    def um_per_px(self) -> float:
        """Width of a pixel of the H&E image in micrometres."""
        return self.morphology_um * self.alignment.scale

    def on_image(self, xy_um: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
        """Return places in pixels of the H&E image, from micrometres in the frame of the instrument."""
        return self.alignment.on_image(xy_um / self.morphology_um)

    def on_it(self, table: Table, *, trusted: bool) -> Table:
        """Return the cells that lie on the image, with a note on those that do not.

        Parameters
        ----------
        table
            All cells, with centres in pixels of the image.
        trusted
            Whether it is known that the image shows a part of the section only.

        Raises
        ------
        DataError
            When more than one in twenty lies beside it, and it is not known; when all do.
        """
        lost = ~np.isfinite(table.xy_px).all(axis=1)
        inside = self._inside(table.xy_px)
        outside = int((~inside & ~lost).sum())
        n = int((~lost).sum())
        if outside == 0:
            return replace(table, notes=(*table.notes, *self.alignment.notes))
        if outside == n or (outside > _MOST_OUTSIDE * n and not trusted):
            raise self._beside(table.xy_px[~lost], outside)
        size = f"{self.image.width_px} x {self.image.height_px} px"
        note = f"{outside:,} of {n:,} cells lie beside the image ({size}): left out"
        return replace(_only(table, inside | lost), notes=(*table.notes, *self.alignment.notes, note))

    def _inside(self, xy_px: Float[np.ndarray, "n 2"]) -> Bool[np.ndarray, " n"]:
        edge = np.array([self.image.width_px, self.image.height_px]) - 0.5
        return np.asarray(((xy_px >= -0.5) & (xy_px <= edge)).all(axis=1))

    def _beside(self, xy_px: Float[np.ndarray, "n 2"], outside: int) -> DataError:
        """Say that most cells lie beside the image, and how they would lie on it."""
        matrix = self.alignment.matrix
        on_morphology = xy_px @ matrix[:2, :2].T + matrix[:2, 2]
        back = on_morphology @ matrix[:2, :2].T + matrix[:2, 2]  # as the inverse would place them
        size = f"{self.image.width_px} x {self.image.height_px} px"
        low, high = np.percentile(xy_px, 1, axis=0), np.percentile(xy_px, 99, axis=0)
        if self._inside(back).mean() > 1 - _MOST_OUTSIDE:
            remedy = _inverted(self.alignment)
        elif outside < len(xy_px):
            remedy = (
                "name the alignment of this very image at its largest level; where it shows a part of the "
                "section only, add trust_alignment: true"
            )
        else:
            remedy = "name the alignment of this very image, at its largest level"
        return DataError(
            f"places {outside:,} of {len(xy_px):,} cells beside the image {self.image.path.name} of {size} "
            f"(x {low[0]:.0f} to {high[0]:.0f}, y {low[1]:.0f} to {high[1]:.0f})",
            where=self.alignment.where,
            expected="the cells on the image",
            remedy=remedy,
        )


def register(
    image: Path,
    alignment: Path | Literal["identity"] | None,
    manifest: Manifest,
    folder: Path,
    *,
    trusted: bool,
) -> Registered:
    """Return the H&E image with its place.

    Parameters
    ----------
    image, alignment
        As dataset.yaml names them.
    manifest, folder
        The output folder.
    trusted
        Whether dataset.yaml says how wide a pixel is, so that what the image says is not asked here.

    Raises
    ------
    DataError
        For a fluorescence image, an image that is none, no alignment, one in the wrong direction, and for
        "identity" where the image is not of the morphology image's size.
    """
    faults: list[PrestigeError] = []
    opened = placed = None
    try:
        _refuse_fluorescence(image, manifest)
        opened = image_of(image)
    except PrestigeError as error:
        faults.append(error)
    try:
        if alignment is None:
            raise _no_alignment(image, folder)
        placed = identity(NAME) if alignment == "identity" else read_alignment(Path(alignment))
    except PrestigeError as error:
        faults.append(error)
    raise_all(faults)
    assert opened is not None
    assert placed is not None
    found = Registered(opened, placed, manifest.um_per_px)
    if alignment == "identity":
        _check_identity(opened, manifest, folder)
        said = "the H&E image was taken to lie on the morphology image pixel by pixel, as dataset.yaml says"
        return replace(found, alignment=replace(placed, notes=(said,)))
    if not trusted:
        _check_direction(found)
    return found


def _refuse_fluorescence(image: Path, manifest: Manifest) -> None:
    same = [one for one in manifest.images if image.exists() and one.samefile(image)]
    if same or _FLUORESCENCE.fullmatch(image.name):
        raise DataError(
            "is a fluorescence image of the instrument (morphology), no H&E",
            where=image,
            expected="the H&E image of the same section, 8 bit RGB",
            remedy="name the H&E image in image:, which is no part of the output folder",
        )


def _no_alignment(image: Path, folder: Path) -> DataError:
    near = candidates([image.parent, folder, folder.parent])
    remedy = f"write alignment: {near[0]}" if near else "export it with the image from Xenium Explorer"
    return DataError(
        "no alignment says how it lies on the morphology image: they are not on one grid",
        where=image,
        expected=_ALIGNMENT,
        remedy=f"{remedy}; where it has the morphology image's very pixels, alignment: identity",
    )


def _check_identity(image: Image, manifest: Manifest, folder: Path) -> None:
    """Refuse an image that is not of the size of the morphology image, in pixels and in micrometres."""
    expected = "an image of the morphology image's size in pixels, and of its pixel size"
    if not manifest.images:
        raise DataError(
            "no image of the morphology is there to compare with the H&E image",
            where=folder,
            expected=expected,
            remedy="write alignment: FILE in place of identity",
        )
    pages = read_directories(manifest.images[0])
    size = max(((page.width, page.height) for page in pages), key=lambda sides: sides[0] * sides[1])
    stated = {what: um for what, um in image.stated_um().items() if abs(um / manifest.um_per_px - 1) > 0.01}
    if (image.width_px, image.height_px) == size and not stated:
        return
    said = f", with pixels of {next(iter(stated.values())):.4g} um" if stated else ""
    raise DataError(
        f"is {image.width_px} x {image.height_px} px{said}; the morphology image is {size[0]} x {size[1]} px"
        f", with pixels of {manifest.um_per_px:.4g} um",
        where=image.path,
        expected=f"for alignment: identity, {expected}",
        remedy="write alignment: FILE in place of identity",
    )


def _check_direction(found: Registered) -> None:
    """Refuse an alignment whose scale contradicts the image, which one in the wrong direction does."""
    um, scale = found.um_per_px, found.alignment.scale
    for what, stated in found.image.stated_um().items():
        if _apart(um, stated) <= MOST_APART:
            continue
        inverse = _apart(found.morphology_um / scale, stated) <= MOST_APART
        to_um = _apart(scale, stated) <= MOST_APART
        looks = ": it looks like the inverse" if inverse else f", {_times(stated / um)} as wide"
        looks = ": it looks like one to micrometres" if to_um and not inverse else looks
        raise DataError(
            f"makes pixels of {um:.4g} um; the {what} of {found.image.path.name} say {stated:.4g} um{looks}",
            where=found.alignment.where,
            expected=f"one width, within {MOST_APART:.0%}",
            remedy=_inverted(found.alignment)
            if inverse
            else f"divide its first two rows by {found.morphology_um:.6g}, the um of a morphology pixel"
            if to_um
            else "name the alignment of this very image at its largest level; where the image states a wrong "
            f"width, write um_per_px: {um:.4g} and trust_um_per_px: true",
        )


def _apart(one: float, other: float) -> float:
    return max(one / other, other / one) - 1


def _times(ratio: float) -> str:
    return f"{ratio:.3g} times"


def _inverted(alignment: Alignment) -> str:
    if alignment.notes or not alignment.where.endswith(".csv"):
        return "export the matrix from H&E pixels to morphology pixels"
    code = f"savetxt('inverse.csv', linalg.inv(loadtxt('{alignment.where}', delimiter=',')), delimiter=',')"
    return f'name the matrix from H&E to morphology pixels; python -c "from numpy import *; {code}" makes it'


def _only(table: Table, rows: Bool[np.ndarray, " n"]) -> Table:
    kept = np.flatnonzero(rows)
    obs: pd.DataFrame = table.obs.iloc[kept]
    return replace(table, obs=obs, xy_px=table.xy_px[kept], counts=csr_matrix(table.counts[kept]))
