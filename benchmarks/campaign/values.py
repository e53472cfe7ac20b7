"""Changes that fit any file: bytes, text, and the values of JSON or yaml."""

from __future__ import annotations

import json
import math
import os
import pickle
import stat
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

MARK = "EXECUTED"
"""A file of this name is made by code that was smuggled in, in the working folder."""
_STRUCTURE = (b"TREE", b"HEAP", b"SNOD", b"OHDR", b"FRHP", b"GCOL", b"BTHD", b"FADB", b"EAHD", b"OCHK")
NUMBERS = (
    0,
    -1,
    1,
    2,
    3,
    255,
    256,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32,
    2**53 + 1,
    2**63 - 1,
    2**64,
    10**30,
    -(2**31),
    0.5,
    -0.0,
    1e-300,
    1e300,
    -1e308,
    math.nan,
    math.inf,
    -math.inf,
)
TEXTS = (
    "",
    " ",
    "x",
    "0",
    "1",
    "-1",
    "1e5",
    "nan",
    "NaN",
    "True",
    "null",
    "../../evil",
    "/nowhere/evil",
    "a/b",
    "..",
    ".",
    "$a$",
    "$\\frac{",
    "=1+1",
    "@x",
    "\x00",
    "a\nb",
    "\ud800",
    "\u202e",
    "é",
    "漢字",
    "\x1b[31mred",
    "<script>alert(1)</script>",
    "x" * 10_000,
    "${HOME}",
    "${NOT_SET}",
    "http://example.invalid/x",
    "~/x",
    "%s%n",
    "timm:resnet18",
    "hf-hub:evil/model",
)


class Payload:
    """Unpickled, it makes a file: proof that something was executed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {MARK}",)


def payload(protocol: int = 2) -> bytes:
    """Return a pickle that executes a command."""
    return pickle.dumps(Payload(), protocol)


def odd(rng: Random) -> Any:
    """Return a value that few expect."""
    which = rng.randrange(10)
    if which < 4:
        return rng.choice(NUMBERS)
    if which < 7:
        return rng.choice(TEXTS)
    if which == 7:
        return rng.choice((None, True, False))
    if which == 8:
        return rng.choice(([], {}, [[]], [None], {"x": 1}, [1, 2, 3], ["a", "a"], [0] * 1000, {"": None}))
    deep: Any = []
    for _ in range(rng.choice((50, 900, 3000))):
        deep = [deep]
    return deep


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """List the places in nested values."""
    found = [path]
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 8)):
            found += places(value[index], (*path, index))
    return found


def change_value(value: Any, rng: Random) -> tuple[Any, str]:
    """Change nested values in one place, and say what was done."""
    path = rng.choice(places(value))
    if not path:
        whole = odd(rng)
        return whole, f"the whole is {short(whole)}"
    owner = value
    for key in path[:-1]:
        owner = owner[key]
    last = path[-1]
    dotted = ".".join(map(str, path))
    way = rng.randrange(8)
    if way == 0:
        del owner[last]
        return value, f"{dotted} taken away"
    if way == 1 and isinstance(owner, dict):
        owner[f"{last}_"] = owner.pop(last)
        return value, f"{dotted} renamed"
    if way == 2:
        owner[last] = [owner[last]]
        return value, f"{dotted} in a list"
    if way == 3 and isinstance(owner[last], int | float) and not isinstance(owner[last], bool):
        owner[last] = rng.choice(
            (-owner[last], owner[last] + 1, owner[last] * 2, str(owner[last]), owner[last] / 3)
        )
        return value, f"{dotted} is {short(owner[last])}"
    if way == 4 and isinstance(owner[last], list) and owner[last]:
        part = owner[last]
        owner[last] = rng.choice((part[:-1], part + part[-1:], part[::-1], part * 2))
        return value, f"{dotted} has {len(owner[last])} parts"
    if way == 5 and isinstance(owner, dict):
        owner[rng.choice(("new", "", " ", "__class__", last + " ")) if isinstance(last, str) else 1] = odd(
            rng
        )
        return value, f"a key beside {dotted}"
    owner[last] = odd(rng)
    return value, f"{dotted} is {short(owner[last])}"


def short(value: Any) -> str:
    """Return a value as a few words."""
    try:
        text = ascii(value)
    except RecursionError:
        return "a deep nest"
    return text if len(text) <= 40 else text[:37] + "..."


def change_bytes(data: bytes, rng: Random, near: tuple[bytes, ...] = ()) -> tuple[bytes, str]:
    """Change some bytes; with ``near``, behind one of these signatures where there is one."""
    if not data:
        return b"x", "a byte in an empty file"
    out = bytearray(data)
    spots = [at for sign in near for at in _all(data, sign)]
    at = rng.choice(spots) + rng.randrange(64) if spots and rng.random() < 0.8 else rng.randrange(len(out))
    at = min(at, len(out) - 1)
    way = rng.randrange(8)
    if way < 3:
        n = rng.choice((1, 1, 2, 4))
        for k in range(at, min(at + n, len(out))):
            out[k] = rng.choice(
                (0, 1, 0x7F, 0x80, 0xFF, out[k] ^ (1 << rng.randrange(8)), rng.randrange(256))
            )
        return bytes(out), f"{n} bytes at {at}"
    if way == 3:
        return bytes(out[:at]), f"cut at {at}"
    if way == 4:
        n = min(rng.choice((8, 64, 512)), len(out) - at)
        out[at : at + n] = rng.choice((bytes(n), b"\xff" * n, rng.randbytes(n)))
        return bytes(out), f"{n} bytes at {at} overwritten"
    if way == 5:
        n = rng.choice((1, 4, 64))
        out[at:at] = rng.randbytes(n)
        return bytes(out), f"{n} bytes put in at {at}"
    if way == 6:
        n = rng.choice((1, 4, 64))
        del out[at : at + n]
        return bytes(out), f"{n} bytes taken out at {at}"
    return bytes(out) + rng.randbytes(rng.choice((1, 64, 4096))), "bytes behind the end"


def _all(data: bytes, sign: bytes) -> list[int]:
    found, at = [], data.find(sign)
    while at >= 0 and len(found) < 400:
        found.append(at)
        at = data.find(sign, at + 1)
    return found


def bytes_of(*patterns: str, near: tuple[bytes, ...] = ()) -> Callable[[Path, Random], str]:
    """Return a change of the bytes of one of some files."""

    def apply(folder: Path, rng: Random) -> str:
        path = _pick(folder, rng, patterns)
        data, words = change_bytes(path.read_bytes(), rng, near)
        path.write_bytes(data)
        return f"{path.relative_to(folder)}: {words}"

    return apply


def hdf5_bytes(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the bytes that hold the structure of an HDF5 file."""
    return bytes_of(*patterns, near=(b"\x89HDF", *_STRUCTURE))


