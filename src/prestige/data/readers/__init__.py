"""Readers, one file a platform: ``source:`` in dataset.yaml -> a prepared sample."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prestige.data.prepared import Prepared
from prestige.data.readers import challenge, hest, prepared
from prestige.data.spec import SampleSpec
from prestige.registry import Registry

Reader = Callable[[SampleSpec, Path], Prepared]
"""Takes what dataset.yaml says of a sample and the folder of the cache."""

readers: Registry[Reader] = Registry("source")
readers.register("challenge")(challenge.read)
readers.register("hest")(hest.read)
readers.register("prepared")(prepared.read)
