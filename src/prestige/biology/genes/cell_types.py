"""Cell types by their markers: score of each observation, and the composition of neighbourhoods.

An observation's score for a type is the sum of the standardised expression of its m markers, over sqrt(m).
Its label is the type with the highest score, where that is at least :data:`MIN_SCORE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int

from prestige.biology.agreement import (
    WITH_DEPTH,
    Mean,
    agreement,
    mean_agreement,
    moments,
    versions,
)
from prestige.biology.genes.activity import membership_of
from prestige.biology.noise import Drawn, draw
from prestige.biology.pair import Pair
from prestige.errors import DataError
from prestige.genesets import GeneSet
from prestige.stats.labels import kappa, label_interval, label_tables
from prestige.stats.moments import Moments, spatial_blocks
from prestige.stats.space import large_enough, nearest, rows_of_samples

MIN_MARKERS = 2
"""A type with fewer markers in the panel is listed and not scored."""

MIN_SCORE = 1.0
"""Score from which the best type labels an observation; below, it has no label."""

NEIGHBOURS = 30
"""Nearest others whose labels are the composition of an observation's neighbourhood."""

NONE = "none"
_STEP = 1 << 15


@dataclass(frozen=True, eq=False)
class CellTypes:
    """Cell types by markers: how far measured and predicted agree.

    Attributes
    ----------
    table
        A row for each type, and ``none``: ``n_markers`` in the panel; the share of observations with this
        label in each version (``share_measured``, ``share_predicted``, ``share_noisy``); and the
        correlations of :data:`~prestige.biology.agreement.COMPARISONS` and of ``depth``, within samples and
        averaged over them, of the scores (``score_predicted``, ...) and of the neighbourhoods' shares
        (``composition_predicted``, ...).  ``depth``: the same shares everywhere, with noise at half the
        depth, against half of the counts, so what depth and counting bring by themselves.
    confusion
        A row for each comparison and pair of labels: ``comparison``, ``truth``, ``prediction``, ``n``, and
        ``share`` of the observations with that true label.
    same, kappa
        Comparison -> share of observations with the same label on both sides, and Cohen's kappa.
    kappa_intervals
        Comparison -> 95 % confidence interval of kappa over resampled tissue, None with too few blocks.
    means
        Comparison -> mean correlation of the composition over types, with its interval.
    labels
        (n, 2) label of each observation, measured and predicted as it is: positions in ``types``.
    types
        Names of the types scored, and ``none`` last.
    missing
        Type -> markers that the panel lacks.
    too_small
        A line for each type that has too few markers in the panel.
    neighbours
        Number of neighbours of the composition; 0 where there are no places or no sample has so many.
    left_out
        Samples with no more observations than that: their labels count, their neighbourhoods do not.
    """

    table: pd.DataFrame
    confusion: pd.DataFrame
    same: Mapping[str, float]
    kappa: Mapping[str, float]
    kappa_intervals: Mapping[str, tuple[float, float] | None]
    means: Mapping[str, Mean]
    labels: Int[np.ndarray, "n 2"]
    types: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    too_small: tuple[str, ...]
    neighbours: int
    left_out: tuple[str, ...] = ()


def marker_scores(
    z: Float[np.ndarray, "n g"], membership: Float[np.ndarray, "g t"]
) -> Float32[np.ndarray, "n t"]:
    """Return ``sum z / sqrt(m)`` over the m markers of each type: of variance 1 for independent genes.

    Unlike the t value of a regression on membership it says nothing of an observation that has no counts:
    there every z is below 0, and the rarest markers, nearest to 0, would stand out among the genes.
    """
    return z.astype(np.float32) @ (membership / np.sqrt(membership.sum(axis=0))).astype(np.float32)


def labels_of(scores: Float[np.ndarray, "n t"]) -> Int[np.ndarray, " n"]:
    """Return the best column of each row, or t, the number of columns, where it is below MIN_SCORE."""
    return np.where(scores.max(axis=1) >= MIN_SCORE, scores.argmax(axis=1), scores.shape[1])


def composition(
    labels: Int[np.ndarray, " n"], near: Int[np.ndarray, "n k"], n_labels: int
) -> Float32[np.ndarray, "n l"]:
    """Return the share of each label among the neighbours of each observation.

    Raises
    ------
    DataError
        When a label is not among 0 .. ``n_labels`` - 1.
    """
    if len(labels) and not (labels.min() >= 0 and labels.max() < n_labels):
        raise DataError("a label is out of range", expected=f"0 to {n_labels - 1}")
    out = np.empty((len(near), n_labels), dtype=np.float32)
    for start in range(0, len(near), _STEP):
        around = labels[near[start : start + _STEP]]
        cell = around + n_labels * np.arange(len(around))[:, None]
        counts = np.bincount(cell.ravel(), minlength=len(around) * n_labels)
        out[start : start + _STEP] = counts.reshape(len(around), n_labels) / near.shape[1]
    return out


