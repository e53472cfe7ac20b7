"""Yaml as it is written: values that remember their lines, and text that stays text until a setting types it.

A yaml is read from the parser's events and not by ``yaml.load``: what a value means is for the setting
that takes it to say (``settings/meaning.py``), so a patient called ``1_1``, ``010`` or ``NO`` keeps that
name; every fault knows its line; and aliases are counted before anything is made of them.  The events of
PyYAML carry all that is needed, so no second yaml library is asked for.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import yaml

from prestige.errors import ConfigError, PrestigeError, one_line, raise_all, reading
from prestige.inputs import read_text

MOST_BYTES = 1 << 24
"""No settings file is larger; a data set of 50,000 samples takes a third of it."""

_DEEPEST = 50
_MOST_ALIASED = 100_000  # values that aliases stand for, each time they are named
_MOST_FAULTS = 20  # of one file, told one by one
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
_UNFIT = re.compile("[\0\ud800-\udfff]")
_NOTHING = ("", "~", "null", "Null", "NULL")
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}


class Plain(str):
    """Text without quotes: a name, a number or ``true``, as the setting that takes it says."""

    __slots__ = ()


class YamlMapping(dict[str, Any]):
    """A mapping that knows in which line it begins, and in which line each of its values does."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


class YamlList(list[Any]):
    """A list that knows in which line each of its values begins."""

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: list[int] = []


def read_yaml(path: Path | str) -> dict[str, Any]:
    """Read one yaml mapping, with ``${NAME}`` and ``${NAME:-default}`` replaced from the environment.

    Values are text as they are written, or None; :func:`~prestige.settings.build` types them.  A variable
    stands for text, or by itself for a list or mapping in brackets; it never adds keys or lines to the yaml
    around it, and in comments it is not looked at.

    Raises
    ------
    ConfigError
        When the file is missing, is no yaml mapping, or names a variable that is not set: every fault with
        its line.
    """
    text = read_text(path, expected="a yaml file", kind=ConfigError, most_bytes=MOST_BYTES)
    return parse(text, where=path)


def parse(text: str, *, where: str | Path) -> dict[str, Any]:
    """Return the mapping that a yaml text holds, as :func:`read_yaml` does.

    Raises
    ------
    ConfigError
        As of :func:`read_yaml`.
    """
    raw = _Composer(_Expanded(text), where).document()
    if not isinstance(raw, YamlMapping):
        raise ConfigError("holds no settings", where=where, expected="a yaml mapping of keys to values")
    return raw


def at_line(where: str | Path, raw: Any, path: tuple[Any, ...]) -> str:
    """Return ``where`` with the line of the innermost part of a path that a yaml's values know."""
    line = None
    for key in path:
        if isinstance(raw, YamlMapping) and key in raw:
            line = raw.lines.get(key, line)  # None: it was added since
            raw = raw[key]
        elif isinstance(raw, YamlList) and isinstance(key, int) and key < len(raw):
            line = raw.lines[key]
            raw = raw[key]
        else:
            break
    return str(where) if line is None else f"{where}, line {line}"


class _Expanded:
    """A yaml text in which marks stand for its variables, so that none can change what it is made of."""

    def __init__(self, text: str) -> None:
        self.mark = next((chr(i) for i in range(0xE000, 0xF900) if chr(i) not in text), "")
        self.variables: list[tuple[str, str | None]] = []
        self.lengthened: list[tuple[int, int]] = []  # after which line of `text` how many lines are missing
        removed = 0

        def mark(match: re.Match[str]) -> str:
            nonlocal removed
            breaks = match.group().count("\n")
            if breaks:
                self.lengthened.append((text.count("\n", 0, match.start()) - removed, breaks))
                removed += breaks
            self.variables.append((match.group(1), match.group(2)))
            return f"{self.mark}{len(self.variables) - 1}{self.mark}"

        self.text = _VARIABLE.sub(mark, text) if self.mark else text
        self._marks = re.compile(f"{self.mark}([0-9]+){self.mark}") if self.variables else None

    def line(self, index: int) -> int:
        """Return the line, from 1, of the file that a line of ``text``, from 0, was."""
        return index + 1 + sum(missing for after, missing in self.lengthened if after < index)

    def whole(self, text: str) -> bool:
        """Return whether a text is one variable and nothing else."""
        return self._marks is not None and self._marks.fullmatch(text) is not None

    def value(self, text: str) -> str:
        """Return a text with its variables' values.

        Raises
        ------
        ConfigError
            When one is not set and has no default.
        """
        if self._marks is None or self.mark not in text:
            return text
        return self._marks.sub(lambda found: _value_of(*self.variables[int(found[1])]), text)


def _value_of(name: str, default: str | None) -> str:
    known = os.environ.get(name) or default
    if known is None:
        raise ConfigError(
            f"the variable ${{{name}}} is not set",
            expected="a value in the environment",
            remedy=f"export {name}=... or write ${{{name}:-default}}",
        )
    return known


