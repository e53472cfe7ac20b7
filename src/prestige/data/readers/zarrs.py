"""Elements of a SpatialData store, in both on-disk formats, opened one by one and refused where cut off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prestige.compute.progress import Progress
from prestige.data.tables import BROKEN
from prestige.errors import DataError, nearest

WHOLE = "a whole SpatialData store in the challenge's layout"
AGAIN = "copy it again if it was cut off"


def check_elements(store: Path, elements: tuple[str, ...]) -> None:
    """Refuse a store that lacks one of the elements, naming those missing and the nearest one there.

    Raises
    ------
    DataError
        Also when there is no store at all.
    """
    if not store.is_dir():
        raise DataError("no such store", where=store, expected=WHOLE, remedy="check path: in dataset.yaml")
    missing = [name for name in elements if not (store / name).is_dir()]
    if not missing:
        return
    there = sorted(
        f"{kind.name}/{item.name}"
        for kind in store.iterdir()
        if kind.is_dir()
        for item in kind.iterdir()
        if item.is_dir() and f"{kind.name}/{item.name}" not in elements
    )
    near = nearest(missing[0], there)
    raise DataError(
        f"missing: {', '.join(missing)}",
        where=store,
        expected=WHOLE,
        remedy=f"did you mean '{near}'?" if near else AGAIN,
    )


@contextmanager
def element(store: Path, name: str) -> Iterator[Any]:
    """Give a zarr group of the store; what zarr and its codecs raise inside is a fault of the element."""
    import zarr

    try:
        _check_blosc(store / name)
        yield zarr.open_group(store / name, mode="r", use_consolidated=False)
    except BROKEN as error:
        if getattr(error, "errno", None) is not None and not isinstance(error, FileNotFoundError):
            raise  # the disk's fault (full, no right), not the store's
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(
            f"cannot be read ({reason})", where=f"{store}, {name}", expected=WHOLE, remedy=AGAIN
        ) from error


def _check_blosc(element: Path) -> None:
    """Refuse chunks that are shorter than their own header says: blosc would decode them to noise.

    Raises
    ------
    ValueError
        Naming the first such chunk.
    """
    for metadata in sorted(element.rglob(".zarray")) + sorted(element.rglob("zarr.json")):
        array = json.loads(metadata.read_text(encoding="utf-8"))
        codecs = array.get("codecs") or [{"name": (array.get("compressor") or {}).get("id")}]
        if codecs[-1].get("name") != "blosc":
            continue
        for chunk in metadata.parent.rglob("*"):
            if chunk.name.startswith((".z", "zarr.json")) or not chunk.is_file():
                continue
            with chunk.open("rb") as file:
                header = file.read(16)  # bytes 12 to 15: size of the whole, little-endian
            if len(header) < 16 or int.from_bytes(header[12:], "little") > chunk.stat().st_size:
                raise ValueError(f"the chunk {chunk.relative_to(element)} is cut off")


def level0(group: Any, where: str) -> Any:
    """Return the array of full resolution; its axes are c, y, x."""
    attributes = group.attrs.asdict()
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        raise DataError(
            "says nothing of its scales ('multiscales')", where=where, expected=WHOLE, remedy=AGAIN
        )
    axes = [axis["name"] if isinstance(axis, dict) else axis for axis in scales[0]["axes"]]
    array = group[scales[0]["datasets"][0]["path"]]
    if axes != ["c", "y", "x"] or array.ndim != 3:
        raise DataError(
            f"has the axes {', '.join(axes)}", where=where, expected="an image with the axes c, y, x"
        )
    return array


def windows_of(array: Any) -> list[tuple[slice, slice]]:
    """Return the chunks of an image (c, y, x) as windows in y and x."""
    (_, height, width), (_, rows, columns) = array.shape, array.shards or array.chunks
    return [
        (slice(y, min(y + rows, height)), slice(x, min(x + columns, width)))
        for y in range(0, height, rows)
        for x in range(0, width, columns)
    ]


def chunks(array: Any, label: str) -> Iterator[tuple[slice, slice]]:
    """Go over the chunks of an image (c, y, x) as windows in y and x."""
    windows = windows_of(array)
    with Progress(label, len(windows)) as progress:
        for window in windows:
            yield window
            progress.advance()
