"""``source: prepared``: a folder that was prepared before, perhaps on another machine."""

from __future__ import annotations

from pathlib import Path

from prestige.data.card import refuse_damaged
from prestige.data.prepared import Prepared, read_prepared
from prestige.data.sample import Counts
from prestige.data.spec import SampleSpec


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Open the prepared folder at ``spec.path``; nothing is copied into the cache.

    Raises
    ------
    DataError
        When it is no whole prepared folder.
    """
    found = read_prepared(spec.path)
    refuse_damaged(spec.path)
    return found
