"""``source: hest``: the layout of HEST-1k.

``path`` is the root folder, ``id`` the sample: ``wsis/ID.tif`` (RGB, 8 bit; the largest page is read; also
under another name of the same form, ``ID.tiff`` or ``ID.svs``), ``st/ID.h5ad`` or the file that ``table:``
names (raw counts, ``obsm["spatial"]`` = x, y in that page), ``metadata/ID.json`` (``pixel_size_um`` and
what it says of the sample).  Patches, transcripts and segmentations that lie beside them are not read.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.data.cache import Recipe, prepare
from prestige.data.columns.measured import measured_rows
from prestige.data.columns.places import turned
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.platforms.annotated import has_none, read_annotated
from prestige.data.platforms.hest_metadata import read_metadata
from prestige.data.prepared import Prepared
from prestige.data.sample import Counts, Table, some
from prestige.data.slides.pixel_size import contradictions, tagged_um
from prestige.data.slides.tiff.pages import Level0, level0
from prestige.data.slides.tiff.tiles import notes_on_tiles, on_no_pixels, opened_tiff, write_slide
from prestige.data.spec import SampleSpec
from prestige.data.tables import (
    read_genes,
    read_part,
)
from prestige.errors import DataError, PrestigeError, nearest, raise_all, reading

_SUFFIXES = (".tif", ".tiff", ".ome.tif", ".ome.tiff", ".btf", ".svs")  # forms of TIFF
_OTHER_TABLE = "'table:' names another file in st"


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the sample ``spec.id`` of the HEST-1k folder ``spec.path``.

    Raises
    ------
    DataError
        For a missing or broken file, an image that is not 8 bit RGB, a table with faults.
    """
    where = f"sample '{spec.id}'"
    image, fault = _image(spec)
    table = spec.path / "st" / (spec.table or f"{spec.id}.h5ad")
    raise_all([one for one in (fault, _missing(table, _OTHER_TABLE)) if one is not None])
    metadata = spec.path / "metadata" / f"{spec.id}.json"
    said = read_metadata(metadata)
    um_per_px = said.um_per_px
    level = level0(image)
    if um_per_px is None and spec.um_per_px is None:
        raise _no_pixel_size(spec, level)
    prepared = prepare(
        Recipe(
            # What is read otherwise than by version 2 is prepared anew, and everything else keeps its name.
            source="hest/3" if level.is_read_anew else "hest/2",
            where=where,
            slide_files={"image": image},
            table_files={"table": table},
            write_slide=lambda target: write_slide(image, target),
            read_table=lambda pixels: _on_image(read_table(table), image),
            um_per_px=um_per_px,
            rules=_rules(table),
        ),
        cache_dir,
    )
    taken = spec.um_per_px or um_per_px or 0.0
    stated_by = "dataset.yaml" if spec.um_per_px else f"metadata/{metadata.name}"
    notes = (*level.notes(), *contradictions(level, taken, stated_by))
    size_px = (level.page.width, level.page.height)
    notes = (*notes, *said.notes_on(patient=spec.patient, size_px=size_px, own_table=spec.table is None))
    return replace(prepared, table=replace(prepared.table, notes=(*prepared.table.notes, *notes)))


def _on_image(table: Table, image: Path) -> Table:
    """Return a table with what is to be said of its image.

    Raises
    ------
    DataError
        When observations lie where the image has no pixels.
    """
    with opened_tiff(image) as tiles:
        blank = on_no_pixels(tiles, table.xy_px)
        if len(blank):
            missing = f"{int((~tiles.stored).sum()):,} of {len(tiles):,} {tiles.level.segments}"
            raise DataError(
                f"the image is sparse ({missing} are not stored), and observations lie where it has no "
                f"pixels: {some(table.obs.index[blank])}",
                where=image,
                expected="pixels under every observation",
                remedy="take these rows off the table, or save the image with all its pixels",
            )
        return replace(table, notes=(*table.notes, *notes_on_tiles(tiles)))


def _rules(path: Path) -> tuple[str, ...]:
    """Name the rules by which a table is read otherwise than before there were any: its columns say it."""
    where = str(path)
    with opened_h5ad(path) as file:
        with reading(where, part="the element 'obs'"):
            said = [name for name in ("measured", "in_tissue") if f"obs/{name}" in file]
        with reading(where, part="the element 'obsm/spatial'"):
            names = _names(file.get("obsm/spatial"))
        columns = {}
        for name in said:
            part = f"obs/{name}"
            values = read_part(file, part, where=where)
            with reading(where, part=f"the element '{part}'", expected="one value a row"):
                columns[name] = pd.Series(values)
        rules = {
            "genes": not has_none(file, where=where) and bool(read_genes(file, where=where).notes),
            "measured": bool(said) and not measured_rows(pd.DataFrame(columns), where=where)[0].all(),
            "places": turned(names),
        }
    return tuple(name for name, holds in rules.items() if holds)


def _names(spatial: Any) -> list[Any]:
    """Return the names of the columns of the places in an open file; an array has none."""
    if hasattr(spatial, "keys"):
        return list(spatial.attrs.get("column-order", ()))
    return list(spatial.dtype.names or ()) if spatial is not None else []


def _image(spec: SampleSpec) -> tuple[Path, PrestigeError | None]:
    """Return the image of a sample, and what is wrong with its name."""
    folder = spec.path / "wsis"
    first = folder / f"{spec.id}.tif"
    if first.exists():
        return first, None
    known = {f"{spec.id}{suffix}".casefold() for suffix in _SUFFIXES}
    others = sorted(one for one in _entries(folder) if one.name.casefold() in known)
    if len(others) == 1:
        return others[0], None
    if others:
        names = ", ".join(f"'{one.name}'" for one in others)
        return first, DataError(
            f"no such file, and several that could be meant: {names}",
            where=first,
            expected="one image a sample",
            remedy=f"rename the one that is meant to '{first.name}'",
        )
    same = sorted(one.name for one in _entries(folder) if one.name.startswith(f"{spec.id}."))
    remedy = f"save '{same[0]}' as a TIFF, '{first.name}'" if same else None
    return first, _missing(first, "rename it, or mend 'id:'", remedy)


def _entries(folder: Path) -> list[Path]:
    return list(folder.iterdir()) if folder.is_dir() else []


def _missing(path: Path, key: str, remedy: str | None = None) -> PrestigeError | None:
    if path.exists():
        return None
    near = nearest(path.name, sorted(other.name for other in _entries(path.parent)))
    by_name = f"did you mean '{near}'? ({key})" if near else "check path: and id: in dataset.yaml"
    return DataError(
        "no such file",
        where=path,
        expected="the layout of HEST-1k (wsis/ID.tif, st/ID.h5ad, metadata/ID.json)",
        remedy=remedy or by_name,
    )


def _no_pixel_size(spec: SampleSpec, level: Level0) -> DataError:
    said = [f"{what} of the image say {um:.4g}" for what, um in tagged_um(level).items()]
    return DataError(
        "no pixel size",
        where=f"sample '{spec.id}'",
        expected=f"pixel_size_um in {spec.path / 'metadata' / (spec.id + '.json')}",
        remedy=f"write um_per_px: in dataset.yaml{f' (the {said[0]})' if said else ''}",
    )


def read_table(path: Path) -> Table:
    """Read observations, centres and raw counts: see :mod:`prestige.data.platforms.annotated`.

    Raises
    ------
    DataError
        When the table is broken.
    """
    with opened_h5ad(path) as file:
        return read_annotated(file, where=str(path))
