"""``source: spatialdata``: any SpatialData store with an H&E image, and a table of its shapes or labels.

Read are the elements that dataset.yaml names (``image_element``, ``table``, ``region``), or the only ones
possible; both on-disk formats, and the oldest layout.  An observation is a row of the table, its place the
centre of its shape or label, taken through a coordinate system that it and the image both name.  Every
element goes through the checked door of ``data/stores``, which the library does not have.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, UInt8
from scipy.sparse import csr_matrix

from prestige.data.cache import Recipe, prepare
from prestige.data.columns.counts import count_faults
from prestige.data.columns.ids import whole_ids
from prestige.data.columns.measured import measured_rows, only_rows
from prestige.data.columns.totals import totals_of
from prestige.data.frames import read_columns
from prestige.data.platforms.annotated import named_genes
from prestige.data.prepared import Prepared
from prestige.data.sample import Counts, Table
from prestige.data.slides.pixel_size import settled_um
from prestige.data.spec import SampleSpec
from prestige.data.stores.annotations import Annotation, matched, rows_of
from prestige.data.stores.chosen import Chosen, Named, choose, choose_table
from prestige.data.stores.frames import moved
from prestige.data.stores.images import damaged_colours, write_image
from prestige.data.stores.labels import labels_in, read_labels
from prestige.data.stores.links import id_column
from prestige.data.stores.shapes import read_shapes
from prestige.data.stores.zarrs import check_elements, element
from prestige.data.tables import counts_beside, read_counts, row_sums
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.text import some


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the store at ``spec.path``.

    Raises
    ------
    DataError
        For elements that are missing, damaged or several, a table and an image without a common system, ids
        without a shape, no genes, pixels that are not square or of no stated width.
    """
    store, where = spec.path, f"sample '{spec.id}'"
    named = Named(spec.table, spec.region, spec.image_element, spec.coordinate_system)
    table, link, notes = choose_table(store, named)
    chosen = _checked_choice(store, named, table, link, counts)
    stated = chosen.stated_um()
    given = [("dataset.yaml", spec.um_per_px)] if spec.um_per_px else []
    _, on_width = settled_um([*given, *stated], where=where, trusted=spec.trust_um_per_px)
    files = {"region": store / chosen.region, **({} if table is None else {"table": store / table})}
    prepared = prepare(
        Recipe(
            # Version 1 read what a shard does not hold as black.
            source="spatialdata/2" if chosen.stored.lost and chosen.raster.array.shards else "spatialdata/1",
            where=where,
            slide_files={"image": store / chosen.image},
            table_files=files,
            write_slide=lambda target: write_image(store, chosen.image, target, stored=chosen.stored),
            read_table=lambda pixels: _with_colours(_read_table(store, chosen), pixels, chosen.image),
            um_per_px=stated[0][1] if stated else None,
            rules=(f"region {chosen.region}", f"system {chosen.system}"),
        ),
        cache_dir,
    )
    said = (*prepared.table.notes, *notes, *chosen.notes, *on_width)
    return replace(prepared, table=replace(prepared.table, notes=said))


def _checked_choice(store: Path, named: Named, table: str | None, link: Annotation, counts: Counts) -> Chosen:
    """Return the elements, or every fault of image, region and table at once."""
    faults: list[PrestigeError] = []
    if table is None and counts == "needed":
        expected = "a table of counts in tables"
        remedy = "without it a section can be predicted, not trained on, split or scored"
        faults.append(DataError("no table", where=store, expected=expected, remedy=remedy))
    chosen = None
    try:
        chosen = choose(store, named, table, link)
        check_elements(store, tuple(name for name in (chosen.image, chosen.region, table) if name))
    except PrestigeError as error:
        faults.extend(error.faults)
    if table is not None:
        try:
            with element(store, table) as group:
                named_genes(group, where=f"{store}, {table}")
                if faults:  # else they are looked at with all of the table
                    matrix = read_counts(group, where=f"{store}, {table}")
                    rows = pd.RangeIndex(matrix.shape[0])
                    faults.extend(count_faults(matrix, rows, where=f"{store}, {table}"))
        except PrestigeError as error:
            faults.extend(error.faults)
    raise_all(faults)
    assert chosen is not None
    return chosen


