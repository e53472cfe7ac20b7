"""What the documentation says is so."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import prestige

REPOSITORY = Path(__file__).resolve().parents[1]
MARKDOWN = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def load(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_reference_of_commands_is_up_to_date() -> None:
    written = (REPOSITORY / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == load(REPOSITORY / "docs" / "write_reference.py").commands_markdown(), "run: make docs"


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_commands_are_of_the_repository_and_not_of_a_machine(path: Path) -> None:
    assert re.findall(r"--[a-z-]+ (/\S+)", path.read_text(encoding="utf-8")) == []


def test_each_source_file_has_a_line() -> None:
    written = (REPOSITORY / "docs" / "files.md").read_text(encoding="utf-8")
    assert written == load(REPOSITORY / "docs" / "write_reference.py").files_markdown(), "run: make docs"
    source = REPOSITORY / "src" / "prestige"
    for section in written.split("\n## ")[1:]:
        folder = source / section.split("/\n")[0].replace("prestige", ".")
        line = r"`(\w+\.py)`" if "/" in section.split("/\n")[0] else r"^- `(\w+\.py)`: .{8,}$"
        named = re.findall(line, section.partition("\n\n")[2], flags=re.MULTILINE)
        assert named == sorted(path.name for path in folder.glob("*.py") if path.stem != "__init__")


def test_the_list_of_source_files_reads_in_five_minutes() -> None:
    written = (REPOSITORY / "docs" / "files.md").read_text(encoding="utf-8")
    words = re.findall(r"[A-Za-z]{2,}", re.sub(r"`[^`]*`", "", written))
    assert len(words) < 5 * 350


def test_the_readme_stays_short() -> None:
    assert len(README.splitlines()) < 120


def test_public_names_exist_and_are_in_the_readme() -> None:
    assert set(prestige.__all__) == set(dir(prestige)) == {"__version__", *prestige._PLACES}
    for name in prestige.__all__:
        assert getattr(prestige, name) is not None
        assert name.startswith("__") or f"`{name}`" in README or f"prestige.{name}" in README
    with pytest.raises(AttributeError, match="no attribute 'run_banch'"):
        getattr(prestige, "run_banch")  # noqa: B009


def test_constraints_hold_names_and_versions_alone() -> None:
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9A-Za-z.]*", line)] == []


def test_every_requirement_is_constrained() -> None:
    def plain(name: str) -> str:
        return re.sub(r"[-_.]+", "-", re.split(r"[\[=<>!~ ;]", name)[0]).lower()

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [
        *project["dependencies"],
        *(item for group in project["optional-dependencies"].values() for item in group),
    ]
    fixed = {
        plain(line) for line in (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    }
    assert {plain(name) for name in wanted} - {project["name"]} <= fixed


def test_every_large_import_is_required() -> None:
    """Every third-party package that the source imports stands in pyproject.toml."""
    import ast
    import sys

    known = {"yaml": "pyyaml", "sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow"}
    optional = {"markupsafe", "triton"}  # come with jinja2, and with torch where it knows GPUs
    optional |= {"geopandas", "openslide", "pooch", "shapely", "spatialdata"}  # of the extra "readers"
    behind = {"numcodecs"}  # imported by zarr
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"[\[=<>!~ ;]", item)[0].lower() for item in project["dependencies"]}
    imported: set[str] = set()
    for path in (REPOSITORY / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                imported.add(node.module.split(".")[0])
    foreign = imported - set(sys.stdlib_module_names) - {"prestige"} - optional
    assert {known.get(name, name).replace("_", "-").lower() for name in foreign} == required - behind
