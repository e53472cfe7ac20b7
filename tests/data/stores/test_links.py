"""Which label a row belongs to: what the table says of itself comes before any custom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata as ad
import numpy as np
import pandas as pd
import pytest

from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.stores.links import Link, link
from prestige.data.tables import read_frame
from prestige.errors import DataError

MASK = "HE_nuc_original"


def linked(tmp_path: Path, obs: pd.DataFrame, others: tuple[str, ...] = (), **attributes: Any) -> Link:
    uns = {"spatialdata_attrs": attributes} if attributes else {}
    ad.AnnData(obs=obs, uns=uns).write_h5ad(tmp_path / "t.h5ad")
    with opened_h5ad(tmp_path / "t.h5ad") as file:
        return link(file, read_frame(file, "obs", where="t"), mask=MASK, others=others, where="t")


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame(columns, index=["31", "32", "33"])


def test_without_a_word_the_column_cell_id_then_the_row_names(tmp_path: Path) -> None:
    np.testing.assert_array_equal(linked(tmp_path, table()).ids, [31, 32, 33])
    np.testing.assert_array_equal(linked(tmp_path, table(cell_id=[5, 6, 7])).ids, [5, 6, 7])


def test_the_instance_key_comes_before_both(tmp_path: Path) -> None:
    obs = table(cell_id=[5, 6, 7], instance_id=[9, 8, 7], region=[MASK] * 3)
    attributes = {"region": MASK, "region_key": "region", "instance_key": "instance_id"}
    found = linked(tmp_path, obs, **attributes)
    np.testing.assert_array_equal(found.ids, [9, 8, 7])
    assert (found.kept.all(), found.notes) == (True, ())
    attributes["instance_key"] = "gone"
    with pytest.raises(DataError, match=r"no column 'gone', which .* names as the link"):
        linked(tmp_path, obs, **attributes)


def test_rows_of_other_regions_are_left_out(tmp_path: Path) -> None:
    obs = table(cell_id=[1, 1, 2], of=pd.Categorical(["other", MASK, f"images/{MASK}"]))
    found = linked(tmp_path, obs, region=["other", MASK], region_key="of", instance_key="cell_id")
    np.testing.assert_array_equal(found.ids, [1, 2])
    np.testing.assert_array_equal(found.kept, [False, True, True])
    assert found.notes == (f"1 rows describe 1 (other), not {MASK}: left out",)


def test_a_table_of_another_element_is_refused(tmp_path: Path) -> None:
    attributes = {"region": "boundaries", "region_key": "region", "instance_key": "instance_id"}
    obs = table(instance_id=[1, 2, 3], region="boundaries")
    with pytest.raises(DataError, match=r"describes 1 \(boundaries\); expected rows of the labels of HE_nuc"):
        linked(tmp_path, obs, ("boundaries",), **attributes)
    with pytest.raises(DataError, match="describes"):
        linked(tmp_path, obs.drop(columns="region"), ("boundaries",), **attributes)


def test_a_description_of_what_is_not_there_is_noted(tmp_path: Path) -> None:
    attributes = {"region": "gone", "region_key": "region", "instance_key": "instance_id"}
    found = linked(tmp_path, table(cell_id=[5, 6, 7], instance_id=[1, 2, 3], region="gone"), **attributes)
    np.testing.assert_array_equal(found.ids, [5, 6, 7])
    assert "describes 1 (gone), which is not there" in found.notes[0]


@pytest.mark.parametrize("ids", [["a-1", "b-1", "c-1"], [0, 1, 2], [-1, 1, 2]])
def test_ids_that_are_no_labels_get_a_remedy_that_works(tmp_path: Path, ids: list[Any]) -> None:
    with pytest.raises(DataError, match=r"expected the labels of HE_nuc_original; .*0 is the background"):
        linked(tmp_path, table(cell_id=ids))


def test_ids_stay_exact(tmp_path: Path) -> None:
    ids = [2**53, 2**53 + 1, 2**63 - 1]
    np.testing.assert_array_equal(linked(tmp_path, table(cell_id=ids)).ids, ids)
    np.testing.assert_array_equal(linked(tmp_path, table(cell_id=[str(one) for one in ids])).ids, ids)
