"""``prestige evaluate PRED.h5ad TRUTH.h5ad``: a file of predictions scored against a file of counts.

The prediction file is ours (``uns["prestige"]`` says its normalisation and ``var["train_mean"]`` its
mean baseline) or another tool's, whose scale has to be named.  The truth holds counts and is
normalised likewise, with totals over all its genes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from prestige.errors import ConfigError, DataError, StorageError
from prestige.evaluate.scores import Evaluation, evaluate
from prestige.stats import compare, mean_gene_pearson

if TYPE_CHECKING:
    from anndata import AnnData

SCHEMA = "prestige.prediction/1"
SCALES = "log1p:TOTAL (log1p of counts scaled to TOTAL), log1p, total:TOTAL or counts"


@dataclass(frozen=True)
class Scale:
    """A scale of expression: counts, perhaps scaled to a total, perhaps log1p of that."""

    total: float | None
    log1p: bool

    def __str__(self) -> str:
        if self.total is None:
            return "log1p" if self.log1p else "counts"
        return f"{'log1p' if self.log1p else 'total'}:{self.total:g}"


@dataclass(frozen=True, eq=False)
class FileEvaluation:
    """The scores of a prediction file, those of its mean baseline, and how they came about.

    ``baseline`` is None ("unavailable") where the file does not carry the training means: the
    mean of the test data is never put in their place.
    """

    evaluation: Evaluation
    baseline: Evaluation | None
    scale: str
    block_um: float
    has_positions: bool
    counted: dict[str, int]
    notes: tuple[str, ...]

    def summary(self) -> dict[str, Any]:
        """Return the means over genes and observations, averaged over samples, ready for JSON.

        NaN becomes None.  The interval is that of the mean per-gene Pearson correlation.
        """
        found: dict[str, Any] = {
            "schema": "prestige.evaluation/1",
            "scale": self.scale,
            "counted": dict(self.counted),
            "scores": _means(self.evaluation),
            "mean_baseline": _means(self.baseline) if self.baseline is not None else "unavailable",
            "notes": list(self.notes),
        }
        found["pearson_interval"], note = self._interval()
        found["notes"] += [note] if note else []
        return found

    def _interval(self) -> tuple[list[float] | None, str | None]:
        if not self.has_positions:
            return None, None  # a note says so already
        if not np.isfinite(mean_gene_pearson(self.evaluation.moments)):
            return None, "no interval: no gene varies in the truth"
        compared = compare({"prediction": [self.evaluation.moments]})
        row = compared.rows["prediction"]
        note = f"{compared.note} Blocks of {self.block_um:g} um."
        return (None if row.low is None or row.high is None else [row.low, row.high]), note


def evaluate_files(
    pred_path: Path, truth_path: Path, *, scale: str | None = None, block_um: float = 500.0
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
        Width of the spatial blocks of the interval, um.

    Raises
    ------
    StorageError
        When a file is missing or cannot be read.
    ConfigError
        When the scale is not known, or contradicts the file.
    DataError
        When genes or observations do not match, or values are NaN, infinite or no counts.
    """
    pred, truth = _read(Path(pred_path)), _read(Path(truth_path))
    _check_names(pred, Path(pred_path))
    _check_names(truth, Path(truth_path))
    of_file = _scale_of(pred, scale, Path(pred_path))
    rows, counted = _match(pred, truth, Path(pred_path), Path(truth_path))
    matched = truth[rows]
    expected = _truth_on_scale(matched, list(pred.var_names), of_file, Path(truth_path))
    predicted = _dense(pred[matched.obs_names].X)
    if not np.isfinite(predicted).all():
        bad = pred.var_names[int(np.flatnonzero(~np.isfinite(predicted).all(axis=0))[0])]
        raise DataError(
            f"the prediction of gene '{bad}' holds NaN or infinity",
            where=pred_path,
            expected="a number for every observation",
            remedy="predict again, or take the gene out of the file",
        )
    xy_um, note = _positions(matched)
    notes = [note] if note else []
    common = {
        "genes": tuple(pred.var_names),
        "sample_of": _sample_of(matched, Path(truth_path)),
        "xy_um": xy_um,
        "block_um": block_um,
    }
    mean = _train_mean(pred)
    evaluation = evaluate(predicted, expected, train_mean=mean, **common)
    baseline = None
    if mean is None:
        notes.append("the mean baseline is unavailable: the predictions carry no training means")
    else:
        constant = np.broadcast_to(mean.astype(np.float32), expected.shape)
        baseline = evaluate(constant, expected, train_mean=mean, **common)
    return FileEvaluation(evaluation, baseline, str(of_file), block_um, note is None, counted, tuple(notes))


