"""JSON files that name their schema: read with tolerance, refused in one line where they are newer than we.

What a newer minor change has added is left unread, what an older file lacks has its default, and ``null``
stands for a number that is not known (NaN here).
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from prestige.errors import DataError
from prestige.inputs import read_json_object

R = TypeVar("R", bound="Record")
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
"""A number, NaN where the file has none."""


class Record(BaseModel):
    """What a JSON file says, or a part of one: frozen; keys that it does not know are left."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", coerce_numbers_to_str=True, validate_by_name=True, validate_by_alias=True
    )


def read_json(path: Path, schema: str, *, remedy: str) -> tuple[dict[str, Any], int]:
    """Return what a file holds, and the version of its schema: 1 where none is stated.

    Parameters
    ----------
    schema
        The newest that is known: ``prestige.run/2``.
    remedy
        What to do where the file cannot be read.

    Raises
    ------
    DataError
        When the file is missing, cut off, something else, or of a newer version.
    """
    kind, _, newest = schema.rpartition("/")
    raw = read_json_object(path, expected=f"JSON of {schema}", remedy=remedy)
    stated = str(raw.get("schema", f"{kind}/1"))
    name, _, version = stated.rpartition("/")
    if name != kind or not re.fullmatch(r"[0-9]{1,6}", version):
        raise DataError(f"is of the schema {stated}", where=path, expected=schema, remedy=remedy)
    if int(version) > int(newest):
        raise DataError(
            f"was written by a newer version of prestige (schema {stated})",
            where=path,
            expected=f"{schema} or older",
            remedy="install a newer prestige-st",
        )
    return raw, int(version)


def parse(cls: type[R], raw: dict[str, Any], path: Path, *, remedy: str) -> R:
    """Return a record from what :func:`read_json` gave.

    Raises
    ------
    DataError
        When a value is missing or of another kind.
    """
    try:
        return cls.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _unreadable(f"'{place}': {first['msg']}", path, remedy) from error


def json_text(record: Record, schema: str) -> str:
    """Return a record as its file holds it: what was given, NaN as ``null``."""
    content = json.loads(record.model_dump_json(exclude_unset=True, by_alias=True))
    return json.dumps({"schema": schema, **content}, indent=1)


def _unreadable(why: str, path: Path, remedy: str) -> DataError:
    return DataError(f"cannot be read ({' '.join(why.split())[:200]})", where=path, remedy=remedy)
