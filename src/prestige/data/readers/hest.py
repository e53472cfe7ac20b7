"""``source: hest``: the layout of HEST-1k.

``path`` is the root folder, ``id`` the sample: ``wsis/ID.tif`` (RGB, 8 bit; level 0 is read),
``st/ID.h5ad`` or the file that ``table:`` names (raw counts, ``obsm["spatial"]`` = x, y in level 0),
``metadata/ID.json`` (``pixel_size_um``).
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from prestige.data.cache import Recipe, prepare
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.prepared import Prepared
from prestige.data.sample import Counts, Table
from prestige.data.slides.tiff import holds_rgb_tagged_ycbcr, opened_tiff, write_slide
from prestige.data.spec import SampleSpec
from prestige.data.tables import (
    as_numbers,
    read_counts,
    read_frame,
    read_genes,
    read_part,
    row_sums,
)
from prestige.errors import ConfigError, DataError, PrestigeError, nearest, raise_all, reading

_PIXEL_SIZE_KEYS = ("pixel_size_um", "pixel_size_um_estimated", "pixel_size_um_embedded")


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the sample ``spec.id`` of the HEST-1k folder ``spec.path``.

    Raises
    ------
    DataError
        For a missing or broken file, an image that is not 8 bit RGB, a table with faults.
    """
    where = f"sample '{spec.id}'"
    if spec.expression is not None:
        raise ConfigError(
            "'expression' has no meaning for source: hest", where=where, remedy="name it in 'table'"
        )
    image = spec.path / "wsis" / f"{spec.id}.tif"
    table = spec.path / "st" / (spec.table or f"{spec.id}.h5ad")
    raise_all([fault for fault in (_missing(image), _missing(table)) if fault is not None])
    um_per_px = _pixel_size(spec.path / "metadata" / f"{spec.id}.json")
    if um_per_px is None and spec.um_per_px is None:
        raise _no_pixel_size(spec, image)
    return prepare(
        Recipe(
            source="hest/2",
            where=where,
            slide_files={"image": image},
            table_files={"table": table},
            write_slide=lambda target: write_slide(image, target),
            read_table=lambda pixels: _with_notes(read_table(table), image),
            um_per_px=um_per_px,
        ),
        cache_dir,
    )


def _with_notes(table: Table, image: Path) -> Table:
    with opened_tiff(image) as page:
        if not holds_rgb_tagged_ycbcr(page):
            return table
    note = (
        f"the tiles of {image.name} are tagged YCbCr but hold RGB (as YCbCr many colours would be "
        "impossible): they were read as RGB"
    )
    return replace(table, notes=(*table.notes, note))


def _missing(path: Path) -> PrestigeError | None:
    if path.is_file():
        return None
    there = sorted(other.name for other in path.parent.iterdir()) if path.parent.is_dir() else []
    near = nearest(path.name, there)
    key = "'table:' names another file in st" if path.parent.name == "st" else "the file is named after 'id:'"
    return DataError(
        "no such file",
        where=path,
        expected="the layout of HEST-1k (wsis/ID.tif, st/ID.h5ad, metadata/ID.json)",
        remedy=f"did you mean '{near}'? ({key})" if near else "check path: and id: in dataset.yaml",
    )


def _pixel_size(path: Path) -> float | None:
    """Return the stated width of a pixel; None where there is no metadata or no such key in it."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        stated = [content[key] for key in _PIXEL_SIZE_KEYS if content.get(key) is not None]
        value = float(stated[0]) if stated else None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DataError(
            f"cannot be read ({error})",
            where=path,
            expected="a json object with the key pixel_size_um",
            remedy="copy it again if it was cut off",
        ) from error
    if value is not None and not 0 < value < float("inf"):
        raise DataError(f"pixel_size_um is {value}", where=path, expected="a width above 0 in micrometres")
    return value


def _no_pixel_size(spec: SampleSpec, image: Path) -> DataError:
    with opened_tiff(image) as page:
        tagged = page.get_resolution(unit="micrometer") if "ResolutionUnit" in page.tags else (0, 0)
    width = 1 / tagged[0] if tagged[0] > 0 else 0.0
    hint = f" (the resolution tags of the image say {width:.4g})" if 0.01 < width < 100 else ""
    return DataError(
        "no pixel size",
        where=f"sample '{spec.id}'",
        expected=f"pixel_size_um in {spec.path / 'metadata' / (spec.id + '.json')}",
        remedy=f"write um_per_px: in dataset.yaml{hint}",
    )


def read_table(path: Path) -> Table:
    """Read observations, centres and raw counts of a HEST-1k table; centres alone where it has no counts.

    Totals are the table's own ``obs["total_counts"]`` where it has them and they can be true (never below
    the sum over its genes): such a total counts genes that were taken off the table later.

    Raises
    ------
    DataError
        When the table is broken or has no ``obsm["spatial"]``.
    """
    where = str(path)
    with opened_h5ad(path) as file:
        obs = read_frame(file, "obs", where=where)
        has_counts = not _has_none(file, where)
        counts = read_counts(file, where=where) if has_counts else csr_matrix((len(obs), 0), dtype=np.float32)
        genes = read_genes(file, where=where) if has_counts else ()
        spatial = read_part(file, "obsm/spatial", where=where)
    xy_px = np.asarray(spatial, dtype=np.float64)
    if xy_px.ndim != 2 or xy_px.shape[1] < 2:
        raise DataError(f"obsm['spatial'] has shape {xy_px.shape}", where=where, expected="x and y a row")
    obs.index = pd.Index(obs.index.astype(str))
    totals, notes = _totals(obs, row_sums(counts), len(genes))
    obs = obs.assign(measured=bool(genes), total_counts=totals)
    return Table(obs=obs, xy_px=np.ascontiguousarray(xy_px[:, :2]), counts=counts, genes=genes, notes=notes)


def _has_none(file: Any, where: str) -> bool:
    """Return whether a table has no matrix of counts, or one without a gene."""
    with reading(where):
        if "counts" in file.get("layers", ()):
            return False
        matrix = file.get("X")
        if matrix is None or matrix.attrs.get("encoding-type") == "null":
            return True
        dense = getattr(matrix, "shape", None)
        shape = matrix.attrs.get("shape", ()) if dense is None else dense
        return len(shape) == 2 and int(shape[1]) == 0


def _totals(obs: pd.DataFrame, sums: np.ndarray, n_genes: int) -> tuple[np.ndarray, tuple[str, ...]]:
    if "total_counts" not in obs.columns or len(obs) != len(sums):
        return sums[: len(obs)], ()
    stated = as_numbers(pd.Series(obs["total_counts"]))
    if np.array_equal(stated, sums):
        return sums, ()
    if np.isfinite(stated).all() and (stated >= sums * (1 - 1e-6)).all():
        return stated, (
            f"totals are the table's own obs['total_counts'], which cover more than its {n_genes:,} genes",
        )
    return sums, (
        f"obs['total_counts'] is below the sum of the counts: the sum over {n_genes:,} genes was taken",
    )
