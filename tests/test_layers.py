"""What the import contract of pyproject.toml (checked by lint-imports) cannot say."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src" / "prestige"
MODULES = sorted(SOURCE.rglob("*.py"))
TOP = {
    ".ci", ".gitignore", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "README.md", "benchmarks",
    "constraints-oldest.txt", "constraints.txt", "docs", "examples", "pyproject.toml", "src", "tests",
}  # fmt: skip
FORBIDDEN_NAMES = {"utils", "util", "common", "base", "helpers", "misc"}
MOST_FILES = 15
UNSAFE_IMPORTS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def unsafe_loads(code: str) -> list[str]:
    """Name every way of loading that could run foreign code."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in UNSAFE_IMPORTS]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in UNSAFE_IMPORTS:
            found.append(str(node.module))
        elif isinstance(node, ast.Call):
            found += _unsafe_call(node)
    return found


def _unsafe_call(node: ast.Call) -> list[str]:
    constants = {word.arg: getattr(word.value, "value", None) for word in node.keywords}
    found = []
    if ast.unparse(node.func).endswith("torch.load") and constants.get("weights_only") is not True:
        found.append("torch.load without weights_only=True")
    if constants.get("allow_pickle") is True:
        found.append("allow_pickle=True")
    return found


def test_nothing_lies_in_the_repository_that_a_command_left_there() -> None:
    root = SOURCE.parents[1]
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, check=True)
    assert {name.partition("/")[0] for name in listed.stdout.split("\0") if name} == TOP


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_has_a_name_without_meaning(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_module_repeats_the_name_of_its_folder(path: Path) -> None:
    if path.parent != SOURCE:
        folder = {path.parent.name, path.parent.name.removesuffix("s")}
        assert not folder & set(path.stem.split("_")[:-1])


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES}), ids=lambda path: path.name)
def test_no_folder_holds_more_than_15_files(folder: Path) -> None:
    assert len([path for path in folder.iterdir() if path.is_file()]) <= MOST_FILES


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_nothing_is_unpickled(path: Path) -> None:
    assert unsafe_loads(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load(f)",
        "torch.load(f, weights_only=False)",
        "np.load(f, allow_pickle=True)",
    ],
)
def test_the_check_sees_what_it_looks_for(code: str) -> None:
    assert unsafe_loads(code)


def test_the_check_lets_safe_loading_pass() -> None:
    assert (
        unsafe_loads("import numpy as np\nnp.load(f, allow_pickle=False)\ntorch.load(f, weights_only=True)")
        == []
    )
