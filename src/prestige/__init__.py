"""From H&E histology to spatial gene expression.

The public names are imported when they are first used (PEP 562), so that ``import prestige``
loads neither torch nor any other large library and opens no connection.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    # settings
    "BenchConfig": "prestige.config",
    "PhantomConfig": "prestige.data.phantom",
    "RunConfig": "prestige.config",
    # the verbs of the command line
    "evaluate_files": "prestige.evaluate",
    "inspect_dataset": "prestige.report.inspection",
    "predict_dataset": "prestige.predict",
    "run_bench": "prestige.bench",
    "train_from_yaml": "prestige.run",
    "write_phantom": "prestige.data.phantom",
    "write_report": "prestige.report",
    # what a notebook needs beside them
    "PrestigeError": "prestige.errors",
    "evaluate": "prestige.evaluate",
    "open_dataset": "prestige.data.dataset",
    "read_bench": "prestige.config",
    "read_bundle": "prestige.bundle",
    "read_dataset": "prestige.data.dataset",
    "read_run": "prestige.config",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'prestige' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
