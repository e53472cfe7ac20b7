"""Text and paths as a yaml that we write holds them: :func:`~prestige.settings.read_yaml` gives them back."""

from __future__ import annotations

import re
from pathlib import Path

from prestige.inputs import real_path

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "nan", "inf", "y", "n"}
_ESCAPED = {'"': '\\"', "\\": "\\\\"}


def scalar(text: str) -> str:
    """Return text as yaml holds it: in quotes where any reader could take it for something else.

    Characters that cannot be printed are escaped, and so is the brace of ``${``: a variable.
    """
    if _PLAIN.fullmatch(text) and text.casefold() not in _WORDS:
        return text
    return '"' + "".join(map(_escaped, text)).replace("${", "$\\x7b") + '"'


def _escaped(char: str) -> str:
    if char.isprintable():
        return _ESCAPED.get(char, char)
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def short_path(path: Path, base: Path) -> str:
    """Return a path as a yaml in the folder ``base`` names it: short where it lies below that folder.

    Links on the way are followed; a last one keeps its name.
    """
    path, base = real_path(path.parent) / path.name if path.name else real_path(path), real_path(base)
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
