"""``sample.json`` of a prepared sample: what it may say, and whether the files beside it are as it says."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prestige.compute.files import write_text
from prestige.compute.integrity import WHOLE_BYTES, damage, vouch
from prestige.errors import DataError, PrestigeError, one_line, reading
from prestige.inputs import plain_folder, read_json_object

SCHEMA = "prestige.sample/1"
SLIDE, TABLE, CARD = "slide.npy", "table.h5ad", "sample.json"

_AGAIN = "prepare the sample again, or copy its folder again"
_EXPECTED = f"a prepared sample with the files {SLIDE}, {TABLE} and {CARD}"
_TABLE_BYTES = 1 << 28  # a table is read whole anyway when it is opened
_SAME_TIME_NS = 1_000_000  # some file systems round times
_Size = Annotated[int, Field(ge=0)]


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


class Content(BaseModel):
    """All of ``sample.json`` that is read; what else stands there is left."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    source: str
    fingerprint: Annotated[str, Field(min_length=1)]
    slide_fingerprint: Annotated[str, Field(min_length=1)]
    um_per_px: Annotated[float, Field(gt=0, lt=1e4)] | None
    um_per_px_assumed: bool
    notes: list[str]
    bytes: dict[Literal["slide.npy", "table.h5ad"], _Size] = Field(min_length=2)

    @property
    def card(self) -> Card:
        """The part that is handed on."""
        return Card(**{name: getattr(self, name) for name in Card.__dataclass_fields__})


def write_card(folder: Path, card: Card, notes: Sequence[str], more: Mapping[str, Any]) -> None:
    """Write ``sample.json`` beside the files of a prepared sample, whose sizes it names.

    Parameters
    ----------
    more
        What else it says: counts, checksums of the files.

    Raises
    ------
    StorageError
        When there is no room, or no right to write.
    """
    sizes = {name: (folder / name).stat().st_size for name in (SLIDE, TABLE)}
    content = {"schema": SCHEMA, **asdict(card), **more, "notes": list(notes), "bytes": sizes}
    write_text(folder / CARD, json.dumps(with_own_checksum(content), indent=1) + "\n")


def with_own_checksum(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a card with the checksum of all else in it."""
    others = {key: value for key, value in content.items() if key != "card"}
    return {**others, "card": f"{zlib.crc32(json.dumps(others, sort_keys=True).encode()):08x}"}


def read_card(folder: Path) -> Content:
    """Read ``sample.json``.

    Raises
    ------
    DataError
        When there is no such folder or file, it is of a newer version, or a value is missing or impossible.
    """
    plain_folder(folder, expected=_EXPECTED)
    if not (folder / CARD).exists():
        raise DataError(f"the file '{CARD}' is missing", where=folder, expected=_EXPECTED)
    raw = read_json_object(folder / CARD, expected=_EXPECTED, remedy=_AGAIN)
    if raw.get("schema") != SCHEMA:
        raise DataError(
            f"the schema is {raw.get('schema')!r}",
            where=folder / CARD,
            expected=SCHEMA,
            remedy="update prestige or prepare the sample again",
        )
    try:
        return Content.model_validate(raw)
    except ValidationError as error:
        raise _fault(error, folder / CARD) from error


def checksums_of(folder: Path) -> dict[str, Any]:
    """Return what ``sample.json`` keeps of the two files beside it."""
    return {
        name: {**vouch(folder / name), "written_ns": (folder / name).stat().st_mtime_ns}
        for name in (SLIDE, TABLE)
    }


def fault_in(folder: Path, *, copied: bool = False, thorough: bool = False) -> str | None:
    """Say what is wrong with a prepared folder, None where it is whole.

    Of the slide some blocks are read; all of it where its time is another than it was written with.

    Parameters
    ----------
    copied
        Whether a user may have copied the folder, which changes times, and mended its card by hand.
    thorough
        Whether to read every byte.
    """
    try:
        sizes = read_card(folder).bytes
        card = read_json_object(folder / CARD, expected="the card of a prepared sample")
        if not copied and "card" in card and card != with_own_checksum(card):
            return f"{CARD} holds other bytes than were written"
        with reading(folder / CARD):
            vouched = {name: dict(one) for name, one in card.get("checksums", {}).items()}
        for name, size in sizes.items():
            one = {**vouched.get(name, {}), "bytes": size}
            with reading(folder / name):
                fault = _fault_of(folder / name, one, by_time=not copied, thorough=thorough)
            if fault is not None:
                return f"{name} {fault}"
    except PrestigeError as error:
        return f"{Path(error.where or '').name} {error.what}"
    return None


def refuse_damaged(folder: Path) -> None:
    """Refuse a copied folder that is not as it was written, where its sizes are right.

    Raises
    ------
    DataError
        When a checksum is another.
    """
    fault = fault_in(folder, copied=True)
    if fault is not None and fault.endswith("than were written"):
        raise DataError(fault, where=folder, remedy="copy the folder again, or prepare the sample again")


def _fault_of(path: Path, vouched: dict[str, Any], *, by_time: bool, thorough: bool) -> str | None:
    usual = _TABLE_BYTES if path.name == TABLE else WHOLE_BYTES
    fault = damage(path, vouched, whole_bytes=None if thorough else usual)
    written, status = vouched.get("written_ns"), None if fault else path.stat()
    if status is None or written is None or not by_time or abs(status.st_mtime_ns - written) < _SAME_TIME_NS:
        return fault
    fault = damage(path, vouched, whole_bytes=None)
    if fault is None:
        with suppress(OSError):  # another user's cache is read and not written
            os.utime(path, ns=(status.st_atime_ns, written))
    return fault


def _fault(error: ValidationError, where: Path) -> DataError:
    first: Any = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "missing":
        return DataError(f"the key '{place}' is missing", where=where, expected=SCHEMA, remedy=_AGAIN)
    return DataError(
        f"'{place}' is {one_line(repr(first['input']), 60)}",
        where=where,
        expected=_WANTED.get(str(first["loc"][0]), "a text"),
        remedy=_AGAIN,
    )


_WANTED = {
    "um_per_px": "the width of a pixel in micrometres, above 0, or null",
    "um_per_px_assumed": "true or false",
    "notes": "a list of texts",
    "bytes": f"the sizes of {SLIDE} and {TABLE} in bytes",
}
