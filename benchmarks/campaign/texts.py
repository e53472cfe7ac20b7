"""Changes of what people write themselves: yaml, GMT files, lists of genes, metadata."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from campaign.kinds import VALUE, Change
from campaign.values import TEXTS, change_value, json_of, latin_of, replaced, text_of

_BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
_LINES = (
    _BOMB,
    "x: !!python/object/apply:os.system ['touch EXECUTED']\n",
    "x: !!python/name:os.system\n",
    "x: " + "[" * 3000 + "]" * 3000 + "\n",
    "x: " + "9" * 5000 + "\n",
    'x: "a\\0b"\n',
    'x: "\\ud800"\n',
    "x: ${NOT_SET}\n",
    "# ${NOT_SET}\n",
    "x: &x {y: *x}\n",
    "<<: {name: y}\n",
    "x: !!binary aGVsbG8=\n",
    "x: !!set {a, b}\n",
    "x: 2020-01-01\n",
    "x: 0o17\n",
    "x: 1_000\n",
    "x: 12:30:45\n",
    "? [a, b]\n: c\n",
    "---\nname: z\n",
    "%YAML 9.9\n---\n",
    "\tname: t\n",
    "name: [\n",
    "x: .nan\n",
    "x: 1e400\n",
    "=: 1\n",
    "~: 1\n",
    "1: 2\n",
    "true: 1\n",
    "name: other\n",
    "x: *nobody\n",
)


def _text(path: Path) -> str:
    if not path.is_file():
        raise ValueError("an earlier change has put something else there")
    return path.read_text(encoding="utf-8")


def _plain(value: Any) -> Any:
    """Return values as yaml can write them."""
    if isinstance(value, dict):
        return {
            key if isinstance(key, str | int | float | bool | None) else str(key): _plain(part)
            for key, part in value.items()
        }
    return [_plain(part) for part in value] if isinstance(value, list | tuple) else value


def _written(value: Any) -> str:
    try:
        return yaml.safe_dump(_plain(value), sort_keys=False)
    except (RecursionError, yaml.YAMLError):
        return "name: " + "[" * 3000 + "]" * 3000


def values_of(*names: str) -> Callable[[Path, Random], str]:
    """Return a change of one value of a yaml."""

    def apply(folder: Path, rng: Random) -> str:
        path = folder / rng.choice(names)
        text = _text(path)
        if "&a" in text:
            raise ValueError("aliases that explode are not to be read here")
        value, words = change_value(yaml.safe_load(text), rng)
        path.write_text(_written(value), encoding="utf-8", errors="surrogatepass")
        return f"{path.name}: {words}"

    return apply


def lines_of(*names: str) -> Callable[[Path, Random], str]:
    """Return a change that puts a line into a yaml that its grammar, or Python, makes much of."""

    def apply(folder: Path, rng: Random) -> str:
        path = folder / rng.choice(names)
        line = rng.choice(_LINES)
        text = _text(path)
        path.write_text(line + text if rng.random() < 0.5 else text + line, encoding="utf-8")
        return f"{path.name}: {line[:40]!r}"

    return apply


def words_of(*names: str) -> Callable[[Path, Random], str]:
    """Return a change of one word of a yaml, whatever it stands for."""

    def apply(folder: Path, rng: Random) -> str:
        path = folder / rng.choice(names)
        lines = _text(path).splitlines(keepends=True)
        n = rng.choice([n for n, line in enumerate(lines) if ": " in line])
        key, _, _old = lines[n].partition(": ")
        word = rng.choice(
            (
                *TEXTS,
                "'a'",
                '"a"',
                "[a, a]",
                "{a: 1}",
                "on",
                "010",
                "1_1",
                "1.0",
                "-0",
                "&a x",
                "*a",
                "| \n  x",
                "> x",
                "!x y",
                "- 1",
            )
        )
        lines[n] = f"{key}: {word}\n"
        path.write_text("".join(lines), encoding="utf-8", errors="surrogatepass")
        return f"{path.name}, line {n + 1}: {word[:30]!r}"

    return apply


def changes(*names: str) -> tuple[Change, ...]:
    """Return all the ways to change yaml files."""
    said = "the settings say another thing that is allowed"
    return (
        Change("values", values_of(*names), said),
        Change("words", words_of(*names), said),
        Change("lines", lines_of(*names), said),
        Change("text", text_of(*names), said),
        Change("no UTF-8", latin_of(*names)),
        Change("replaced", replaced(*names)),
    )


_GENES = "other genes stand in the file"
GMT = (
    Change("text", text_of("sets.gmt"), _GENES),
    Change("no UTF-8", latin_of("sets.gmt")),
    Change("replaced", replaced("sets.gmt")),
    Change("list", text_of("genes.txt"), _GENES),
    Change("list no UTF-8", latin_of("genes.txt")),
    Change("list replaced", replaced("genes.txt")),
    *(Change(f"markers {one.name}", one.apply, one.other) for one in changes("markers.yaml")),
)
METADATA = (
    Change("values", json_of("hest/metadata/S1.json"), "another pixel size"),
    Change("text", text_of("hest/metadata/S1.json"), VALUE),
    Change("no UTF-8", latin_of("hest/metadata/S1.json")),
    Change("replaced", replaced("hest/metadata/S1.json"), "without metadata the yaml's pixel size holds"),
)
