"""``source: prepared``: a folder that was prepared before, perhaps on another machine."""

from __future__ import annotations

from pathlib import Path

from prestige.data.card import refuse_damaged
from prestige.data.prepared import Prepared, read_prepared
from prestige.data.sample import Counts
from prestige.data.spec import SampleSpec
from prestige.errors import ConfigError


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Open the prepared folder at ``spec.path``; nothing is copied into the cache.

    Raises
    ------
    DataError
        When it is no whole prepared folder.
    ConfigError
        For ``expression`` or ``table``, which are settled in a prepared folder.
    """
    for name in ("expression", "table"):
        if getattr(spec, name) is not None:
            raise ConfigError(
                f"'{name}' has no meaning for source: prepared",
                where=f"sample '{spec.id}'",
                remedy="take the line away",
            )
    found = read_prepared(spec.path)
    refuse_damaged(spec.path)
    return found
