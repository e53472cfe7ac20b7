"""Write what is said of the code from the code itself: the commands, and the list of source files.

Run by ``make docs``; a test compares.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from prestige.cli import app

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src" / "prestige"
COMMANDS = REPOSITORY / "docs" / "commands.md"
FILES = REPOSITORY / "docs" / "files.md"
FILES_HEAD = """# The source, file by file

Written by `make docs` from the first words of each module; a test compares the two.

Imports go one way:
`{layers}`.
The main path reads in an afternoon: {path}.
"""
MOST_DEEP = 1
"""Folders deeper than that, each of one matter, are listed by the names of their files."""
PATH = (
    "data/dataset.py", "data/split/folds.py", "data/panel.py", "data/patches/reader.py",
    "models/predictor.py", "training/loop.py",
    "evaluate/scores.py", "runs/outcome.py", "runs/run.py", "runs/bench.py",
)  # fmt: skip
HEAD = """# Commands

Written by `make docs` from the command line itself; a test compares the two.

A fault that you can mend is one line on standard error and exit code 2. Ctrl-C and the signals by which
clusters end jobs (SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU) end with exit code 128 + the signal's number
(130, 143, ...), and the same command goes on where it was; a second signal ends it at once.
`python -m prestige` is the same as `prestige`.

A command writes into a new or empty folder, or into one that it made itself, and never over what it reads.
A source file counts as unchanged while its size and times (of content and of last change) stand; what the
cache holds is checked at every opening.
"""


ENVIRONMENT = """## Environment

| | |
|---|---|
| `PRESTIGE_CACHE` | Folder of decoded slides and kept features; `~/.cache/prestige` where it is not set. |
| `PRESTIGE_CACHE_GB` | Its size limit, least recently used goes first: 200 by default, 0 for none. |
| `PRESTIGE_DATA` | Folder of the data that yaml files name with `${PRESTIGE_DATA}`, gene sets among them. |
| `OMP_NUM_THREADS` | Most threads of one process, for reading, decoding and scoring too. |
"""


SETTINGS = """## Settings files

Yaml in UTF-8. Names and text are taken as they are written (`NO`, `010`, `1_1`, dates); a number is one where a number is expected.
A key that stands twice, tags (`!!...`), several documents, more than 50 levels and aliases for more than 100,000 values are refused.
A fault names the file, the line and the key.

| | |
|---|---|
| `${NAME}`, `${NAME:-default}` | The value of an environment variable, as text; by itself and without quotes it may be a list or mapping in brackets. |
| `name:` | Of a data set, a sample (`id:`) or a phantom: letters, digits, `_`, `-` and `.`. Of a bench: any printable text without `/`. |
| `patient:` | Any printable text; two that differ only in blanks or case are refused. |
| `evaluation: {margin: 0.02}` | How far below the best score a configuration may lie and count as not worse; 0.01 where it is left out. No run is repeated for another. |
| `panel: {genes: genes.txt}` | A symbol a line; blank lines and lines that begin with `#` are left out. |
"""  # noqa: E501


def commands_markdown() -> str:
    """Return the reference of all commands."""
    sections = (_section(name, command) for name, command in _commands(typer.main.get_command(app)))
    return "\n".join([HEAD, *sections, SETTINGS, ENVIRONMENT])


def _commands(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Give each command with its whole name, those of a group where the group stands."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield before + name, command


def _section(name: str, command: Any) -> str:
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    usage = " ".join(["prestige", name, *map(_place, arguments), *(_place(option) for option in options)])
    rows = [f"| `{_name(parameter)}` | {_words(parameter.help)} |" for parameter in [*arguments, *options]]
    example = command.epilog.removeprefix("Example:").strip()
    return "\n".join(
        [
            f"## prestige {name}",
            "",
            _paragraphs(command.help),
            "",
            "```",
            usage,
            "```",
            "",
            "| | |",
            "|---|---|",
        ]
        + rows
        + ["", f"Example: `{example}`", ""]
    )


def _place(parameter: Any) -> str:
    return _name(parameter) if parameter.required else f"[{_name(parameter)}]"


def _name(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.metavar or parameter.name.upper()) + "..." * (parameter.nargs < 0)
    flag = str(max(parameter.opts, key=len))
    return (
        flag
        if parameter.is_flag
        else f"{flag} {parameter.metavar or flag.strip('-').replace('-', '_').upper()}"
    )


def _words(text: str | None) -> str:
    return " ".join((text or "").split())


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def files_markdown() -> str:
    """Return the list of source files: a section a folder, a line a file."""
    contract = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    order = " > ".join(layer for layer in layers if layer != "__main__")
    head = FILES_HEAD.format(layers=order, path=", ".join(f"`{name}`" for name in PATH))
    folders = sorted({path.parent for path in SOURCE.rglob("*.py")})
    return "\n".join([head, *map(_folder, folders)]) + "\n"


def _folder(folder: Path) -> str:
    name = "prestige" if folder == SOURCE else str(folder.relative_to(SOURCE))
    files = [path for path in sorted(folder.glob("*.py")) if path.name != "__init__.py"]
    if len(folder.relative_to(SOURCE).parts) > MOST_DEEP:
        rows = [", ".join(f"`{path.name}`" for path in files)]
    else:
        rows = [f"- `{path.name}`: {_first_words(path)}" for path in files]
    return "\n".join([f"## {name}/", "", _first_sentence(folder / "__init__.py") + ".", "", *rows, ""])


def _first_words(path: Path) -> str:
    """Return what a module is: its first sentence up to a stop within it that leaves enough words."""
    words = _first_sentence(path)
    for stop in re.finditer(r"[:;?,](?= )(?=(?:[^`]*`[^`]*`)*[^`]*$)| \(", words):
        if len(words[: stop.start()].split()) >= (5 if stop.group() == "," else 3):
            words = words[: stop.start()]
            break
    return words[0].lower() + words[1:] if words[:2].istitle() else words


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    paragraph = " ".join(text.split("\n\n")[0].split())
    return re.sub(r":\w+:(?=`)", "", paragraph.split(". ")[0].rstrip(".").replace("``", "`"))


if __name__ == "__main__":
    COMMANDS.write_text(commands_markdown(), encoding="utf-8")
    FILES.write_text(files_markdown(), encoding="utf-8")
