"""``source: hest``: the layout of HEST-1k.

``path`` is the root folder, ``id`` the sample: ``wsis/ID.tif`` (or an image of another format, ``ID.svs`` or
``ID.png``, or the folder ``ID`` of a DICOM slide), ``st/ID.h5ad`` or the file that ``table:`` names (raw
counts, ``obsm["spatial"]`` = x, y in the image's largest level), ``metadata/ID.json`` (``pixel_size_um`` and
what it says of the sample).  Patches, transcripts and segmentations that lie beside them are not read.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from prestige.data.columns.measured import measured_rows
from prestige.data.columns.places import turned
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.platforms.annotated import has_none, read_annotated
from prestige.data.platforms.hest_metadata import read_metadata
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import Image, image_of
from prestige.data.slides.tiff.image import TiffImage
from prestige.data.spec import SampleSpec
from prestige.data.tables import (
    read_genes,
    read_part,
)
from prestige.errors import DataError, PrestigeError, nearest, raise_all, reading
from prestige.inputs import plain_folder

_SUFFIXES = (
    *(".tif", ".tiff", ".ome.tif", ".ome.tiff", ".btf", ".qptiff", ".svs", ".ndpi", ".scn", ".bif"),
    *(".mrxs", ".vms", ".dcm", ".czi", ".ome.zarr", ".zarr", ".png", ".jpg", ".jpeg", ".jp2", ".j2k"),
)
"""How images are called; what they are is told by their content."""
_LAYOUT = "the layout of HEST-1k (wsis/ID.tif, st/ID.h5ad, metadata/ID.json)"
_OTHER_TABLE = "'table:' names another file in st"


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the sample ``spec.id`` of the HEST-1k folder ``spec.path``.

    Raises
    ------
    DataError
        For a missing or broken file, an image that is not 8 bit RGB, a table with faults.
    """
    plain_folder(spec.path, expected=_LAYOUT, remedy="check path: in dataset.yaml")
    path, fault = _image(spec)
    table = spec.path / "st" / (spec.table or f"{spec.id}.h5ad")
    raise_all([one for one in (fault, _missing(table, _OTHER_TABLE)) if one is not None])
    metadata = spec.path / "metadata" / f"{spec.id}.json"
    said = read_metadata(metadata)
    image = image_of(path)
    if not (spec.um_per_px or said.um_per_px or image.stated_um()):
        raise _no_pixel_size(spec)
    prepared = prepare_with_image(
        spec,
        cache_dir,
        source=_source(image),
        image=image,
        table_files={"table": table},
        read_table=partial(read_table, table),
        stated_um=[(f"metadata/{metadata.name}", said.um_per_px)] if said.um_per_px else [],
        # What the image says counts where nobody else says it: so samples keep the names they were given.
        image_states_beside_yaml=False,
        rules=_rules(table),
        platform=str(said.content.get("st_technology") or ""),
    )
    size_px = (image.width_px, image.height_px)
    of_metadata = said.notes_on(patient=spec.patient, size_px=size_px, own_table=spec.table is None)
    kept = prepared.table.notes
    # Version 2 and 3 kept no note on the choice of a page in the cache.
    of_page = (
        [note for note in image.level.notes() if note not in kept] if isinstance(image, TiffImage) else []
    )
    return replace(prepared, table=replace(prepared.table, notes=(*kept, *of_page, *of_metadata)))


def _source(image: Image) -> str:
    """Return the version of what is made of an image: what is read otherwise is prepared anew."""
    if not isinstance(image, TiffImage):
        return "hest/4"
    return "hest/3" if image.level.is_read_anew else "hest/2"


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
    others = others or [one for one in (folder / spec.id,) if one.is_dir()]  # of a DICOM slide
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
        expected=_LAYOUT,
        remedy=remedy or by_name,
    )


def _no_pixel_size(spec: SampleSpec) -> DataError:
    return DataError(
        "no pixel size",
        where=f"sample '{spec.id}'",
        expected=f"pixel_size_um in {spec.path / 'metadata' / (spec.id + '.json')}",
        remedy="write um_per_px: in dataset.yaml",
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
