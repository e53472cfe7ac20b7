"""Predictions and counts, from files or as AnnData, put together: the observations and genes that both have.

The predictions are ours (``uns["prestige"]`` says their normalisation) or another tool's, whose scale has to
be named.  The truth holds counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Shaped
from scipy.sparse import csr_matrix

from prestige.data.columns.counts import (
    as_rows,
    count_faults,
    counts_elsewhere,
    counts_of,
    doubts_about,
)
from prestige.data.columns.genes import genes_of
from prestige.data.columns.measured import measured_rows
from prestige.data.columns.mismatch import both_sides
from prestige.data.columns.places import read_places
from prestige.data.columns.totals import totals_of
from prestige.data.hdf5.whole import read_anndata
from prestige.data.tables import as_numbers, checked_matrix, row_sums
from prestige.errors import ConfigError, DataError, StorageError, nearest, raise_all, reading
from prestige.evaluate.scale import SCALES, Scale, parse_scale
from prestige.prediction.files import SCHEMA
from prestige.text import some

if TYPE_CHECKING:
    from anndata import AnnData

_NAMES = (Path("predicted"), Path("measured"))
_WIDEST_UM, _FARTHEST_PX = 1e4, 1e9


@dataclass(frozen=True, eq=False)
class MatchedFiles:
    """What both sides say of the n observations that are scored and the g predicted genes.

    Attributes
    ----------
    genes
        The g genes in the order of the predictions.
    scale
        The scale of ``predicted``.
    predicted
        Predictions as they stand in the file, all finite.
    counts, totals
        Counts of the same genes, and of each observation over all genes of the truth (above 0).
    sample_of, xy_um, obs
        Sample and place in um of each observation, and the truth's table of observations.
    no_positions
        Why ``xy_um`` is all zeros; None where there are positions.
    train_mean, train_std
        Of the training side on the log1p scale; None where the file does not carry them.
    counted
        What was matched, and what was left out.
    notes
        What the truth says of itself, or makes one doubt.
    """

    genes: tuple[str, ...]
    scale: Scale
    predicted: Float32[np.ndarray, "n g"]
    counts: csr_matrix
    totals: Float[np.ndarray, " n"]
    sample_of: Shaped[np.ndarray, " n"]
    xy_um: Float[np.ndarray, "n 2"]
    obs: pd.DataFrame
    no_positions: str | None
    train_mean: Float[np.ndarray, " g"] | None
    train_std: Float[np.ndarray, " g"] | None
    counted: dict[str, int]
    notes: tuple[str, ...] = ()

    def expected(self) -> Float32[np.ndarray, "n g"]:
        """Return the counts on the scale of the predictions."""
        expected = _dense(self.counts)
        if self.scale.total is not None:
            expected *= (self.scale.total / self.totals).astype(np.float32)[:, None]
        return np.log1p(expected, out=expected) if self.scale.log1p else expected


def read_matched(pred_path: Path, truth_path: Path, scale: str | None = None) -> MatchedFiles:
    """Read predictions and counts of the same observations, rows in the order of the truth.

    Parameters, and what is refused, as in :func:`prestige.evaluate.evaluate_files`.
    """
    names = Path(pred_path), Path(truth_path)
    pred, truth = (read_anndata(name, kind=StorageError) for name in names)
    return match_tables(pred, truth, scale, names=names)


def match_tables(
    pred: AnnData,
    truth: AnnData,
    scale: str | None = None,
    *,
    names: tuple[Path, Path] = _NAMES,
    um_per_px: float | None = None,
) -> MatchedFiles:
    """Match predictions and counts of the same observations, rows in the order of the truth.

    Parameters
    ----------
    pred, truth, scale
        As in :func:`prestige.evaluate.evaluate_files`, read already.
    names
        What messages call the two.  The second is the name of the sample where the truth has none.
    um_per_px
        Micrometres per unit of ``obsm["spatial"]``; by default ``uns["um_per_px"]`` of the truth.

    Raises
    ------
    ConfigError, DataError
        As there.
    """
    pred_path, truth_path = names
    _check_names(pred, pred_path, pred.X)
    _check_names(truth, truth_path, counts_of(truth)[0])
    of_file = _scale_of(pred, scale, pred_path)
    counts, totals, measured, notes = _counts(truth, truth_path)
    rows, counted = _match(pred, truth, measured & (totals > 0), names)
    matched = truth[rows]
    predicted = _dense(pred[matched.obs_names].X)
    if not np.isfinite(predicted).all():
        bad = pred.var_names[int(np.flatnonzero(~np.isfinite(predicted).all(axis=0))[0])]
        raise DataError(
            f"the prediction of gene '{bad}' holds NaN or infinity",
            where=pred_path,
            expected="a number for every observation",
            remedy="predict again, or take the gene out of the file",
        )
    xy_um, note = _positions(matched, um_per_px, truth_path)
    obs: Any = matched.obs
    columns = truth.var_names.get_indexer(pred.var_names)
    return MatchedFiles(
        genes=tuple(pred.var_names),
        scale=of_file,
        predicted=predicted,
        counts=csr_matrix(counts[rows][:, columns], dtype=np.float32),
        totals=totals[rows],
        sample_of=_sample_of(matched, truth_path),
        xy_um=xy_um,
        obs=obs.copy(),
        no_positions=note,
        train_mean=_of_training(pred, "train_mean", pred_path),
        train_std=_of_training(pred, "train_std", pred_path),
        counted=counted,
        notes=(*notes, *doubts_about(counts, totals, measured)),
    )


def _check_names(table: AnnData, path: Path, matrix: Any) -> None:
    if matrix is None:
        raise DataError(
            "has no X", where=path, expected="observations x genes in X", remedy="write its values there"
        )
    checked_matrix(matrix, where=f"{path}, 'X'")
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
        if not 0 < (stored.total or 0) < float("inf"):
            raise ValueError("no total")
    except (LookupError, TypeError, ValueError) as error:
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
    pred: AnnData, truth: AnnData, measured: Bool[np.ndarray, " n"], names: tuple[Path, Path]
) -> tuple[np.ndarray, dict[str, int]]:
    """Return the rows of the truth that are scored, and what was counted on the way."""
    pred_path, truth_path = names
    missing = pred.var_names.difference(truth.var_names, sort=False)
    if len(missing):
        raise DataError(
            f"lacks {len(missing)} of the {pred.n_vars} predicted genes, for example {_some(list(missing))}",
            where=truth_path,
            expected=f"counts of every gene in {pred_path.name}",
            remedy=both_sides(
                list(missing),
                truth.var_names,
                "check species and kind of gene names, or take these genes out of the predictions",
            ),
        )
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
            remedy=both_sides(
                list(lost),
                pred.obs_names.difference(truth.obs_names, sort=False),
                "cut the truth to the observations that are to be scored, or compare the obs_names",
            ),
        )
    rows = np.flatnonzero(measured & predicted)
    return rows, {
        "scored": len(rows),
        "predicted": pred.n_obs,
        "predicted_without_truth": pred.n_obs - int(pred.obs_names.isin(truth.obs_names[rows]).sum()),
        "truth_without_counts": int((~measured).sum()),
        "genes": pred.n_vars,
    }


def _counts(
    truth: AnnData, path: Path
) -> tuple[csr_matrix, Float[np.ndarray, " n"], Bool[np.ndarray, " n"], tuple[str, ...]]:
    """Return counts of all features, totals, who was measured and notes, by the rules of the readers.

    The totals are over genes: controls are no part of them.
    """
    where = str(path)
    matrix, name = counts_of(truth)
    counts = as_rows(matrix, where=where, name=name)
    others = {f"layers['{layer}']": truth.layers[layer] for layer in truth.layers}
    others |= {"X": truth.X} if truth.X is not None else {}
    others |= {"raw.X": truth.raw.X} if truth.raw is not None else {}
    others.pop(name, None)
    faults = count_faults(counts, truth.obs_names, where=where, name=name)
    if faults:
        elsewhere = counts_elsewhere(others, where=where)
        raise_all(list(count_faults(counts, truth.obs_names, where=where, name=name, elsewhere=elsewhere)))
    obs: Any = truth.obs
    var: Any = truth.var
    measured, notes = measured_rows(obs, where=where)
    genes = genes_of(var)
    kept = counts if genes.kept is None else counts[:, np.flatnonzero(genes.kept)]
    totals = totals_of(obs, row_sums(kept), where=where, n_genes=len(genes.names), measured=measured)
    doubted = (totals.note,) if totals.refuted and totals.note else ()
    left_out = genes.notes if genes.kept is not None else ()
    return counts, totals.values, measured, (*left_out, *notes, *doubted)


def _dense(values: Any) -> np.ndarray:
    dense = values if isinstance(values, np.ndarray) else values.toarray()
    return np.array(dense, dtype=np.float32)


def _positions(truth: AnnData, um_per_px: float | None, path: Path) -> tuple[np.ndarray, str | None]:
    """Return positions in um, or zeros and the reason why there are none."""
    um_per_px = truth.uns.get("um_per_px") if um_per_px is None else um_per_px
    if "spatial" not in truth.obsm or um_per_px is None:
        reason = 'the truth has no obsm["spatial"] in pixels with uns["um_per_px"]'
        near = nearest("spatial", truth.obsm) if "spatial" not in truth.obsm else None
        return np.zeros((truth.n_obs, 2)), f"{reason} (there is '{near}')" if near else reason
    with reading(path, part='uns["um_per_px"]', remedy="write the width of a pixel in micrometres"):
        width = float(um_per_px)
    if not 0 < width < _WIDEST_UM:
        raise DataError(
            f'uns["um_per_px"] is {width:g}', where=path, expected="the width of a pixel in micrometres"
        )
    xy = read_places(truth.obsm["spatial"], truth.obs_names, where=str(path))
    lost = np.asarray(~(np.abs(xy) < _FARTHEST_PX).all(axis=1))
    if lost.any():
        raise DataError(
            f"obsm['spatial'] has no place, or an absurd one, for {some(truth.obs_names[lost])}",
            where=path,
            expected="a finite x and y in pixels for every observation",
            remedy="take these rows off the table, or all of obsm['spatial']",
        )
    return xy * width, None


def _sample_of(truth: AnnData, path: Path) -> np.ndarray:
    if "sample" in truth.obs:
        return np.asarray(truth.obs["sample"]).astype(np.str_)
    return np.full(truth.n_obs, path.stem)


def _of_training(pred: AnnData, name: str, path: Path) -> np.ndarray | None:
    if "prestige" not in pred.uns or name not in pred.var:
        return None
    values = as_numbers(pd.Series(pred.var[name]))
    if not np.isfinite(values).all():
        raise DataError(
            f"var['{name}'] is no number of {some(pred.var_names[~np.isfinite(values)])}",
            where=path,
            expected="a finite number of every gene",
            remedy="predict again, or take the column off",
        )
    return values


def _some(names: Sequence[object], n: int = 3) -> str:
    return ", ".join(f"'{name}'" for name in names[:n]) + (", ..." if len(names) > n else "")
