"""``source: anndata``: a table that anndata wrote, and an image: the smallest thing that works.

``path`` is an ``.h5ad`` or a zarr store of one table (raw counts in ``layers["counts"]``, else in ``X``;
``obsm["spatial"]`` = x, y in pixels of the image), ``image`` the H&E.  Nothing in such a table says how wide
a pixel is: ``um_per_px`` does, where the image does not.
"""

from __future__ import annotations

from pathlib import Path

from prestige.data.platforms.annotated import opened_table, read_annotated
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.slides.images import image_of
from prestige.data.spec import SampleSpec


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
        return read_annotated(file, where=str(path))
