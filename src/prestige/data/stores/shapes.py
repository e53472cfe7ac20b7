"""Shapes of a SpatialData store: the ids and centres of its circles and polygons.

Geometries lie in a file of parquet (as WKB or GeoArrow), and in the oldest stores in arrays of coordinates.
What a file declares is held against its size before anything of it is decoded.  Repeated values stay
repeated by reference: a few bytes can stand for a text or a polygon as often as they like.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from prestige.data.platforms.extras import needed
from prestige.data.platforms.parquet import check_size, is_text
from prestige.data.stores.frames import frames
from prestige.data.stores.zarrs import WHOLE, check_elements, element
from prestige.errors import AGAIN, DataError, reading
from prestige.inputs import plain_file

_FILE = "shapes.parquet"
_POINT, _AREAS = 0, (3, 6)  # types of geometries in shapely: a polygon, several
_EXPECTED = "circles or polygons, each with an id"


@dataclass(frozen=True, eq=False)
class Shapes:
    """The shapes of an element.

    Parameters
    ----------
    ids
        Their names, one each: whole numbers or text.
    xy
        (n, 2) x and y of their centres in the element's own coordinates; NaN where one has none.
    frames
        Matrices from these into the coordinate systems that the element names.
    """

    ids: pd.Index
    xy: Float[np.ndarray, "n 2"]
    frames: dict[str, Float[np.ndarray, "3 3"]]


def shape_frames(store: Path, name: str) -> dict[str, Float[np.ndarray, "3 3"]]:
    """Return the matrices of an element of shapes into the coordinate systems that it names.

    Raises
    ------
    DataError
        When it says nothing that is read.
    """
    where = f"{store}, {name}"
    with element(store, name, whole=False) as group, reading(where, expected=WHOLE):
        attributes = group.attrs.asdict()
        return frames(attributes, tuple(attributes.get("axes") or ("x", "y")), where)


def read_shapes(store: Path, name: str) -> Shapes:
    """Read the ids and centres of the circles or polygons of an element.

    A polygon's centre is that of its area; one that crosses itself is made valid first.

    Raises
    ------
    DataError
        When it is damaged, declares more than it can hold, or has shapes of another kind.
    """
    needed("geopandas", extra="readers")
    check_elements(store, (name,))
    placed = shape_frames(store, name)
    ids, geometries = (
        _of_arrays(store, name) if not (store / name / _FILE).exists() else _of_file(store, name)
    )
    return Shapes(ids, _centres(geometries, f"{store}, {name}"), placed)


def _of_file(store: Path, name: str) -> tuple[pd.Index, Any]:
    """Return the ids and geometries in a file of parquet."""
    import pyarrow.parquet as pq

    path = plain_file(store / name / _FILE, expected=_EXPECTED, remedy=AGAIN)
    with reading(path, expected=_EXPECTED), path.open("rb") as stream:
        file = pq.ParquetFile(stream)
        schema = file.schema_arrow
        said = schema.metadata or {}
        pandas = json.loads(said.get(b"pandas", b"{}"))
        column = json.loads(said.get(b"geo", b"{}")).get("primary_column", "geometry")
        index = (pandas.get("index_columns") or [None])[0]
        wanted = [column, *([index] if isinstance(index, str) else [])]
        missing = [one for one in wanted if one not in schema.names]
        texts = [one for one in wanted if not missing and is_text(schema.field(one).type)]
        metadata = file.metadata
    check_size(metadata, wanted, path, expected=_EXPECTED)
    if missing:
        raise DataError(f"has no column '{missing[0]}'", where=path, expected=_EXPECTED, remedy=AGAIN)
    with reading(path, expected=_EXPECTED), path.open("rb") as stream:
        file = pq.ParquetFile(stream, read_dictionary=texts)
        table = file.read(columns=wanted)
        n = table.num_rows
        ids = _ids(table[index], path) if isinstance(index, str) else _range(index, n)
        geometries = _geometries(table, column)
    if len(ids) != n or len(geometries) != n:
        raise DataError(
            f"{len(ids):,} ids of {len(geometries):,} shapes", where=path, expected=_EXPECTED, remedy=AGAIN
        )
    return ids, geometries


def _range(index: Any, n: int) -> pd.Index:
    """Return ids that were not stored: counted as pandas says, else from 0."""
    if isinstance(index, dict) and index.get("kind") == "range":
        steps = range(*(int(index[key]) for key in ("start", "stop", "step")))
        return pd.Index(np.arange(steps.start, steps.stop, steps.step)) if len(steps) == n else pd.Index([])
    return pd.Index(np.arange(n))


def _ids(column: Any, path: Path) -> pd.Index:
    if column.null_count:
        raise DataError(f"{column.null_count:,} shapes have no id", where=path, expected=_EXPECTED)
    parts = [pd.Index([], dtype=object)]
    for chunk in column.chunks:
        if hasattr(chunk, "dictionary"):  # text, each once
            names = chunk.dictionary.to_pylist()
            known = np.array([one.decode() if isinstance(one, bytes) else str(one) for one in names], object)
            parts.append(pd.Index(known[chunk.indices.to_numpy(zero_copy_only=False)], dtype=object))
        else:
            parts.append(pd.Index(chunk.to_numpy(zero_copy_only=False)))
    filled = [part for part in parts if len(part)]
    return filled[0].append(filled[1:]) if filled else parts[0]


def _geometries(table: Any, column: str) -> Any:
    """Return geometries as shapely's objects; equal ones may be one object."""
    import pyarrow as pa
    import shapely

    chunks = table[column].chunks
    if chunks and not hasattr(chunks[0], "dictionary"):
        import geopandas

        frame = geopandas.GeoDataFrame.from_arrow(_geoarrow(table.select([column]), column), geometry=column)
        return frame.geometry.to_numpy()
    parts = [np.empty(0, object)]
    for chunk in chunks:
        values = np.asarray(shapely.from_wkb(chunk.dictionary.to_numpy(zero_copy_only=False)), dtype=object)
        known = np.concatenate([values, np.array([None], dtype=object)])  # the last for a gap
        places = chunk.indices.cast(pa.int64()).fill_null(len(known) - 1)
        parts.append(known[places.to_numpy(zero_copy_only=False)])
    return np.concatenate(parts)


