"""Which label of the mask each row of a table belongs to: as it says, else by the challenge's layout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from prestige.data.columns.ids import whole_ids
from prestige.data.tables import read_part
from prestige.errors import DataError, reading
from prestige.text import some

ATTRIBUTES = "uns/spatialdata_attrs"
_LABEL = (
    "give each row the label that its cell has in the mask, a whole number above 0 (0 is the background), in "
    "obs['cell_id'], or name their column as instance_key in uns['spatialdata_attrs']"
)


@dataclass(frozen=True, eq=False)
class Link:
    """The labels of a table's rows.

    Parameters
    ----------
    ids
        (n,) the label of each row that is kept.
    kept
        Of each row of the table, whether it describes a label of the mask.
    notes
        What was left out or taken for granted.
    """

    ids: Int[np.ndarray, " n"]
    kept: Bool[np.ndarray, " rows"]
    notes: tuple[str, ...]


def link(group: Any, obs: pd.DataFrame, *, mask: str, others: Iterable[str], where: str) -> Link:
    """Return the labels of a table's rows.

    spatialdata's tables say in ``uns["spatialdata_attrs"]`` which column links a row to its label
    (``instance_key``), and of which element the label is (``region_key``, a column).  Where a table says
    nothing, or describes something that is not in the store, the column ``cell_id``, else the row names.

    Parameters
    ----------
    group
        The table, opened.
    obs
        Its rows.
    mask
        Name of the element with the labels.
    others
        Names of the other elements of the store.
    where
        The table, for messages.

    Raises
    ------
    DataError
        For ids that are no labels, a link that is not there, and a table of another element of the store.
    """
    attributes = _attributes(group, where)
    key = attributes.get("instance_key")
    described = _described(attributes, obs, where)
    kept, notes = np.ones(len(obs), dtype=bool), []
    if described is not None and len(obs):
        of_mask = np.array([name == mask for name in described], dtype=bool)
        elsewhere = sorted({name for name, own in zip(described, of_mask, strict=True) if not own})
        if of_mask.any():
            kept = of_mask
            if not kept.all():
                notes.append(f"{int((~kept).sum()):,} rows describe {some(elsewhere)}, not {mask}: left out")
        elif set(elsewhere) & set(others):
            raise DataError(
                f"describes {some(elsewhere)}",
                where=where,
                expected=f"rows of the labels of {mask}",
                remedy=f"say so in the column '{attributes.get('region_key')}' if the ids are of its labels",
            )
        else:
            notes.append(
                f"{where} describes {some(elsewhere)}, which is not there: taken as labels of {mask}"
            )
            key = None if "cell_id" in obs.columns else key
    ids = id_column(obs, key, where)[kept]
    return Link(_labels(ids, mask, where), kept, tuple(notes))


def _attributes(group: Any, where: str) -> dict[str, Any]:
    with reading(where, part="'uns'"):
        there = "uns" in group and "spatialdata_attrs" in group["uns"]
    attributes = read_part(group, ATTRIBUTES, where=where) if there else {}
    return dict(attributes) if isinstance(attributes, dict) else {}


def _described(attributes: dict[str, Any], obs: pd.DataFrame, where: str) -> list[str] | None:
    """Return the element that each row says it describes, without the folder; None where nothing does."""
    column, region = attributes.get("region_key"), attributes.get("region")
    if column is not None and str(column) in obs.columns:
        names = [str(name) for name in obs[str(column)]]
    elif region is not None and len(every := np.atleast_1d(np.asarray(region)).ravel()) == 1:
        names = [str(every[0])] * len(obs)
    else:
        return None
    return [name.rpartition("/")[2] for name in names]


def id_column(obs: pd.DataFrame, key: Any, where: str) -> pd.Series:
    """Return what links the rows of a table to their element: the column or row names of that name.

    Without a name, the column ``cell_id`` where there is one, else the row names.

    Raises
    ------
    DataError
        When there is nothing of that name.
    """
    if key is None:
        return pd.Series(obs["cell_id"] if "cell_id" in obs.columns else obs.index)
    if str(key) in obs.columns:
        return pd.Series(obs[str(key)])
    if str(key) == obs.index.name:
        return pd.Series(obs.index)
    raise DataError(
        f"obs has no column '{key}', which uns['spatialdata_attrs'] names as the link to the labels",
        where=where,
        expected=f"one of {', '.join(str(name) for name in obs.columns[:20])}",
        remedy="mend its instance_key, or add the column",
    )


def _labels(ids: pd.Series, mask: str, where: str) -> Int[np.ndarray, " n"]:
    expected = f"the labels of {mask}"
    try:
        return whole_ids(ids, where=where, what="cell ids", expected=expected)
    except DataError as error:
        if error.remedy:
            raise
        raise DataError(error.what, where=where, expected=expected, remedy=_LABEL) from None
