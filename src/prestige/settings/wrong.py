"""What is wrong with settings, in plain words: one fault a line, with its key and what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from prestige.errors import ConfigError, PrestigeError, nearest, one_line
from prestige.settings.document import at_line

_LONGEST_VALUE = 60
_WHOLE, _NUMBER, _SWITCH = "a whole number", "a number", "true or false"
_LIST, _MAPPING, _TEXT = "a list", "a mapping of keys to values", "text"
_EXPECTED = {
    "bool_parsing": _SWITCH,
    "bool_type": _SWITCH,
    "int_parsing": _WHOLE,
    "int_type": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "a smaller whole number",
    "float_parsing": _NUMBER,
    "float_type": _NUMBER,
    "finite_number": "a finite number",
    "string_type": _TEXT,
    "string_unicode": _TEXT,
    "string_too_short": "text of {min_length} characters or more",
    "string_too_long": "text of {max_length} characters at most",
    "literal_error": "{expected}",
    "greater_than": "a number above {gt:g}",
    "greater_than_equal": "a number of {ge:g} or more",
    "less_than": "a number below {lt:g}",
    "less_than_equal": "a number of {le:g} at most",
    "dict_type": _MAPPING,
    "mapping_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "list_type": _LIST,
    "tuple_type": _LIST,
    "path_type": "a path",
}
"""Type of pydantic's error -> what was expected, filled with the error's own numbers."""


class Misfits(ValueError):
    """Several things that do not fit together, each with the keys that lead to it: what a validator raises.

    Parameters
    ----------
    parts
        Pairs of the keys, from the settings that are checked, and what is wrong there.
    """

    def __init__(self, parts: Iterable[tuple[tuple[Any, ...], str]]) -> None:
        self.parts = tuple(parts)
        super().__init__("; ".join(message for _, message in self.parts))


def faults_of(
    error: ValidationError, cls: type[BaseModel], raw: Mapping[str, Any], where: str | Path
) -> list[PrestigeError]:
    """Return what pydantic found wrong, a fault a place; what follows from another fault is left out.

    Parameters
    ----------
    error
        What it raised.
    cls, raw
        The settings class, and what it was given: of a yaml, lines are known.
    where
        The file.
    """
    items = [(_path(item, cls, raw), item) for item in error.errors(include_url=False)]
    meant = {_meant(path, item, cls) for path, item in items}
    told: dict[tuple[Any, ...], list[Any]] = {}
    for path, item in items:
        if item["type"] == "missing" and path in meant:
            continue  # it was misspelt, which is told
        within = any(len(other) > len(path) and other[: len(path)] == path for other, _ in items)
        if within and item["type"] not in ("value_error", "missing", "extra_forbidden"):
            continue  # another shape that it might have had, or a list that is short of what is told
        told.setdefault(path, []).append(item)
    return [one for path, wrong in told.items() for one in _told(path, wrong, cls, (where, raw))]


def shown(value: Any) -> str:
    """Return a value as messages show it: short, whatever it is."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        text = value if len(value) <= 4 * _LONGEST_VALUE else value[: 4 * _LONGEST_VALUE]
        return (
            f"'{one_line(text, _LONGEST_VALUE)}'"
            if text.strip() == text != ""
            else repr(text)[:_LONGEST_VALUE]
        )
    if isinstance(value, Mapping | list | tuple | set):
        some = "a mapping" if isinstance(value, Mapping) else "a list"
        return some if value else repr(value)
    if isinstance(value, int) and abs(value) > 10**20:
        return f"a number of {value.bit_length() * 3 // 10:,} digits"
    return one_line(repr(value), _LONGEST_VALUE)