def cell_types(
    pair: Pair,
    types: Mapping[str, GeneSet],
    *,
    block_um: float = 500.0,
    drawn: Drawn | None = None,
    seed: int = 0,
) -> CellTypes:
    """Score cell types by their markers and compare neighbourhoods, measured and predicted.

    Parameters
    ----------
    types
        Type -> markers (:func:`~prestige.biology.genes.markers.markers`).
    block_um
        Width of the spatial blocks of the intervals, um.
    drawn, seed
        Noise and halves of this pair, where they are drawn already; or their seed.

    Samples with no more than :data:`NEIGHBOURS` observations have no part in the composition, and are named.
    """
    scored, matrix, too_small = membership_of(pair.genes, types, MIN_MARKERS)
    panel = set(pair.genes)
    missing = {name: one.match.missing for name, one in scored.items()}
    for name, one in types.items():
        if name not in scored:
            missing[name] = tuple(gene for gene in one.genes if gene not in panel)
    names = (*scored, NONE)
    if not scored:
        nothing = np.zeros((len(pair), 2), dtype=np.int64)
        return CellTypes(
            pd.DataFrame(), pd.DataFrame(), {}, {}, {}, {}, nothing, names, missing, too_small, 0
        )
    drawn = draw(pair, seed) if drawn is None else drawn
    held = versions(pair, drawn) | {"depth": drawn.depth_half}
    scores = {name: _scores(pair, held.pop(name), matrix) for name in tuple(held)}
    labels = {name: labels_of(one) for name, one in scores.items()}
    blocks = spatial_blocks(pair.xy_um, block_um)
    of_scores = moments(
        lambda rows: {k: v[rows] for k, v in scores.items()}, list(scored), pair.sample_of, blocks, WITH_DEPTH
    )
    table = pd.DataFrame(
        {"n_markers": [*(len(one.members) for one in scored.values()), 0]}, index=pd.Index(names, name="type")
    )
    for name in ("measured", "predicted", "noisy"):
        table[f"share_{name}"] = np.bincount(labels[name], minlength=len(names)) / len(pair)
    for name, one in of_scores.items():
        table[f"score_{name}"] = [*agreement(one).value, np.nan]
    of_compositions, left_out = _compositions(pair, labels, names, blocks)
    for name, one in of_compositions.items():
        table[f"composition_{name}"] = agreement(one).value
    means = {
        name: mean_agreement(one, list(scored), patient_of=pair.patient_of, seed=seed)
        for name, one in of_compositions.items()
    }
    confusion, same, values = _confusion(labels, names)
    ends = {
        name: label_interval(
            label_tables((labels[t], labels[p]), (len(names), len(names)), pair.sample_of, blocks),
            kappa,
            patient_of=pair.patient_of,
            seed=seed,
        )
        for name, (p, t) in WITH_DEPTH.items()
    }
    return CellTypes(
        table=table,
        confusion=confusion,
        same=same,
        kappa=values,
        kappa_intervals=ends,
        means=means,
        labels=np.stack([labels["measured"], labels["predicted"]], axis=1),
        types=names,
        missing=missing,
        too_small=too_small,
        neighbours=NEIGHBOURS if of_compositions else 0,
        left_out=left_out,
    )


def _compositions(
    pair: Pair, labels: Mapping[str, np.ndarray], names: tuple[str, ...], blocks: np.ndarray
) -> tuple[dict[str, Moments], tuple[str, ...]]:
    """Return what each comparison of neighbourhoods sums to, and the samples too small to have any."""
    if not pair.has_positions:
        return {}, ()
    try:
        kept, left_out = large_enough(pair.sample_of, NEIGHBOURS + 1, "neighbourhoods")
    except DataError:
        return {}, tuple(name for name, _ in rows_of_samples(pair.sample_of))
    sample_of = pair.sample_of[kept]
    near = nearest(pair.xy_um[kept], sample_of, NEIGHBOURS)
    shares = {name: composition(one[kept], near, len(names)) for name, one in labels.items()}
    return moments(
        lambda rows: {k: v[rows] for k, v in shares.items()}, names, sample_of, blocks[kept], WITH_DEPTH
    ), left_out


def _scores(pair: Pair, values: np.ndarray, matrix: np.ndarray) -> Float32[np.ndarray, "n t"]:
    starts = range(0, len(values), _STEP)
    return np.concatenate([marker_scores(pair.z(values[at : at + _STEP]), matrix) for at in starts])


def _confusion(
    labels: Mapping[str, np.ndarray], names: tuple[str, ...]
) -> tuple[pd.DataFrame, dict[str, float], dict[str, float]]:
    """Return the table of labels against labels, their agreement and Cohen's kappa, for each comparison."""
    m = len(names)
    rows, same, kappas = [], {}, {}
    for name, (p, t) in WITH_DEPTH.items():
        counts = np.bincount(labels[t] * m + labels[p], minlength=m * m).reshape(m, m)
        same[name] = float(np.trace(counts) / counts.sum())
        kappas[name] = float(kappa(counts[None].astype(np.float64))[0][0])
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        rows.append(
            pd.DataFrame(
                {
                    "comparison": name,
                    "truth": np.repeat(names, m),
                    "prediction": np.tile(names, m),
                    "n": counts.ravel(),
                    "share": share.ravel(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True), same, kappas
