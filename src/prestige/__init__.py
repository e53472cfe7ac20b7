"""From H&E histology to spatial gene expression: which encoder, at which patch size, for which genes?

The public names are imported when they are first used (PEP 562), so that ``import prestige``
loads neither torch nor any other large library and opens no connection.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'prestige' has no attribute '{name}'")
    return getattr(importlib.import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