def _told(
    path: tuple[Any, ...], items: list[Any], cls: type[BaseModel], source: tuple[str | Path, Any]
) -> list[PrestigeError]:
    """Return the faults of one place: one that names all that it might have been, and those of validators."""
    dotted, where = _dotted(path), at_line(*source, path)
    faults: list[PrestigeError] = []
    expected = []
    for item in items:
        kind, given = item["type"], item["input"]
        if kind == "extra_forbidden":
            faults.append(_unknown(path, dotted, cls, where))
        elif kind == "missing":
            faults.append(ConfigError(f"the key '{dotted}' is missing", where=where))
        elif kind in ("value_error", "assertion_error"):
            cause = item.get("ctx", {}).get("error")
            parts = cause.parts if isinstance(cause, Misfits) else [((), str(cause or item["msg"]))]
            for below, message in parts:
                whole = below or isinstance(given, Mapping | list | tuple | BaseModel)
                place = _dotted((*path, *below))
                place = f"'{place}': " if whole else f"'{place}' is {shown(given)}: "
                line = at_line(*source, (*path, *below))
                faults.append(ConfigError((place if path or below else "") + message, where=line))
        else:
            expected.append(_expected(item))
    if expected:
        words = " or ".join(dict.fromkeys(expected))
        value = shown(items[0]["input"])
        what = f"'{dotted}' is {value}" if dotted else f"is {value}"
        faults.append(ConfigError(what, where=where, expected=words))
    return faults


def _dotted(path: tuple[Any, ...]) -> str:
    return ".".join(one_line(str(key), _LONGEST_VALUE) for key in path)


def _expected(item: Any) -> str:
    known = item.get("ctx", {})
    if item["type"] in ("too_short", "too_long"):
        bound = known.get("min_length") if item["type"] == "too_short" else known.get("max_length")
        words = "or more" if item["type"] == "too_short" else "at most"
        return f"a list of {bound} {words}"
    if item["type"] in _EXPECTED:
        return _EXPECTED[item["type"]].format(**known)
    return one_line(item["msg"], 2 * _LONGEST_VALUE)


def _unknown(path: tuple[Any, ...], dotted: str, cls: type[BaseModel], where: str) -> ConfigError:
    known = sorted(_fields_at(cls, path[:-1]))
    near = nearest(str(path[-1]), known)
    return ConfigError(
        f"unknown key '{dotted}'",
        where=where,
        expected="one of " + ", ".join(known) if known else None,
        remedy=f"did you mean '{near}'?" if near else None,
    )


def _path(item: Any, cls: type[BaseModel], raw: Any) -> tuple[Any, ...]:
    """Return the keys that lead to a fault, without the words by which pydantic tells alternatives apart."""
    path: list[Any] = []
    of_settings: Any = cls
    for place, key in enumerate(item["loc"]):
        held = isinstance(raw, Mapping) and key in raw
        fields = getattr(of_settings, "model_fields", {})
        last = place == len(item["loc"]) - 1 and item["type"] in ("missing", "extra_forbidden")
        if not (held or isinstance(key, int) or key in fields or last):
            continue
        path.append(key)
        if held or (isinstance(raw, list | tuple) and isinstance(key, int) and key < len(raw)):
            raw = raw[key]
        else:
            raw = None
        if isinstance(key, str) and key in fields:
            of_settings = settings_in(fields[key].annotation) or of_settings
    return tuple(path)


def _meant(path: tuple[Any, ...], item: Any, cls: type[BaseModel]) -> tuple[Any, ...] | None:
    """Return the place of the key that an unknown one is nearest to."""
    if item["type"] != "extra_forbidden":
        return None
    return (*path[:-1], nearest(str(path[-1]), sorted(_fields_at(cls, path[:-1]))))


def _fields_at(cls: type[BaseModel], path: tuple[Any, ...]) -> set[str]:
    """Return the keys allowed at a place inside nested settings."""
    current: Any = cls
    for key in path:
        field = getattr(current, "model_fields", {}).get(key) if isinstance(key, str) else None
        if field is not None:
            current = settings_in(field.annotation) or current
    return set(getattr(current, "model_fields", {}))


def settings_in(annotation: Any) -> type[BaseModel] | None:
    """Return the settings class inside ``X | None``, ``tuple[X, ...]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        settings = settings_in(inner)
        if settings is not None:
            return settings
    return None
