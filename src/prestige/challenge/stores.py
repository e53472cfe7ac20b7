"""A folder of the challenge's stores -> dataset.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prestige.challenge.rules import GROUPS, SAMPLES, covariates_of, group_codes, patient_of
from prestige.compute.files import write_text
from prestige.data.frames import read_columns
from prestige.data.readers.challenge import CELLS, COUNTS, IMAGE, MASK
from prestige.data.spec import DatasetConfig
from prestige.data.stores.zarrs import check_elements, element
from prestige.data.tables import read_frame, read_genes
from prestige.errors import DataError, PrestigeError, StorageError, raise_all
from prestige.inputs import plain_folder, real_path
from prestige.settings import build, parse
from prestige.settings.written import scalar, short_path

_LARGE = ("images/DAPI", "images/HE_registered", "points/transcripts")
_HEAD = """\
# {n} of the Autoimmune Disease ML Challenge, written by `prestige challenge prepare`.
# obs["group"] of a cell is train (0), validation (1) or test (2); those of train were measured.
{of_pixels}name: challenge
samples:
"""
_NO_SIZE = (
    "# The challenge states no pixel size: 0.5 um/px is assumed, and said, where no um_per_px: stands.\n"
)


@dataclass(frozen=True)
class Store:
    """One store of the challenge, as its own tables describe it.

    Attributes
    ----------
    path
        Its folder.
    cells
        Number of cells of each group.
    n_measured, n_genes
        Rows and genes of ``anucleus``; none where it is not there.
    is_large
        Whether it holds what the large variant adds (DAPI, registered images, transcripts).
    """

    path: Path
    cells: Mapping[str, int]
    n_measured: int
    n_genes: int
    is_large: bool

    @property
    def name(self) -> str:
        """The section."""
        return self.path.name.removesuffix(".zarr")


def prepare(
    folder: Path | str,
    out: Path | str | None = None,
    *,
    um_per_px: float | None = None,
    dry_run: bool = False,
) -> tuple[Path, str]:
    """Write a dataset.yaml that lists the challenge's stores in a folder.

    Stores are known by what they hold, not by their names; one in which nothing was measured (DC1) is there
    for prediction only.

    Parameters
    ----------
    folder
        The folder that holds the stores.
    out
        The yaml to write; ``dataset.yaml`` in the folder by default.
    um_per_px
        Width of a pixel of all images, where it is known.
    dry_run
        Whether nothing is written.

    Returns
    -------
    The yaml's path and its text.

    Raises
    ------
    DataError
        When there is no store, or one is incomplete; every fault of every store.
    StorageError
        When the yaml is there already, or cannot be written.
    """
    folder = Path(folder)
    out = folder / "dataset.yaml" if out is None else Path(out)
    text = _yaml(_stores(folder), out, um_per_px)
    build(DatasetConfig, parse(text, where=out), where=out)  # names that no sample may have are told here
    if not dry_run:
        if os.path.lexists(out):
            raise StorageError(
                "is there already", where=out, remedy="name another file with --out, or move it away"
            )
        write_text(out, text, keep=True)
    return out, text


def _stores(folder: Path) -> list[Store]:
    plain_folder(folder, expected="a folder of the challenge's stores")
    if (folder / IMAGE).is_dir():
        raise DataError(
            "is one store",
            where=folder,
            expected="the folder that holds the stores",
            remedy=f"name the folder above: {real_path(folder).parent}",
        )
    found: list[Store] = []
    faults: list[PrestigeError] = []
    for path in sorted(folder.iterdir()):
        if (path / IMAGE).is_dir() or (path / MASK).is_dir():
            try:
                found.append(_look(path))
            except PrestigeError as error:
                faults.extend(error.faults)
    faults.extend(_doubled(found))
    raise_all(faults)
    if not found:
        packed = [
            path.name for path in sorted(folder.iterdir()) if path.name.endswith((".zip", ".tar", ".gz"))
        ]
        raise DataError(
            "holds no store of the challenge",
            where=folder,
            expected=f"folders with {IMAGE}, {MASK} and {CELLS}, such as {SAMPLES[0]}.zarr",
            remedy=f"unpack {packed[0]} first" if packed else None,
        )
    return found


def _look(path: Path) -> Store:
    """Read what a store says of its cells; no pixel is read."""
    is_large = any((path / name).is_dir() for name in _LARGE)
    if not (path / CELLS).is_dir() and not (path / COUNTS).is_dir():  # a section of H&E alone
        check_elements(path, (IMAGE, MASK))
        return Store(path, {}, 0, 0, is_large)
    check_elements(path, (IMAGE, MASK, CELLS))
    where = f"{path}, {CELLS}"
    with element(path, CELLS) as group:
        cells, _ = read_columns(group, "obs", where=where)
    if "group" not in cells.columns:
        raise DataError("obs has no column 'group'", where=where, expected="the group of each cell")
    codes = group_codes(cells["group"], where=where)
    of_groups = {name: int((codes == code).sum()) for name, code in GROUPS.items()}
    n_measured = n_genes = 0
    if (path / COUNTS).is_dir():
        where = f"{path}, {COUNTS}"
        with element(path, COUNTS, whole=False) as group:
            n_measured = len(read_frame(group, "obs", where=where))
            n_genes = len(read_genes(group, where=where).names)
    return Store(path, of_groups, n_measured, n_genes, is_large)


def _doubled(stores: list[Store]) -> list[PrestigeError]:
    first: dict[str, Store] = {}
    return [
        DataError(
            f"is named like '{first[store.name].path.name}'",
            where=store.path,
            expected="every section once",
            remedy="move one of the two away",
        )
        for store in stores
        if first.setdefault(store.name, store) is not store
    ]


def _yaml(stores: list[Store], out: Path, um_per_px: float | None) -> str:
    n = f"{len(stores)} section{'s' if len(stores) > 1 else ''}"
    return _HEAD.format(n=n, of_pixels=_NO_SIZE if um_per_px is None else "") + "".join(
        _entry(store, out, um_per_px) for store in stores
    )


def _entry(store: Store, out: Path, um_per_px: float | None) -> str:
    groups = ", ".join(f"{n:,} {name}" for name, n in store.cells.items() if n)
    measured = (
        f"{store.n_measured:,} measured in {store.n_genes} genes" if store.n_measured else "no expression"
    )
    variant = "; the large variant" if store.is_large else ""
    lines = [
        f"  # {sum(store.cells.values()):,} cells ({groups}); {measured}{variant}"
        if store.cells
        else f"  # H&E alone: a cell for each label; {measured}{variant}",
        f"  - id: {scalar(store.name)}",
        "    source: challenge",
        f"    path: {scalar(short_path(store.path, out.parent))}",
        f"    patient: {scalar(patient_of(store.name))}",
    ]
    if um_per_px is not None:
        lines.append(f"    um_per_px: {um_per_px:g}")
    if not store.n_measured:
        lines.append("    prediction_only: true")
    if of_name := covariates_of(store.name):
        pairs = ", ".join(f"{key}: {scalar(value)}" for key, value in of_name.items())
        lines.append(f"    covariates: {{{pairs}}}")
    return "\n".join(lines) + "\n"