class _Composer:
    """The values of one yaml text, from the parser's events."""

    def __init__(self, source: _Expanded, where: str | Path, first_line: int | None = None) -> None:
        self.source, self.where, self.first_line = source, where, first_line
        self.events = iter(())
        self.anchors: dict[str, tuple[Any, int] | None] = {}
        self.count = self.aliased = 0
        self.faults: list[PrestigeError] = []

    def document(self) -> Any:
        """Return what the text holds; None where it holds nothing."""
        with reading(self.where, expected="yaml", remedy=None, kind=ConfigError):
            self.events = iter(yaml.parse(self.source.text, Loader=_LOADER))
        self._next()
        event, value = self._next(), None
        if isinstance(event, yaml.DocumentStartEvent):
            value = self._value(self._next(), 0)
            self._next()
            event = self._next()
            if isinstance(event, yaml.DocumentStartEvent):
                self._refuse("a second document begins", event, "one yaml document a file")
        self._raise()
        return value

    def _next(self) -> Any:
        with reading(self.where, expected="yaml", remedy=None, kind=ConfigError):
            try:
                return next(self.events)
            except yaml.YAMLError as error:
                failure = error
        raise self._fault(f"is not valid yaml ({_reason(failure)})", self._line_of(failure)) from failure

    def _value(self, event: Any, depth: int) -> Any:
        """Return the value that begins with an event; its own name may stand for it from then on."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        name, before = event.anchor, self.count
        if name is not None:
            self.anchors[name] = None
        if event.tag is not None and event.tag not in (*_TAGS, "!"):
            what = f"is not valid yaml here (the tag '{one_line(event.tag, 60)}')"
            self.faults.append(self._fault(what, self._line(event), remedy="leave it out"))
        if depth >= _DEEPEST:
            self._refuse(f"is nested more than {_DEEPEST} deep", event, "settings")
        self.count += 1
        if isinstance(event, yaml.MappingStartEvent):
            value = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(event, depth)
        else:
            value = self._scalar(event)
        if name is not None:
            self.anchors[name] = (value, self.count - before)
        return value

    def _list(self, event: Any, depth: int) -> YamlList:
        values = YamlList(self._line(event))
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.lines.append(self._line(event))
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, event: Any, depth: int) -> YamlMapping:
        values, merged, key_lines = YamlMapping(self._line(event)), [], {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            line = self._line(event)
            if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
                merged += self._merged(self._next(), depth)
                continue
            key = self._value(event, depth + 1)
            value = self._value(self._next(), depth + 1)
            if not isinstance(key, str):
                words = "is empty" if key is None else "is a list or a mapping"
                self.faults.append(self._fault(f"a key {words}", line, expected="text as a key"))
            elif key in values:
                what = f"the key '{one_line(key, 60)}' stands in line {key_lines[key]} too"
                self.faults.append(self._fault(what, line, expected="every key once"))
            else:
                key = str(key)
                values[key], values.lines[key], key_lines[key] = value, line, line
        for other in merged:
            for key in other:
                if key not in values:
                    values[key], values.lines[key] = other[key], other.lines[key]
        return values

    def _merged(self, event: Any, depth: int) -> list[YamlMapping]:
        """Return the mappings that ``<<`` names, the first of them before the others."""
        value = self._value(event, depth + 1)
        several = list(value) if isinstance(value, YamlList) else [value]
        if not all(isinstance(one, YamlMapping) for one in several):
            self._refuse("`<<` names no mapping", event, "an alias of a mapping, or a list of such")
        self._count_aliased(sum(len(one) for one in several), event)
        return several

    def _scalar(self, event: Any) -> Any:
        line = self._line(event)
        try:
            text = self.source.value(event.value)
        except ConfigError as error:
            self.faults.append(self._fault(error.what, line, expected=error.expected, remedy=error.remedy))
            return None
        if unfit := _UNFIT.search(text):
            what = f"a text holds the character {unfit.group()!a}"
            self.faults.append(self._fault(what, line, expected="text without it"))
            return None
        if not event.implicit[0]:
            known = event.tag in _TAGS and not event.tag.endswith(":str")
            return Plain(text) if known else text
        if text in _NOTHING:
            return None
        if text != event.value and self.source.whole(event.value) and text.lstrip().startswith(("[", "{")):
            inner = _Expanded("")
            inner.text = text
            return _Composer(inner, self.where, line).document()
        return Plain(text)

    def _alias(self, event: Any) -> Any:
        named = self.anchors.get(event.anchor)
        if named is None:
            what = "stands in what it names" if event.anchor in self.anchors else "names nothing above it"
            self._refuse(f"the alias '*{one_line(event.anchor, 60)}' {what}", event, "the name of an anchor")
            raise AssertionError
        value, count = named
        self._count_aliased(count, event)
        self.count += count
        return value

    def _count_aliased(self, count: int, event: Any) -> None:
        self.aliased += count
        if self.aliased > _MOST_ALIASED:
            self._refuse(f"its aliases stand for more than {_MOST_ALIASED:,} values", event, "fewer")

    def _line(self, event: Any) -> int:
        return self.first_line or self.source.line(event.start_mark.line)

    def _line_of(self, error: Any) -> int | None:
        if self.first_line:
            return self.first_line
        mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
        if mark is not None:
            return self.source.line(mark.line)
        return None if position is None else self.source.line(self.source.text.count("\n", 0, position))

    def _fault(
        self, what: str, line: int | None, *, expected: str | None = None, remedy: str | None = None
    ) -> ConfigError:
        where = str(self.where) if line is None else f"{self.where}, line {line}"
        return ConfigError(what, where=where, expected=expected, remedy=remedy)

    def _refuse(self, what: str, event: Any, expected: str) -> None:
        self.faults.append(self._fault(what, self._line(event), expected=expected))
        self._raise()

    def _raise(self) -> None:
        if len(self.faults) > _MOST_FAULTS:
            more = f"{len(self.faults) - _MOST_FAULTS} further lines are wrong"
            self.faults[_MOST_FAULTS:] = [ConfigError(more, where=self.where)]
        raise_all(self.faults)


def _reason(error: yaml.YAMLError) -> str:
    """Return why the parser stopped, without the lines that it quotes."""
    problem, reason = getattr(error, "problem", None), getattr(error, "reason", None)
    return one_line(str(problem or reason or error), 120)
