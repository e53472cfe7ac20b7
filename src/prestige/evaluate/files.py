"""``prestige evaluate PRED.h5ad TRUTH.h5ad``: a file of predictions scored against a file of counts.

The prediction file is ours (``uns["prestige"]`` says its normalisation and ``var["train_mean"]`` its
mean baseline) or another tool's, whose scale has to be named.  The truth holds counts and is
normalised likewise, with totals over all its genes: ``layers["counts"]`` where it has them, else ``X``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from prestige.evaluate.matched import read_matched
from prestige.evaluate.scores import Evaluation, evaluate
from prestige.stats.block_width import Blocks, blocks_of_tissue
from prestige.stats.compare import compare
from prestige.stats.moments import mean_gene_pearson


@dataclass(frozen=True, eq=False)
class FileEvaluation:
    """The scores of a prediction file, those of its mean baseline, and how they came about.

    ``baseline`` is None ("unavailable") where the file does not carry the training means: the
    mean of the test data is never put in their place.
    """

    evaluation: Evaluation
    baseline: Evaluation | None
    scale: str
    blocks: Blocks
    has_positions: bool
    counted: dict[str, int]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return the means over genes and observations, averaged over samples, ready for JSON.

        NaN becomes None.  The interval is that of the mean per-gene Pearson correlation.
        """
        interval, note = self._interval()
        return {
            "schema": "prestige.evaluation/1",
            "scale": self.scale,
            "counted": dict(self.counted),
            "scores": _means(self.evaluation),
            "mean_baseline": _means(self.baseline) if self.baseline is not None else "unavailable",
            "notes": [*self.notes, note] if note else list(self.notes),
            "pearson_interval": interval,
        }

    def _interval(self) -> tuple[list[float] | None, str | None]:
        if not self.has_positions:
            return None, None  # a note says so already
        if not np.isfinite(mean_gene_pearson(self.evaluation.moments)):
            return None, "no interval: no gene varies in the truth"
        compared = compare({"prediction": [self.evaluation.moments]})
        row = compared.rows["prediction"]
        note = f"{compared.note} Blocks are {self.blocks.text}."
        return (None if row.low is None or row.high is None else [row.low, row.high]), note


def evaluate_files(
    pred_path: Path | str, truth_path: Path | str, *, scale: str | None = None, block_um: float | None = None
) -> FileEvaluation:
    """Score a file of predictions against a file of counts.

    Parameters
    ----------
    pred_path
        ``.h5ad``: X (observations x genes), ``obs_names``, ``var_names``; ours has ``uns["prestige"]``.
    truth_path
        ``.h5ad`` of counts for at least those genes; ``obs["total_counts"]`` where X is not all that
        was measured; ``obs["measured"]``, ``obs["sample"]``, ``obsm["spatial"]`` (slide pixels)
        and ``uns["um_per_px"]`` are used where present.
    scale
        The scale of a prediction file that does not say: "log1p:100", "log1p", "total:100", "counts".
    block_um
        Width of the spatial blocks of the interval, um; by the tissue's correlation length if left out.

    Raises
    ------
    StorageError
        When a file is missing or cannot be read.
    ConfigError
        When the scale is not known, or contradicts the file.
    DataError
        When genes or observations do not match, or values are NaN, infinite or no counts.

    Examples
    --------
    >>> import prestige
    >>> scores = prestige.evaluate_files("run/predictions/S2.h5ad", "bench/truth/fold-0/S2.h5ad").summary()
    >>> scores["counted"]["scored"], scores["counted"]["genes"]
    (126, 4)
    """
    pred_path, truth_path = Path(pred_path), Path(truth_path)
    files = read_matched(pred_path, truth_path, scale)
    expected, mean = files.expected(), files.train_mean
    notes = list(files.notes)
    if files.no_positions is not None:
        notes.append(f"no interval: {files.no_positions}")
    if block_um is None:
        blocks = blocks_of_tissue(expected, files.xy_um, files.sample_of)
    else:
        blocks = Blocks(block_um, math.nan, unknown=True)
    common = {
        "genes": files.genes,
        "sample_of": files.sample_of,
        "xy_um": files.xy_um,
        "block_um": blocks.width_um,
    }
    evaluation = evaluate(files.predicted, expected, train_mean=mean, **common)
    baseline = None
    if mean is None:
        notes.append("the mean baseline is unavailable: the predictions carry no training means")
    else:
        constant = np.broadcast_to(mean.astype(np.float32), expected.shape)
        baseline = evaluate(constant, expected, train_mean=mean, **common)
    return FileEvaluation(
        evaluation,
        baseline,
        str(files.scale),
        blocks,
        files.no_positions is None,
        files.counted,
        tuple(notes),
    )


def _means(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Return level -> metric -> mean over the samples in which it is defined, None where it is in none."""
    means: dict[str, dict[str, float | None]] = {}
    summary = evaluation.scores[evaluation.scores["level"] != "gene"]
    for (level, metric), of_samples in summary.groupby(["level", "metric"], sort=False)["value"]:
        finite = [value for value in of_samples if np.isfinite(value)]
        means.setdefault(str(level), {})[str(metric)] = float(np.mean(finite)) if finite else None
    return means
