"""The scripts of `benchmarks/`: each can be started from where it stands."""

from __future__ import annotations

import ast
import importlib.machinery
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "benchmarks"
SCRIPTS = sorted(FOLDER.glob("*.py"))


def test_there_are_some():
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_no_script_hides_a_module(script: Path):
    # A script's folder comes first when modules are looked for: `statistics.py` beside it would be
    # imported by everyone who asks for the standard library's.
    assert script.stem not in sys.stdlib_module_names
    elsewhere = [place for place in sys.path if place and Path(place).resolve() != FOLDER]
    assert importlib.machinery.PathFinder.find_spec(script.stem, elsewhere) is None


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_says_how_it_is_run(script: Path):
    tree = ast.parse(script.read_text(encoding="utf-8"))
    runs = any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body)
    if runs:
        assert f"python benchmarks/{script.name}" in (ast.get_docstring(tree) or "")
