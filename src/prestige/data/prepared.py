"""A prepared sample: the one form that everything behind the readers reads.

A folder of three files, complete in itself: copy it to any machine and name it in dataset.yaml with
``source: prepared``; reading it needs numpy, pandas, scipy and anndata alone.

``slide.npy``
    (height, width, 3) uint8 pixels, uncompressed, to be memory-mapped.
``table.h5ad``
    X raw counts, ``obs`` with ``measured`` and ``total_counts``, ``obsm["spatial"]`` centres in slide pixels.
``sample.json``
    Written last: sizes, fingerprints, the pixel size that the source stated, notes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import UInt8

from prestige.data.h5ad import write_h5ad
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.sample import Table
from prestige.data.slides.slide import open_pixels
from prestige.data.tables import canonical, read_frame, read_part
from prestige.errors import DataError

SCHEMA = "prestige.sample/1"
SLIDE, TABLE, CARD = "slide.npy", "table.h5ad", "sample.json"


@dataclass(frozen=True)
class Card:
    """What ``sample.json`` says beside the sizes of the files.

    Parameters
    ----------
    source
        The reader that made the folder.
    fingerprint, slide_fingerprint
        Hashes of the content it was made from.
    um_per_px
        What the source states, or assumes; None when it does neither.
    um_per_px_assumed
        Whether that is an assumption.
    """

    source: str
    fingerprint: str
    slide_fingerprint: str
    um_per_px: float | None
    um_per_px_assumed: bool


@dataclass(frozen=True, eq=False)
class Prepared:
    """A prepared folder, opened: its card, its pixels (memory-mapped) and its table."""

    folder: Path
    card: Card
    pixels: UInt8[np.ndarray, "height width 3"]
    table: Table


def is_prepared(folder: Path) -> bool:
    """Whether ``folder`` is finished and its files have the sizes they were written with."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in card["bytes"].items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def write_prepared(folder: Path, table: Table, card: Card) -> None:
    """Write table and card into ``folder``, which holds ``slide.npy`` already.

    Raises
    ------
    OSError
        When there is no room, or no right to write.
    """
    import anndata

    height, width, _ = open_pixels(folder / SLIDE).shape
    obs = table.obs.copy()
    obs.index = pd.Index(obs.index.astype(str), name=None)
    for name in obs.select_dtypes(include="object").columns:
        obs[name] = obs[name].astype(str)
    var = pd.DataFrame(index=pd.Index(list(table.genes), dtype=object))
    centres: dict[str, Any] = {"spatial": table.xy_px}
    out = anndata.AnnData(X=table.counts, obs=obs, var=var, obsm=centres)
    write_h5ad(out, folder / TABLE)
    content = {
        "schema": SCHEMA,
        **card.__dict__,
        "width_px": width,
        "height_px": height,
        "n_obs": len(obs),
        "n_genes": len(table.genes),
        "notes": list(table.notes),
        "bytes": {name: (folder / name).stat().st_size for name in (SLIDE, TABLE)},
    }
    (folder / CARD).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_prepared(folder: Path) -> Prepared:
    """Open a prepared folder.

    Raises
    ------
    DataError
        When it is none, is unfinished or cut off, or was written by a newer version.
    """
    content = _read_card(folder)
    for name, size in content["bytes"].items():
        there = (folder / name).stat().st_size if (folder / name).is_file() else None
        if there != size:
            raise DataError(
                f"the file '{name}' is missing" if there is None else f"'{name}' has {there:,} bytes",
                where=folder,
                expected=f"{size:,} bytes",
                remedy="copy the folder again: it was cut off",
            )
    card = Card(**{key: content[key] for key in Card.__dataclass_fields__})
    return Prepared(folder, card, open_pixels(folder / SLIDE), _read_table(folder / TABLE, content["notes"]))


def _read_card(folder: Path) -> dict[str, Any]:
    expected = f"a prepared sample with the files {SLIDE}, {TABLE} and {CARD}"
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, expected=expected)
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"the file '{CARD}' is missing", where=folder, expected=expected) from None
    except (OSError, ValueError) as error:
        raise DataError(f"'{CARD}' cannot be read ({error})", where=folder, expected=expected) from error
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise DataError(
            f"the schema is {schema!r}",
            where=folder / CARD,
            expected=SCHEMA,
            remedy="update prestige or prepare the sample again",
        )
    missing = {*Card.__dataclass_fields__, "bytes", "notes"} - set(content)
    if missing:
        raise DataError(f"the key '{min(missing)}' is missing", where=folder / CARD, expected=SCHEMA)
    return content


def _read_table(path: Path, notes: list[str]) -> Table:
    where = str(path)
    with opened_h5ad(path) as file:
        obs = read_frame(file, "obs", where=where)
        counts = canonical(read_part(file, "X", where=where), where=where)
        xy_px = np.asarray(read_part(file, "obsm/spatial", where=where), dtype=np.float64)
        genes = tuple(str(name) for name in read_frame(file, "var", where=where).index)
    missing = {"measured", "total_counts"} - set(obs.columns)
    if missing:
        raise DataError(f"obs has no column '{min(missing)}'", where=where, expected="a prepared table")
    obs.index = pd.Index(obs.index.astype(str), name=None)
    return Table(obs=obs, xy_px=xy_px, counts=counts, genes=genes, notes=tuple(notes))
