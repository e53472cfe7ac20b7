"""The frozen settings every part declares, and the reading of them from yaml.

A part keeps its settings above the code that reads them, as a :class:`Settings` subclass.
Nothing here imports torch, so a yaml can be checked in a fraction of a second.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from prestige.errors import ConfigError, PrestigeError, nearest, raise_all

S = TypeVar("S", bound="Settings")
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")


class Settings(BaseModel):
    """Frozen settings that refuse keys they do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one yaml mapping, with ``${NAME}`` and ``${NAME:-default}`` replaced from the environment.

    Raises
    ------
    ConfigError
        When the file is missing, is no yaml mapping, or names a variable that is not set.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("no such file", where=path, expected="a yaml file") from None
    except (IsADirectoryError, PermissionError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=path, expected="a yaml file") from error
    try:
        raw = yaml.safe_load(_expand(text, path))
    except yaml.YAMLError as error:
        raise ConfigError(f"is not valid yaml: {' '.join(str(error).split())}", where=path) from error
    if not isinstance(raw, dict):
        raise ConfigError("holds no settings", where=path, expected="a yaml mapping of keys to values")
    return raw


def build(cls: type[S], raw: Mapping[str, Any], *, where: str | Path) -> S:
    """Check a mapping against a settings class, listing every fault at once.

    Raises
    ------
    ConfigError
        With, for an unknown key, the nearest key that exists.
    """
    try:
        return cls.model_validate(dict(raw))
    except ValidationError as error:
        items = error.errors(include_url=False)
        meant = {_meant(item, cls) for item in items}
        raise_all([_fault(item, cls, where) for item in items if _missing(item) not in meant])
        raise


def resolve_path(path: Path, base: Path) -> Path:
    """Return ``path`` made absolute against the folder of the file that named it."""
    path = Path(path).expanduser()
    return path if path.is_absolute() else (base / path).resolve()


def _expand(text: str, path: Path) -> str:
    def value(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        known = os.environ.get(name) or default
        if known is None:
            raise ConfigError(
                f"the variable ${{{name}}} is not set",
                where=path,
                expected="a value in the environment",
                remedy=f"export {name}=... or write ${{{name}:-default}}",
            )
        return known

    return _VARIABLE.sub(value, text)


def _meant(item: Any, cls: type[Settings]) -> tuple[Any, ...] | None:
    """Return the place of the key that an unknown one is nearest to."""
    if item["type"] != "extra_forbidden":
        return None
    *above, last = item["loc"]
    return (*above, nearest(str(last), sorted(_fields_at(cls, tuple(above)))))


def _missing(item: Any) -> tuple[Any, ...]:
    """Return the place of a key that is missing; nothing more is to be said where it was misspelt."""
    return tuple(item["loc"]) if item["type"] == "missing" else ()


def _fault(item: Any, cls: type[Settings], where: str | Path) -> PrestigeError:
    location = tuple(item["loc"])
    dotted = ".".join(str(key) for key in location)
    if item["type"] == "extra_forbidden":
        known = sorted(_fields_at(cls, location[:-1]))
        near = nearest(str(location[-1]), known)
        return ConfigError(
            f"unknown key '{dotted}'",
            where=where,
            expected="one of " + ", ".join(known) if known else None,
            remedy=f"did you mean '{near}'?" if near else None,
        )
    if item["type"] == "missing":
        return ConfigError(f"the key '{dotted}' is missing", where=where)
    message = item["msg"].removeprefix("Value error, ")
    return ConfigError(f"'{dotted}' is {item['input']!r}: {message}" if dotted else message, where=where)


def _fields_at(cls: type[Settings], location: tuple[Any, ...]) -> set[str]:
    """Return the keys allowed at a place inside nested settings."""
    current: Any = cls
    for key in location:
        field = getattr(current, "model_fields", {}).get(key) if isinstance(key, str) else None
        if field is not None:
            current = _settings_in(field.annotation) or current
    return set(getattr(current, "model_fields", {}))


def _settings_in(annotation: Any) -> type[Settings] | None:
    """Return the settings class inside ``X | None``, ``tuple[X, ...]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        settings = _settings_in(inner)
        if settings is not None:
            return settings
    return None
