"""The frozen settings every part declares, and the reading of them from yaml.

A part keeps its settings above the code that reads them, as a :class:`Settings` subclass.
Nothing here imports torch, so a yaml can be checked in a fraction of a second.

Read `document.py` for yaml as it is written, `meaning.py` for what its text means to a setting, `wrong.py`
for the words of faults, `written.py` for text and paths in a yaml that we write.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from prestige.errors import ConfigError, raise_all, reading
from prestige.inputs import real_path
from prestige.settings.document import at_line, parse, read_yaml
from prestige.settings.meaning import Wanted, typed, wanted
from prestige.settings.wrong import Misfits, faults_of

__all__ = ["Misfits", "Settings", "at_line", "build", "parse", "read_yaml", "resolve_path"]

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Frozen settings that refuse keys they do not know, and numbers that are none.

    Text that stands in a yaml without quotes becomes a number, or true or false, only in a field that takes
    one; a name stays as it is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _as_written(cls, value: Any, info: Any) -> Any:
        return typed(value, _wanted_by(cls, info.field_name))


@cache
def _wanted_by(cls: type[Settings], field: str) -> Wanted:
    return wanted(cls.model_fields[field].annotation)


def build(cls: type[S], raw: Mapping[str, Any], *, where: str | Path) -> S:
    """Check a mapping against a settings class, listing every fault at once.

    Raises
    ------
    ConfigError
        With the line of each where a yaml is checked; for an unknown key, with the nearest key that exists.
    """
    try:
        return cls.model_validate(dict(raw))
    except ValidationError as error:
        raise_all(faults_of(error, cls, raw, where))
        raise


def resolve_path(path: Path, base: Path) -> Path:
    """Return ``path`` made absolute against the folder of the file that named it.

    Raises
    ------
    ConfigError
        When there can be no such path: another user's home that is not known, a name that is too long.
    """
    with reading(path, part="the path", remedy="name another", kind=ConfigError):
        path = Path(path).expanduser()
        return path if path.is_absolute() else real_path(base / path)