def parse_scale(text: str) -> Scale:
    """Read "log1p:100", "log1p", "total:100" or "counts".

    Raises
    ------
    ConfigError
        When it is none of them.
    """
    found = re.fullmatch(r"(log1p|total|counts)(?::([0-9.eE+]+))?", text.strip())
    try:
        total = float(found.group(2)) if found and found.group(2) else None
    except ValueError:
        found, total = None, None
    kind = found.group(1) if found else ""
    fits = (
        (kind == "log1p") or (kind == "total" and total is not None) or (kind == "counts" and total is None)
    )
    if not fits or (total is not None and not (0 < total < float("inf"))):
        raise ConfigError(f"unknown scale '{text}'", where="--scale", expected=SCALES)
    return Scale(total, kind == "log1p")


def _read(path: Path) -> AnnData:
    import anndata

    if not path.is_file():
        raise StorageError("no such file", where=path, expected="an .h5ad file")
    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()
        raise StorageError(
            f"cannot be read ({reason[0] if reason else type(error).__name__})",
            where=path,
            expected="a whole .h5ad file of AnnData",
            remedy="copy it again if it was cut off",
        ) from error


def _check_names(table: AnnData, path: Path) -> None:
    if table.X is None:
        raise DataError("has no X", where=path, expected="observations x genes in X")
    for kind, names in (("observation", table.obs_names), ("gene", table.var_names)):
        if not len(names):
            raise DataError(f"holds no {kind}s", where=path)
        if not names.is_unique:
            again = names[names.duplicated()][0]
            raise DataError(
                f"the {kind} '{again}' occurs twice",
                where=path,
                expected=f"unique names of {kind}s",
                remedy=f"make the names of the {kind}s unique",
            )


def _scale_of(pred: AnnData, scale: str | None, path: Path) -> Scale:
    given = None if scale is None else parse_scale(scale)
    ours = pred.uns.get("prestige")
    if ours is None:
        if given is None:
            raise ConfigError(
                "does not say on which scale its predictions are",
                where=path,
                expected='uns["prestige"]',
                remedy=f"name the scale with --scale: {SCALES}",
            )
        return given
    try:
        if str(ours["schema"]) != SCHEMA:
            raise DataError(f"has schema '{ours['schema']}'", where=path, expected=SCHEMA)
        stored = Scale(float(ours["normalisation"]["total"]), bool(ours["normalisation"]["log1p"]))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            'uns["prestige"] is incomplete', where=path, expected="schema and normalisation"
        ) from error
    if given is not None and given != stored:
        raise ConfigError(
            f"says {stored}, --scale says {given}",
            where=path,
            remedy="leave --scale out for files of prestige",
        )
    return stored


