"""``source: slide``: an image alone, for prediction.

``path`` is the image, ``points`` where expression is to be predicted: a lattice over the tissue (``grid``,
``spots``), or a file of places or labels.  There are no counts, and none are invented: such a sample can be
inspected and predicted, not trained on, split or scored.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from scipy.sparse import csr_matrix

from prestige.data.points.files import EXPECTED, kind_of_file, read_points
from prestige.data.points.lattice import LATTICES, Lattice, Spacing, places_on
from prestige.data.points.masks import centres_of
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_on_pixels
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import Image, image_of
from prestige.data.slides.pixel_size import settled_um
from prestige.data.spec import SampleSpec
from prestige.errors import nearest
from prestige.inputs import plain_file

_DEFAULT = Lattice(grid=Spacing())


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the image at ``spec.path`` with the places of ``spec.points``.

    Raises
    ------
    DataError
        For a missing or broken image or file of places, no width of a pixel, places beside the image.
    """
    where = f"sample '{spec.id}'"
    image = image_of(spec.path)
    points = spec.points or _DEFAULT
    if not isinstance(points, Lattice):
        near = nearest(points.name, LATTICES)
        plain_file(points, expected=EXPECTED, remedy=f"did you mean points: {near}?" if near else None)
    stated = list(image.stated_um().values())
    um = spec.um_per_px or (stated[0] if stated else None)
    if um is None:
        settled_um([], where=where)
    assert um is not None
    rules = [f"points in {spec.points_unit}"] if spec.points_unit else []
    # Places in micrometres, and lattices, lie elsewhere where a pixel is of another width.
    rules.append(f"{um!r} um/px" + (f", {points.words}" if isinstance(points, Lattice) else ""))
    return prepare_on_pixels(
        spec,
        cache_dir,
        source="slide/1",
        image=image,
        table_files={} if isinstance(points, Lattice) else {"points": points},
        read_table=partial(_read_table, spec, points, um, image),
        rules=tuple(rules),
    )


def _read_table(
    spec: SampleSpec, points: Lattice | Path, um: float, image: Image, pixels: UInt8[np.ndarray, "h w 3"]
) -> Table:
    """Return the places as observations without counts; none of a lattice where the image has no pixels."""
    height, width = pixels.shape[:2]
    if isinstance(points, Lattice):
        xy_px, note = places_on(points, pixels, um, where=f"sample '{spec.id}'")
        blank = image.on_no_pixels(xy_px)[0]
        xy_px = np.delete(xy_px, blank, axis=0)
        note += f"; {len(blank):,} of these have no pixels under them: left out" if len(blank) else ""
        names, notes = [str(number) for number in range(1, len(xy_px) + 1)], (note,)
    elif (kind := kind_of_file(points)) in ("tiff", "numpy"):
        xy_px, labels, notes = centres_of(points, is_numpy=kind == "numpy", height=height, width=width)
        names = labels.astype(str).tolist()
    else:
        found = read_points(points, spec.points_unit)
        xy_px = found.xy / um if found.in_um else found.xy
        names, notes = list(found.names), found.notes
    obs = pd.DataFrame({"measured": False, "total_counts": 0.0}, index=pd.Index(names, dtype=object))
    return Table(obs, xy_px, csr_matrix(np.zeros((len(obs), 0), dtype=np.float32)), (), notes)
