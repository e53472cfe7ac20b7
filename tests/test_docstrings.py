"""The examples in docstrings run as they stand, in a folder that holds what a user has by then.

The folder has a small phantom (``phantom/``, with ``bench.yaml`` and ``run.yaml`` for it), a finished bench
(``bench/``) and one of its runs with a model (``run/``).
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import shutil
from pathlib import Path

import pytest
import yaml

import prestige

REPOSITORY = Path(__file__).resolve().parents[1]
SOURCE = REPOSITORY / "src"
STORED = REPOSITORY / "tests" / "stored" / "bench"
WITH_MODEL = "bcd9eaa717710f70"
MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
PHANTOM = {
    "size_px": 192, "patients": 4, "widths_um": (8.0, 16.0), "n_genes": 6, "replicates": 2, "radius_um": 8.0,
}  # fmt: skip
RUN = {
    "dataset": "phantom/dataset.yaml",
    "split": {"by": "patient", "folds": 4, "run_folds": [0], "buffer_um": 16},
    "train": {
        "budget": {"steps": 4},
        "batch_size": 16,
        "learning_rates": [2e-3],
        "validations": 1,
        "precision": "32-true",
    },
    "evaluation": {"block_um": 20},
}
RULES = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the examples find where they run."""
    made = tmp_path_factory.mktemp("examples")
    prestige.write_phantom(prestige.PhantomConfig(**PHANTOM), made / "phantom")
    run = {**RUN, "model": {"encoder": "compact_xs"}, "patch": {"patch_um": 8}}
    bench = {**RUN, "name": "example", "encoders": ["compact_xs"], "patches": [{"patch_um": 8}]}
    (made / "run.yaml").write_text(yaml.safe_dump(run))
    (made / "bench.yaml").write_text(yaml.safe_dump(bench))
    shutil.copytree(STORED, made / "bench")
    shutil.copytree(STORED / "runs" / WITH_MODEL, made / "run")
    return made


@pytest.mark.parametrize("name", MODULES)
def test_examples_run_as_they_stand(
    name: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(folder, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    failed, attempted = doctest.testmod(importlib.import_module(name), optionflags=RULES)
    assert attempted > 0
    assert failed == 0


@pytest.mark.parametrize("name", sorted(set(prestige.__all__) - {"__version__"}))
def test_every_public_name_has_an_example(name: str) -> None:
    assert ">>> " in (inspect.getdoc(getattr(prestige, name)) or "")