def json_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of one value in one of some JSON files."""

    def apply(folder: Path, rng: Random) -> str:
        path = _pick(folder, rng, patterns)
        value, words = change_value(json.loads(path.read_text(encoding="utf-8")), rng)
        path.write_text(dumped(value), encoding="utf-8", errors="surrogatepass")
        return f"{path.relative_to(folder)}: {words}"

    return apply


def dumped(value: Any) -> str:
    """Return JSON, also of what is nested too deeply for the library."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "[" * 5000 + "]" * 5000


def text_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the text of one of some files, that fits any of its kind."""

    def apply(folder: Path, rng: Random) -> str:
        path = _pick(folder, rng, patterns)
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines(keepends=True) or [""]
        n = rng.randrange(len(lines))
        ways: dict[str, Callable[[], str]] = {
            "cut": lambda: text[: rng.randrange(len(text) + 1)],
            "a line twice": lambda: "".join([*lines[: n + 1], *lines[n:]]),
            "a line taken away": lambda: "".join([*lines[:n], *lines[n + 1 :]]),
            "BOM": lambda: "\ufeff" + text,
            "CRLF": lambda: text.replace("\n", "\r\n"),
            "CR": lambda: text.replace("\n", "\r"),
            "NUL": lambda: "".join([*lines[:n], "\0", *lines[n:]]),
            "tabs": lambda: text.replace("  ", "\t", 1).replace("\t", "  ", 1),
            "blanks": lambda: "".join(line.rstrip("\n") + "  \n" for line in lines),
            "odd words": lambda: "".join(
                [*lines[:n], str(rng.choice(TEXTS)).replace("\ud800", "?") + "\n", *lines[n:]]
            ),
            "a long line": lambda: text + "x" * 200_000 + "\n",
            "many lines": lambda: text * 200,
            "empty": lambda: "",
        }
        name = rng.choice(list(ways))
        path.write_bytes(ways[name]().encode("utf-8", errors="surrogatepass"))
        return f"{path.relative_to(folder)}: {name}"

    return apply


def latin_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change to bytes that are no UTF-8."""

    def apply(folder: Path, rng: Random) -> str:
        path = _pick(folder, rng, patterns)
        data = path.read_bytes()
        at = rng.randrange(len(data) + 1)
        path.write_bytes(data[:at] + rng.choice((b"\xe9", b"\xff\xfe", b"\x80", b"\xed\xa0\x80")) + data[at:])
        return f"{path.relative_to(folder)}: no UTF-8 at {at}"

    return apply


def _device(path: Path) -> None:
    """Put a device without an end: one of the input's own for root, who could harm the machine's."""
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:
        path.symlink_to("/dev/zero")


def replaced(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of a file into something else that has its name."""

    def apply(folder: Path, rng: Random) -> str:
        path = _pick(folder, rng, patterns)
        name = path.relative_to(folder)
        path.unlink()
        way = rng.choice(
            ("gone", "a folder", "a pipe", "a loop of links", "a device", "empty", "a pickle", "no rights")
        )
        if way == "a folder":
            path.mkdir()
        elif way == "a pipe":
            os.mkfifo(path)
        elif way == "a loop of links":
            path.symlink_to(path.name)
        elif way == "a device":
            _device(path)
        elif way in ("empty", "a pickle", "no rights"):
            path.write_bytes(payload() if way == "a pickle" else b"")
            if way == "no rights":
                path.chmod(0)
        return f"{name}: {way}"

    return apply


def _pick(folder: Path, rng: Random, patterns: tuple[str, ...]) -> Path:
    found = sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    return rng.choice(found)
