"""From H&E histology to spatial gene expression.

The public names are imported when they are first used (PEP 562), so that ``import prestige``
loads neither torch nor any other large library and opens no connection.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prestige import biology, metrics, stats
    from prestige.analysis.analyse import Analysis, analyse
    from prestige.config import BenchConfig, RunConfig, read_bench, read_run
    from prestige.data.dataset import open_dataset, read_dataset
    from prestige.data.phantom import PhantomConfig, write_phantom
    from prestige.errors import PrestigeError
    from prestige.evaluate import evaluate_files
    from prestige.prediction.bundle import read_bundle
    from prestige.prediction.predict import predict_dataset
    from prestige.report import write_report
    from prestige.report.biology.of_bench import write_file_biology
    from prestige.report.dataset.inspection import inspect
    from prestige.runs.bench import run_bench
    from prestige.runs.run import train_from_yaml

__version__ = "0.1.0"

__all__ = [
    "Analysis",
    "BenchConfig",
    "PhantomConfig",
    "PrestigeError",
    "RunConfig",
    "__version__",
    "analyse",
    "biology",
    "evaluate_files",
    "inspect",
    "metrics",
    "open_dataset",
    "predict_dataset",
    "read_bench",
    "read_bundle",
    "read_dataset",
    "read_run",
    "run_bench",
    "stats",
    "train_from_yaml",
    "write_file_biology",
    "write_phantom",
    "write_report",
]

_PLACES = {
    "Analysis": "prestige.analysis.analyse",
    "BenchConfig": "prestige.config",
    "PhantomConfig": "prestige.data.phantom",
    "PrestigeError": "prestige.errors",
    "RunConfig": "prestige.config",
    "analyse": "prestige.analysis.analyse",
    "biology": "prestige",
    "evaluate_files": "prestige.evaluate",
    "inspect": "prestige.report.dataset.inspection",
    "metrics": "prestige",
    "open_dataset": "prestige.data.dataset",
    "predict_dataset": "prestige.prediction.predict",
    "read_bench": "prestige.config",
    "read_bundle": "prestige.prediction.bundle",
    "read_dataset": "prestige.data.dataset",
    "read_run": "prestige.config",
    "run_bench": "prestige.runs.bench",
    "stats": "prestige",
    "train_from_yaml": "prestige.runs.run",
    "write_file_biology": "prestige.report.biology.of_bench",
    "write_phantom": "prestige.data.phantom",
    "write_report": "prestige.report",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'prestige' has no attribute '{name}'")
    if _PLACES[name] == "prestige":  # a package of functions, usable by itself
        return importlib.import_module(f"prestige.{name}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
