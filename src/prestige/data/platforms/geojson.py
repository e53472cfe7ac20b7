"""Shapes and points in GeoJSON, as QuPath and Space Ranger write them: pixels (x, y) of one image.

A collection of features, a list of them, one bare feature or one bare geometry.  The file does not say which
image it was drawn on.  Layout: RFC 7946, without its coordinates on the globe.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from prestige.data.platforms.extras import needed
from prestige.data.platforms.packed import text_of
from prestige.errors import AGAIN, DataError, reading
from prestige.text import some

EXPECTED = "GeoJSON: polygons or points in pixels, as QuPath exports them"
MOST_BYTES = 1 << 30
"""Outlines of some million cells."""

_MOST = 10**9  # pixels or micrometres from the origin

_AREAS, _POINTS = ("Polygon", "MultiPolygon"), ("Point", "MultiPoint")
_LINES = ("LineString", "MultiLineString")
_OBJECTS = ("cell", "detection")  # of QuPath: what was found within what people drew


@dataclass(frozen=True, eq=False)
class Feature:
    """One feature: its geometry, as shapely has it, and what is said of it.

    Attributes
    ----------
    geometry
        A valid Polygon or MultiPolygon, a Point or a MultiPoint.
    properties
        As they stand in the file; ``id`` is among them where the feature has one of its own.
    """

    geometry: Any
    properties: Mapping[str, Any]

    @property
    def is_area(self) -> bool:
        """Whether it is a polygon or several."""
        return self.geometry.geom_type in _AREAS


@dataclass(frozen=True, eq=False)
class Drawing:
    """The features of a file that have an area or are points, and notes on the others."""

    features: tuple[Feature, ...]
    notes: tuple[str, ...]

    def objects(self) -> Drawing:
        """Return it without the annotations round about cells and detections, where it has such."""
        kept = [one for one in self.features if one.properties.get("objectType") in _OBJECTS]
        others = len(self.features) - len(kept)
        if not kept or not others:
            return self
        found = Counter(str(one.properties["objectType"]) for one in kept)
        words = " and ".join(f"{n:,} {kind}s" for kind, n in found.items())
        note = f"{words} were taken; left out beside them: {others:,} (annotations, cores of arrays)"
        return Drawing(tuple(kept), (*self.notes, note))

    def places(self) -> tuple[Float[np.ndarray, "n 2"], list[str]]:
        """Return x and y of every point and of the centroid of every area, and their names.

        Names are the ids of the features where each has one and none stands there twice, else numbers from 1;
        points of one feature are told apart by a number behind it.
        """
        import shapely

        own = [str(feature.properties.get("id", "")) for feature in self.features]
        if len(set(own)) != len(own) or not all(own):
            own = [str(number) for number in range(1, len(own) + 1)]
        xy, names = [], []
        for name, feature in zip(own, self.features, strict=True):
            if feature.geometry.geom_type == "MultiPoint":
                points = shapely.get_coordinates(feature.geometry)
                names += [f"{name}-{number}" for number in range(1, len(points) + 1)]
            else:
                points = shapely.get_coordinates(feature.geometry.centroid)
                names.append(name)
            xy.append(points)
        return np.concatenate(xy).astype(np.float64) if xy else np.zeros((0, 2)), names


def read_geojson(path: Path) -> Drawing:
    """Read the areas and points of a GeoJSON file, packed by gzip or not.

    Lines are left out, with a note; polygons that cross themselves are made valid.

    Raises
    ------
    DataError
        When it is missing, no GeoJSON, or holds neither area nor point, or coordinates
        that are none of an image.
    ConfigError
        When shapely is not installed.
    """
    needed("shapely", extra="readers")
    text = text_of(path, expected=EXPECTED, most_bytes=MOST_BYTES)
    with reading(path, expected=EXPECTED):
        content = json.loads(text)
    features, left_out = [], Counter[str]()
    mended: list[int] = []
    for number, (geometry, properties) in enumerate(_features(content, path), start=1):
        kind = geometry.get("type") if isinstance(geometry, dict) else None
        if geometry is None or kind in _LINES:
            left_out["without a geometry" if geometry is None else "lines (they have no area)"] += 1
            continue
        if kind not in (*_AREAS, *_POINTS):
            raise DataError(
                f"feature {number:,} is of the type {kind!r}",
                where=path,
                expected="Polygon, MultiPolygon, Point or MultiPoint",
                remedy="take it out, or save its parts one by one",
            )
        shape, was_mended = _shape(geometry, number, path)
        if shape is None:
            left_out["without an area"] += 1
            continue
        if was_mended:
            mended.append(number)
        features.append(Feature(shape, properties))
    if not features:
        raise DataError("holds neither areas nor points", where=path, expected=EXPECTED, remedy="draw some")
    notes = [f"{path.name}: left out: {n:,} {words}" for words, n in left_out.items()]
    if mended:
        notes.append(f"{path.name}: polygons that cross themselves were made valid: {some(mended)}")
    return Drawing(tuple(features), tuple(notes))


def _features(content: Any, path: Path) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Give geometry and properties of every feature, whatever holds them.

    Raises
    ------
    DataError
        For anything else.
    """
    kind = content.get("type") if isinstance(content, dict) else None
    entries = content
    if kind == "FeatureCollection":
        entries = content.get("features")
    elif kind == "GeometryCollection":
        entries = content.get("geometries")
    elif isinstance(content, dict):
        entries = [content]
    if not isinstance(entries, list):
        raise DataError("holds no features", where=path, expected=EXPECTED, remedy=AGAIN)
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise DataError(f"feature {number:,} is no object", where=path, expected=EXPECTED, remedy=AGAIN)
        if entry.get("type") != "Feature":
            yield entry, {}
            continue
        said = entry.get("properties")
        properties = dict(said) if isinstance(said, dict) else {}
        if "id" in entry:
            properties.setdefault("id", entry["id"])
        yield entry.get("geometry"), properties


def _shape(geometry: dict[str, Any], number: int, path: Path) -> tuple[Any, bool]:
    """Return a geometry as a valid shape, None where nothing is left of it, and whether it was mended."""
    import shapely
    from shapely.geometry import shape

    with reading(path, part=f"feature {number:,}", expected="coordinates x, y"), np.errstate(all="ignore"):
        made = shapely.force_2d(shape(geometry))
        within = bool((np.abs(shapely.get_coordinates(made)) <= _MOST).all())
        if made.geom_type in _POINTS:
            valid, mended = made, False
        else:
            mended = not shapely.is_valid(made)
            valid = (
                _areas(shapely.make_valid(made, method="structure", keep_collapsed=False)) if mended else made
            )
    if not within:
        raise DataError(
            f"feature {number:,} has coordinates that are not finite, or beyond {_MOST:,}",
            where=path,
            expected="numbers of pixels",
        )
    return (None, False) if valid.is_empty else (valid, mended)


def _areas(made: Any) -> Any:
    """Return what has an area of a shape that was made valid: lines that fell off a polygon have none."""
    import shapely

    parts = shapely.get_parts(shapely.get_parts(made))
    return shapely.union_all([part for part in parts if part.geom_type == "Polygon"])
