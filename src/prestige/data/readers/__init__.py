"""Readers, one file a platform: ``source:`` in dataset.yaml -> a prepared sample."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path

from prestige.data.prepared import Prepared
from prestige.data.sample import Counts
from prestige.data.sources import SOURCES
from prestige.data.spec import SampleSpec
from prestige.errors import unknown

SampleReader = Callable[[SampleSpec, Path, Counts], Prepared]
"""Takes what dataset.yaml says of a sample, the folder of the cache, and whether there have to be counts."""


def sample_reader(source: str) -> SampleReader:
    """Return what reads the samples of a source; its file, and its platform's library, is imported now.

    Raises
    ------
    ConfigError
        When there is no such source; the message names the nearest one.
    """
    if source not in SOURCES:
        raise unknown("source", source, SOURCES)
    return importlib.import_module(f"{__name__}.{source}").read