def _read_table(store: Path, chosen: Chosen) -> Table:
    """Read the rows of the region, their places in pixels of the image, and their counts.

    Raises
    ------
    DataError
        When elements are broken or contradict each other.
    """
    if chosen.table is None:
        ids, xy_px, notes = _places(store, chosen, None, "")
        obs = pd.DataFrame({"measured": False, "total_counts": 0.0}, index=pd.Index(ids.astype(str)))
        none = csr_matrix(np.zeros((len(obs), 0), dtype=np.float32))
        return Table(obs, xy_px, none, (), (*notes, *_on_image(chosen, xy_px, obs.index)))
    where = f"{store}, {chosen.table}"
    with element(store, chosen.table) as group:
        obs, left_out = read_columns(group, "obs", where=where)
        genes = named_genes(group, where=where)
        counts = read_counts(group, where=where)
        beside = counts_beside(group, counts, where=where)
    if counts.shape[0] != len(obs):
        raise DataError(f"counts of {counts.shape[0]:,} rows for {len(obs):,} in obs", where=where)
    if genes.kept is None and counts.shape[1] != len(genes.names):
        raise DataError(f"counts of {counts.shape[1]:,} genes for {len(genes.names):,} in var", where=where)
    kept, notes = rows_of(obs, chosen.link, chosen.region_name, where)
    obs, counts = obs[kept], csr_matrix(genes.of(counts)[np.flatnonzero(kept)])
    column = id_column(obs, chosen.link.instance_key, where)
    obs.index = pd.Index(obs.index.astype(str))
    _, xy_px, of_places = _places(store, chosen, column, where)
    measured, on_rows = measured_rows(obs, where=where)
    counts = only_rows(counts, measured)
    n_genes = len(genes.names)
    found = totals_of(obs, row_sums(counts), where=where, n_genes=n_genes, measured=measured)
    obs = obs.assign(measured=measured, total_counts=found.values)
    notes = [*genes.notes, *notes, *of_places, *on_rows, *([found.note] if found.note else []), *left_out]
    notes += _on_image(chosen, xy_px, obs.index)
    return Table(obs, xy_px, counts, genes.names, tuple(notes), beside)


def _with_colours(table: Table, pixels: UInt8[np.ndarray, "height width 3"], image: str) -> Table:
    return replace(table, notes=(*table.notes, *damaged_colours(pixels, image)))


def _places(
    store: Path, chosen: Chosen, column: pd.Series | None, where: str
) -> tuple[pd.Index, Float[np.ndarray, "n 2"], list[str]]:
    """Return ids and places, in pixels of the image, of the instances that rows name; of all without rows."""
    region, name = chosen.region, chosen.region_name
    if region.startswith("labels/"):
        expected = f"the labels of {name}, whole numbers above 0"
        labels = (
            labels_in(store, region)
            if column is None
            else whole_ids(column, where=where, what="ids", expected=expected)
        )
        xy, notes = read_labels(store, region, labels)
        return pd.Index(labels), moved(xy, chosen.matrix), notes
    shapes = read_shapes(store, region)
    notes, ids, xy = [], shapes.ids, shapes.xy
    if column is not None:
        rows = matched(column, shapes.ids, region=name, what="shape", where=where)
        if len(rows) < len(ids):
            notes.append(
                f"{len(ids) - len(rows):,} of {len(ids):,} shapes of {name} have no row in the table"
            )
        ids, xy = ids[rows], xy[rows]
    # The first pixel reaches from 0 to 1 there; here its centre is 0.
    return ids, moved(xy - 0.5, chosen.matrix), notes


def _on_image(chosen: Chosen, xy_px: Float[np.ndarray, "n 2"], ids: pd.Index) -> list[str]:
    """Return what is to be said of the image under the places.

    Raises
    ------
    DataError
        When places lie where the image has no pixels.
    """
    lost = chosen.stored.lost
    if not lost:
        return []
    blank = chosen.stored.under(xy_px)
    if blank.any():
        raise DataError(
            f"{lost:,} chunks of the image are not stored, and observations lie where it has no pixels: "
            f"{some(ids[blank])}",
            where=chosen.raster.where,
            expected="pixels under every observation",
            remedy="copy it again if it was cut off, or take these rows off the table",
        )
    return [f"{lost:,} chunks of {chosen.image} are not stored: white there, and no observation on them"]
