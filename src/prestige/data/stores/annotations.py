"""What a table of a store describes: which elements, and which of their instances each row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from prestige.data.columns.ids import whole_ids
from prestige.data.columns.mismatch import both_sides
from prestige.data.frames import decoded
from prestige.data.stores.links import ATTRIBUTES
from prestige.errors import DataError, reading
from prestige.text import some


@dataclass(frozen=True)
class Annotation:
    """What a table says of its link to the elements of its store.

    Parameters
    ----------
    regions
        Names of the elements that it says it describes, without their folders; none where it says nothing.
    region_key, instance_key
        The columns with the element of each row, and with the instance; None where it says nothing.
    """

    regions: tuple[str, ...]
    region_key: str | None
    instance_key: str | None


def annotation_of(group: Any, where: str) -> Annotation:
    """Return the link of a table: by ``uns["spatialdata_attrs"]``, else by the attributes of its group.

    Raises
    ------
    DataError
        When they cannot be read.
    """
    with reading(where, part=f"'{ATTRIBUTES}'"):
        said = decoded(group[ATTRIBUTES]) if ATTRIBUTES in group else group.attrs.asdict()
        said = said if isinstance(said, dict) else {}
        listed = said.get("region")
        regions = (
            () if listed is None else tuple(str(one) for one in np.atleast_1d(np.asarray(listed)).ravel())
        )
        keys = (said.get("region_key"), said.get("instance_key"))
    region_key, instance_key = (None if key is None else str(key) for key in keys)
    return Annotation(regions, region_key, instance_key)


def rows_of(
    obs: pd.DataFrame, link: Annotation, region: str, where: str
) -> tuple[Bool[np.ndarray, "rows"], list[str]]:
    """Return which rows of a table describe a region, and a note on the others.

    Raises
    ------
    DataError
        When none does, or the table has several regions and no column that tells their rows apart.
    """
    if not link.regions and link.region_key is None:
        return np.ones(len(obs), dtype=bool), [
            f"the table says of no region that it describes it: taken as of {region}"
        ]
    if link.region_key is None or link.region_key not in obs.columns:
        if len(link.regions) == 1:
            return np.ones(len(obs), dtype=bool), []
        raise DataError(
            f"describes {some(link.regions)}, and no column '{link.region_key}' tells their rows apart",
            where=where,
            expected="the column that its region_key names",
            remedy="add it",
        )
    names = obs[link.region_key].astype(str)
    kept = np.asarray(names == region, dtype=bool)
    if not kept.any() and len(obs):
        raise DataError(
            f"no row describes {region}, by obs['{link.region_key}']",
            where=where,
            expected=f"rows of {region}",
            remedy=f"it has rows of {some(sorted(set(names)))}: name one as region: in dataset.yaml",
        )
    left = sorted(set(names[~kept]))
    return kept, [
        f"{int((~kept).sum()):,} rows describe {some(left)}, not {region}: left out"
    ] if left else []


def matched(
    column: pd.Series, there: pd.Index, *, region: str, what: str, where: str
) -> Int[np.ndarray, "n"]:
    """Return for each row of a table the place of its instance among the ids of a region.

    Parameters
    ----------
    column
        The ids of the rows.
    there
        The ids of the region's instances.
    region, what, where
        Its name, what its instances are ("shape"), and the table, for messages.

    Raises
    ------
    DataError
        For ids that stand there twice, and rows whose instance is not there.
    """
    expected = f"the ids of {region}"
    if not there.is_unique:
        raise DataError(
            f"{region} has ids twice: {some(there[there.duplicated()])}", where=where, expected=expected
        )
    if pd.api.types.is_integer_dtype(there.dtype):
        column, there = _whole(column, there, where, expected), there.astype(np.int64)
    else:
        column, there = pd.Series(column.astype(str).to_numpy(object)), there.astype(str)
    wanted = pd.Index(column)
    if not wanted.is_unique:
        raise DataError(
            f"rows that name one {what} twice: {some(wanted[wanted.duplicated()])}",
            where=where,
            expected=f"one row for a {what}",
            remedy="take one of each off the table",
        )
    places = np.asarray(there.get_indexer(wanted), dtype=np.int64)
    lost = places < 0
    if not lost.any():
        return places
    names = [str(one) for one in wanted[lost]]
    if (apart := _counted_apart(wanted, there)) is not None:
        raise DataError(
            f"its ids run from {wanted.min()} to {wanted.max()}, those of {region} from {there.min()} "
            f"to {there.max()}: each is {abs(apart)} too {'large' if apart > 0 else 'small'}, or another",
            where=where,
            expected=expected,
            remedy=f"count both from one number: instance_key {-apart:+d}, where that is so",
        )
    if not lost.all():
        raise DataError(
            f"rows without a {what} in {region}: {some(names)}",
            where=where,
            expected=expected,
            remedy=f"take these rows off the table, or add what {region} lacks",
        )
    raise DataError(
        f"none of its rows has a {what} in {region} (rows are called '{names[0]}')",
        where=where,
        expected=expected,
        remedy=both_sides(names, [str(one) for one in there], "name another region, or mend instance_key"),
    )


def _counted_apart(wanted: pd.Index, there: pd.Index) -> int | None:
    """Return how far whole numbers without a gap, as many on both sides, lie apart; None for all else."""
    if not len(wanted) or len(wanted) != len(there) or not pd.api.types.is_integer_dtype(wanted.dtype):
        return None
    least, other = int(wanted.min()), int(there.min())
    if int(wanted.max()) - least + 1 != len(wanted) or int(there.max()) - other + 1 != len(there):
        return None
    return least - other


def _whole(column: pd.Series, there: pd.Index, where: str, expected: str) -> pd.Series:
    try:
        least = int(min(0, there.min())) if len(there) else 0
        return pd.Series(
            whole_ids(column, where=where, what="ids", expected=expected, least=least, unique=False)
        )
    except DataError as error:
        first = ", ".join(str(one) for one in there[:3])
        raise DataError(
            error.what,
            where=where,
            expected=f"{expected}, whole numbers such as {first}",
            remedy=error.remedy or "mend instance_key, or name another region",
        ) from None
