"""``source: anndata``: a table that anndata wrote, and an image: the smallest thing that works.

``path`` is an ``.h5ad`` or a zarr store of one table (raw counts in ``layers["counts"]``, else in ``X``;
``obsm["spatial"]`` = x, y in pixels of the image), ``image`` the H&E.  Nothing in such a table says how wide
a pixel is: ``um_per_px`` does, where the image does not.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from pathlib import Path

import pandas as pd

from prestige.data.platforms.annotated import opened_table, read_annotated
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import image_of
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, reading

_OF_SLIDES = ("library_id", "slide_id")
_MOST_SLIDES = 1000


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare a table and the image that ``spec.image`` names.

    Raises
    ------
    DataError
        When either is missing or broken, or nothing states the width of a pixel.
    """
    assert spec.image is not None  # by the registry of sources
    with opened_table(spec.path):
        pass  # told before an image is decoded
    return prepare_with_image(
        spec,
        cache_dir,
        source="anndata/1",
        image=image_of(spec.image),
        table_files={"table": spec.path},
        read_table=lambda: _read_table(spec.path),
    )


def _read_table(path: Path) -> Table:
    with opened_table(path) as file:
        table = read_annotated(file, where=str(path))
        with reading(path, part="the element 'uns'"):
            held = file.get("uns/spatial")
            names = list(held) if hasattr(held, "keys") else []
            slides = {str(name) for name in names if hasattr(held[name], "keys")}
    return replace(table, notes=(*table.notes, *_of_one_slide(table.obs, slides, str(path))))


def _of_one_slide(obs: pd.DataFrame, slides: Set[str], where: str) -> tuple[str, ...]:
    """Return a note where rows may be of several slides, whose places have nothing to do with each other.

    Parameters
    ----------
    slides
        The slides of which the table holds pictures, as scanpy and squidpy keep them.

    Raises
    ------
    DataError
        When a column names several of these.
    """
    named = {
        str(column): sorted({str(value) for value in obs[column].dropna().unique()})
        for column in obs
        if _may_name(obs[column])
    }
    for column, names in named.items():
        if len(own := [name for name in names if name in slides]) > 1:
            raise DataError(
                f"holds rows of {len(own)} slides ({', '.join(own[:3])}) by obs['{column}'], each of an "
                "image of its own",
                where=where,
                expected="the rows of one slide, in pixels of its image",
                remedy=f"save them apart: table[table.obs['{column}'] == '{own[0]}'].write_h5ad(...)",
            )
    several = [f"obs['{column}']" for column in _OF_SLIDES if len(named.get(column, ())) > 1]
    if len(slides) > 1 and not any(slides & set(names) for names in named.values()):
        several.append("uns['spatial']")
    return (f"{several[0]} names several slides: all rows were taken as of this image",) if several else ()


def _may_name(column: pd.Series) -> bool:
    """Whether a column may name slides: texts or categories, of few values."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return len(column.cat.categories) <= _MOST_SLIDES
    return not pd.api.types.is_numeric_dtype(column.dtype) and column.nunique() <= _MOST_SLIDES
