"""``sample.json`` of a prepared sample: what it may say, checked when it is read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prestige.compute.files import write_text
from prestige.errors import DataError, one_line
from prestige.inputs import read_json_object

SCHEMA = "prestige.sample/1"
SLIDE, TABLE, CARD = "slide.npy", "table.h5ad", "sample.json"

_AGAIN = "prepare the sample again, or copy its folder again"
_EXPECTED = f"a prepared sample with the files {SLIDE}, {TABLE} and {CARD}"
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


def write_card(folder: Path, card: Card, notes: Sequence[str], counted: Mapping[str, int]) -> None:
    """Write ``sample.json`` beside the files of a prepared sample, whose sizes it names.

    Raises
    ------
    StorageError
        When there is no room, or no right to write.
    """
    sizes = {name: (folder / name).stat().st_size for name in (SLIDE, TABLE)}
    content = {"schema": SCHEMA, **asdict(card), **counted, "notes": list(notes), "bytes": sizes}
    write_text(folder / CARD, json.dumps(content, indent=1) + "\n")


def read_card(folder: Path) -> Content:
    """Read ``sample.json``.

    Raises
    ------
    DataError
        When there is no such folder or file, it is of a newer version, or a value is missing or impossible.
    """
    if not folder.is_dir():
        raise DataError("no such folder", where=folder, expected=_EXPECTED)
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
