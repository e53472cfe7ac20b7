"""Does the biology survive?  Measured counts beside predicted expression of the same tissue.

``pair.py`` holds the two sides and ``noise.py`` makes them comparable: predictions carry no counting noise,
measurements do.  ``space/`` asks for structure, domains and regions, ``genes/`` for correlations, pathways,
cell types and conditions, and ``study.py`` asks everything of one pair.  The functions below take two AnnData
and need no run folder (``of_anndata.py``); they are imported when they are first used.

>>> import numpy as np
>>> from anndata import AnnData
>>> from prestige import biology
>>> rng = np.random.default_rng(0)
>>> xy_um = rng.uniform(0, 500, (600, 2))
>>> mean = 20 * np.exp(np.sin(xy_um / 60) @ rng.normal(size=(2, 8)))  # 8 genes that follow two waves
>>> true = AnnData(rng.poisson(mean).astype(np.float32), obsm={"spatial": xy_um})
>>> pred = AnnData(np.log1p(100 * mean / mean.sum(axis=1, keepdims=True)).astype(np.float32))
>>> biology.structure(pred, true, scale="log1p:100", um_per_px=1.0).verdict
'not over-smoothed'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prestige.biology.of_anndata import activity, correlations, domains, pair_of, structure

__all__ = ["activity", "correlations", "domains", "pair_of", "structure"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'prestige.biology' has no attribute '{name}'")
    return getattr(importlib.import_module("prestige.biology.of_anndata"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
