"""``source: spared``: tables of SpaRED, several slides in one file.

``path`` is the ``.h5ad`` or the folder that holds it as ``adata.h5ad``, ``slide`` the slide
(``obs["slide_id"]``).  Counts are ``layers["counts"]``, whatever X is; the patches in ``obsm`` are not read.
The image is the file that ``image`` names, in whose pixels ``obsm["spatial"]`` is, else the one of the table
(``uns["spatial"][slide]["images"]["hires"]``), onto which places are scaled.  Nothing states the width of a
pixel: ``um_per_px`` does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from prestige.data.columns.genes import SYMBOLS, Genes, genes_of
from prestige.data.frames import read_columns
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.platforms.annotated import read_annotated
from prestige.data.platforms.held_image import HeldImage, read_image
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import Image, image_of
from prestige.data.spec import SampleSpec
from prestige.data.stores.frames import resized
from prestige.data.tables import read_frame
from prestige.errors import DataError, nearest, reading
from prestige.text import some

_EXPECTED = "a table of SpaRED: obs['slide_id'], layers['counts'], obsm['spatial']"
_SLIDE = "slide_id"


@dataclass(frozen=True)
class _Shown:
    """The image of a slide, and its width by that of the one whose pixels places are."""

    image: Image
    scale: float


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare one slide of a table of SpaRED.

    Raises
    ------
    DataError
        For a missing or broken table, a slide that is not in it, a table without counts.
    """
    path = _table(spec.path)
    slide, notes = _slide(path, spec)
    shown = _shown(path, slide, spec.image)
    prepared = prepare_with_image(
        spec,
        cache_dir,
        source=f"spared/2/{slide}",
        image=shown.image,
        table_files={"table": path},
        read_table=lambda: _read_table(path, slide, shown.scale),
        platform="SpaRED",
    )
    return replace(prepared, table=replace(prepared.table, notes=(*notes, *prepared.table.notes)))


def _table(path: Path) -> Path:
    """Return the file of the table.

    Raises
    ------
    DataError
        When a folder holds none, or several.
    """
    if not path.is_dir():
        return path
    if (path / "adata.h5ad").is_file():
        return path / "adata.h5ad"
    there = sorted(path.glob("*.h5ad"))
    if len(there) != 1:
        raise DataError(
            f"holds {len(there)} .h5ad files", where=path, expected=_EXPECTED, remedy="name the file"
        )
    return there[0]


def _slide(path: Path, spec: SampleSpec) -> tuple[str, tuple[str, ...]]:
    """Return the name of the slide, and what the table says of its patient.

    Raises
    ------
    DataError
        When the table has no such slide, or several and none is named.
    """
    with opened_h5ad(path) as file:
        obs, _ = read_columns(file, "obs", where=str(path), needed={_SLIDE})
        has_counts = "counts" in file.get("layers", ())
    if _SLIDE not in obs:
        raise DataError(
            f"obs has no column '{_SLIDE}'", where=path, expected=_EXPECTED, remedy="write source: anndata"
        )
    if not has_counts:
        raise DataError(
            "has no layers['counts'], and X may hold any of its layers",
            where=path,
            expected=_EXPECTED,
            remedy="store the raw counts there",
        )
    names = obs[_SLIDE].astype(str)
    there = sorted(set(names))
    slide = spec.slide or (there[0] if len(there) == 1 else None)
    if slide not in there:
        near = nearest(slide or spec.id, there)
        raise DataError(
            f"no slide '{slide}'" if slide else "holds several slides",
            where=path,
            expected=f"slide: one of {some(there, 6)}",
            remedy=f"did you mean slide: {near}?" if near else "name one: slide: in dataset.yaml",
        )
    notes = [] if spec.slide else [f"the only slide of the table was taken: {slide}"]
    if "patient" in obs:
        whose = sorted(set(obs["patient"][names == slide].astype(str)))
        if whose != [spec.patient]:
            notes.append(f"the patient of slide {slide} is {', '.join(whose[:3])} by obs['patient']")
    return slide, tuple(notes)


def _shown(path: Path, slide: str, image: Path | None) -> _Shown:
    """Return the image of a slide.

    Raises
    ------
    DataError
        When no file is named and the table holds none.
    """
    if image is not None:
        return _Shown(image_of(image), 1.0)
    where, part = str(path), f"uns/spatial/{slide}"
    with opened_h5ad(path) as file:
        pixels = read_image(file, f"{part}/images/hires", where=where)
        key = f"{part}/scalefactors/tissue_hires_scalef"
        with reading(
            where, part=f"the element '{key}'", expected="a number", remedy="name an image file (image:)"
        ):
            scale = float(np.asarray(file[key]))
    if not 0 < scale <= 1:
        raise DataError(f"'{key}' is {scale:g}", where=where, expected="a number above 0, at most 1")
    note = f"the image is the table's own, {scale:.4g} of the full one in width (image: names the full one)"
    return _Shown(HeldImage(path, pixels, (note,)), scale)


def _read_table(path: Path, slide: str, scale: float) -> Table:
    def of_slide(obs: pd.DataFrame) -> Bool[np.ndarray, " n"]:
        return obs[_SLIDE].astype(str).to_numpy() == slide

    with opened_h5ad(path) as file:
        table = read_annotated(file, where=str(path), genes_of=_genes, chosen=of_slide)
    return replace(table, xy_px=resized(table.xy_px, scale))


def _genes(file: Any, *, where: str) -> Genes:
    """Return the genes, called by the symbols as SpaRED's column calls them."""
    var = read_frame(file, "var", where=where)
    if "gene_symbol" in var.columns and SYMBOLS not in var.columns:
        var = var.rename(columns={"gene_symbol": SYMBOLS})
    return genes_of(var)