def _geoarrow(table: Any, column: str) -> Any:
    """Name the encoding of a column where the file names it: at the file, not at the column."""
    field = table.schema.field(column)
    if b"ARROW:extension:name" in (field.metadata or {}):
        return table
    geo = json.loads(table.schema.metadata[b"geo"])["columns"][column]
    named = {"ARROW:extension:name": f"geoarrow.{geo['encoding']}"}
    return table.cast(table.schema.set(0, field.with_metadata(named)))


def _of_arrays(store: Path, name: str) -> tuple[pd.Index, Any]:
    """Return the ids and geometries of the oldest stores: coordinates, and where each polygon begins."""
    import shapely

    where = f"{store}, {name}"
    with element(store, name) as group, reading(where, expected=_EXPECTED):
        kind = group.attrs.asdict().get("spatialdata_attrs", {}).get("geos", {}).get("type")
        if "coords" not in group:
            raise DataError(f"has no '{_FILE}'", where=where, expected=_EXPECTED, remedy=AGAIN)
        coords = np.asarray(group["coords"][...], dtype=np.float64)
        offsets = tuple(
            np.asarray(group[one][...]) for one in ("offset0", "offset1", "offset2") if one in group
        )
        geometries = shapely.from_ragged_array(shapely.GeometryType(kind), coords, offsets or None)
        ids = group["Index"][...] if "Index" in group else np.arange(len(geometries))
        ids = pd.Index(np.asarray(ids))
    if len(ids) != len(geometries):
        raise DataError(
            f"{len(ids):,} ids of {len(geometries):,} shapes", where=where, expected=_EXPECTED, remedy=AGAIN
        )
    return ids, geometries


def _centres(geometries: Any, where: str) -> Float[np.ndarray, "n 2"]:
    import shapely

    kinds = shapely.get_type_id(geometries)
    other = ~np.isin(kinds, (-1, _POINT, *_AREAS))
    if other.any():
        named = sorted({shapely.GeometryType(kind).name.lower() for kind in kinds[other].tolist()})
        raise DataError(
            f"{int(other.sum()):,} of its shapes are no circles or polygons but {', '.join(named)}",
            where=where,
            expected=_EXPECTED,
            remedy="name another region",
        )
    with reading(where, part="a polygon", expected=_EXPECTED):
        crossed = np.isin(kinds, _AREAS) & ~shapely.is_valid(geometries)
        if crossed.any():
            geometries = geometries.copy()
            geometries[crossed] = shapely.make_valid(geometries[crossed])
        centres = shapely.centroid(geometries)
        out = np.full((len(geometries), 2), np.nan)
        placed = ~(shapely.is_missing(centres) | shapely.is_empty(centres))
        out[placed] = shapely.get_coordinates(centres[placed])
        return out
