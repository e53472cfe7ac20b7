"""One fold of a dataset, audited and ready: what all runs of it share.

The bench, ``prestige train`` and ``prestige split`` make their folds here, so that none of them is used
before its audit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from prestige.data.dataset import Dataset
from prestige.data.observations import Observations, gather, targets
from prestige.data.panel import Panel, PanelConfig, fit_panel
from prestige.data.patches.reader import PatchConfig, resolve_patch
from prestige.data.sample import Sample
from prestige.data.split.audit import Audit, audit_split
from prestige.data.split.folds import TEST, TRAIN, VALIDATION, Fold, SplitConfig, make_folds
from prestige.errors import ConfigError, DataError
from prestige.text import shortened


@dataclass(frozen=True, eq=False)
class FoldData:
    """What all runs of one fold share: sides, panel, and expression on the log1p scale."""

    dataset: Dataset
    fold: Fold
    panel: Panel
    train: Observations
    train_y: Float[np.ndarray, "n g"]
    validation: Observations
    validation_y: Float[np.ndarray, "v g"]
    test: Observations
    test_y: Float[np.ndarray, "t g"]


def widest_um(patches: Sequence[PatchConfig], samples: Sequence[Sample]) -> float:
    """Return the width in um of the largest of some patches: what the sides have to keep apart.

    Raises
    ------
    ConfigError
        As :func:`~prestige.data.patches.reader.resolve_patch`.
    """
    um_per_px = [sample.um_per_px for sample in samples]
    return max(resolve_patch(patch, um_per_px).patch_um for patch in patches)


def audited_folds(
    samples: Sequence[Sample],
    config: SplitConfig,
    *,
    largest_patch_um: float,
    only: int | None = None,
    where: Path | None = None,
) -> tuple[list[Fold], Audit]:
    """Make the folds of a split and audit them; what the audit found is for the caller to settle.

    Parameters
    ----------
    samples, config
        The sections and the rule.
    largest_patch_um
        Width of the largest patch of the whole bench.
    only
        The one fold that is wanted; the audit looks at no other then.
    where
        The file that names it, for the message.

    Raises
    ------
    SplitError
        As :func:`~prestige.data.split.folds.make_folds`.
    ConfigError
        When there is no such fold.
    """
    folds = make_folds(samples, config, largest_patch_um=largest_patch_um)
    if only is not None:
        by_index = {fold.index: fold for fold in folds}
        if only not in by_index:
            expected = f"one of {', '.join(map(str, sorted(by_index)))}"
            raise ConfigError(f"there is no fold {only}", where=where, expected=expected)
        folds = [by_index[only]]
    return folds, audit_split(samples, folds, config, largest_patch_um=largest_patch_um)


def prepare_fold(dataset: Dataset, fold: Fold, config: PanelConfig) -> FoldData:
    """Fit the panel on the training side and gather the three sides.

    Raises
    ------
    ConfigError, DataError
        As :func:`~prestige.data.panel.fit_panel`, and when none of its genes varies: nothing can be learned.
    """
    panel = fit_panel(dataset.samples, fold, config)
    if len(panel.constant) == len(panel.genes):
        one = len(panel.genes) == 1
        raise DataError(
            f"{'the only gene' if one else 'every gene'} of the panel is constant on the training side: "
            + shortened(panel.genes, 5),
            where=f"fold {fold.name}",
            expected="genes whose share of an observation's counts varies",
            remedy="add genes to the panel" if one else "check that the table holds raw counts",
        )
    sides = {side: gather(dataset.samples, fold, side) for side in (TRAIN, VALIDATION, TEST)}
    y = {side: targets(dataset.samples, chosen, panel) for side, chosen in sides.items()}
    return FoldData(
        dataset, fold, panel, sides[TRAIN], y[TRAIN], sides[VALIDATION], y[VALIDATION], sides[TEST], y[TEST]
    )
