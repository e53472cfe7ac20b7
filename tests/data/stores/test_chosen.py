"""Which elements make a sample; whole stores stand in the tests of the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.stores.chosen import Named, choose_table
from prestige.errors import DataError


def test_a_folder_that_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such store"):
        choose_table(tmp_path / "s.zarr", Named())
    with pytest.raises(DataError, match="missing: images"):
        choose_table(tmp_path, Named())
    (tmp_path / "s.zarr" / "images" / "HE").mkdir(parents=True)
    with pytest.raises(DataError, match=r"did you mean the store 's.zarr' in it\?"):
        choose_table(tmp_path, Named())


def test_a_store_without_a_table(tmp_path: Path) -> None:
    (tmp_path / "images" / "HE").mkdir(parents=True)
    table, link, notes = choose_table(tmp_path, Named())
    assert (table, link.regions, notes) == (None, (), ())
    with pytest.raises(DataError, match="no table 'table'; expected a table in the store"):
        choose_table(tmp_path, Named(table="table"))