def _match(
    pred: AnnData, truth: AnnData, pred_path: Path, truth_path: Path
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the rows of the truth that are scored, and what was counted on the way."""
    missing = pred.var_names.difference(truth.var_names)
    if len(missing):
        raise DataError(
            f"lacks {len(missing)} of the {pred.n_vars} predicted genes, for example {_some(list(missing))}",
            where=truth_path,
            expected=f"counts of every gene in {pred_path.name}",
            remedy="check species and kind of gene names, or take these genes out of the predictions",
        )
    measured = np.ones(truth.n_obs, dtype=bool)
    if "measured" in truth.obs:
        measured &= np.asarray(truth.obs["measured"], dtype=bool)
    totals = _totals(truth, truth_path)
    measured &= totals > 0
    if not measured.any():
        raise DataError("has no observation with counts", where=truth_path)
    predicted = truth.obs_names.isin(pred.obs_names)
    lost = truth.obs_names[measured & ~predicted]
    if len(lost):
        raise DataError(
            f"has no prediction for {len(lost)} of {int(measured.sum())} measured observations, "
            f"for example {_some(list(lost))}",
            where=pred_path,
            expected=f"a prediction for each measured observation of {truth_path.name}",
            remedy="cut the truth to the observations that are to be scored, or compare the obs_names",
        )
    rows = np.flatnonzero(measured & predicted)
    return rows, {
        "scored": len(rows),
        "predicted": pred.n_obs,
        "predicted_without_truth": pred.n_obs - int(pred.obs_names.isin(truth.obs_names[rows]).sum()),
        "truth_without_counts": int((~measured).sum()),
        "genes": pred.n_vars,
    }


def _totals(truth: AnnData, path: Path) -> np.ndarray:
    """Return the counts of each observation over all genes, after checking that they are counts."""
    values = truth.X if isinstance(truth.X, np.ndarray) else truth.X.data  # type: ignore[union-attr]
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError(
            "the counts hold NaN, infinite or negative values",
            where=path,
            expected="raw counts, 0 or more and finite",
            remedy="store the raw counts in X",
        )
    if (values != np.round(values)).any():
        raise DataError(
            "X holds no counts: some values are not whole numbers",
            where=path,
            expected="raw counts, which are normalised as the predictions were",
        )
    if "total_counts" not in truth.obs:
        return np.asarray(truth.X.sum(axis=1), dtype=np.float64).ravel()  # type: ignore[union-attr]
    totals = np.asarray(truth.obs["total_counts"], dtype=np.float64)
    if not np.isfinite(totals).all() or (totals < 0).any():
        raise DataError('obs["total_counts"] holds NaN, infinite or negative values', where=path)
    return totals


def _truth_on_scale(truth: AnnData, genes: Sequence[str], scale: Scale, path: Path) -> np.ndarray:
    expected = _dense(truth[:, list(genes)].X)
    if scale.total is not None:
        expected *= (scale.total / _totals(truth, path)).astype(np.float32)[:, None]
    return np.log1p(expected, out=expected) if scale.log1p else expected


def _dense(values: Any) -> np.ndarray:
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    return np.array(dense, dtype=np.float32)


def _positions(truth: AnnData) -> tuple[np.ndarray, str | None]:
    """Return positions in um, or zeros and the reason why there is no interval."""
    um_per_px = truth.uns.get("um_per_px")
    if "spatial" not in truth.obsm or um_per_px is None:
        return np.zeros((truth.n_obs, 2)), (
            'no interval: the truth has no obsm["spatial"] in pixels with uns["um_per_px"]'
        )
    xy = np.asarray(truth.obsm["spatial"], dtype=np.float64)[:, :2]
    return xy * float(um_per_px), None


def _sample_of(truth: AnnData, path: Path) -> np.ndarray:
    if "sample" in truth.obs:
        return np.asarray(truth.obs["sample"]).astype(np.str_)
    return np.full(truth.n_obs, path.stem)


def _train_mean(pred: AnnData) -> np.ndarray | None:
    if "prestige" not in pred.uns or "train_mean" not in pred.var:
        return None
    return np.asarray(pred.var["train_mean"], dtype=np.float64)


def _some(names: Sequence[object], n: int = 3) -> str:
    return ", ".join(f"'{name}'" for name in names[:n]) + (", ..." if len(names) > n else "")


def _means(evaluation: Evaluation) -> dict[str, dict[str, float | None]]:
    """Return level -> metric -> mean over the samples in which it is defined, None where it is in none."""
    found: dict[str, dict[str, float | None]] = {}
    summary = evaluation.scores[evaluation.scores["level"] != "gene"]
    values: dict[tuple[str, str], list[float]] = {}
    for level, metric, value in zip(summary["level"], summary["metric"], summary["value"], strict=True):
        values.setdefault((level, metric), []).append(float(value))
    for (level, metric), of_samples in values.items():
        finite = [value for value in of_samples if np.isfinite(value)]
        found.setdefault(level, {})[metric] = float(np.mean(finite)) if finite else None
    return found
