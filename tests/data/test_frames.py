"""Columns of a table that nobody needs stop nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
import zarr

from prestige.data.columns.measured import measured_rows
from prestige.data.frames import decoded, read_columns, storable
from prestige.errors import DataError

FRAME = pd.DataFrame(
    {"total_counts": [3.0, 4.0], "kind": pd.Categorical(["b", "a"]), "word": ["one", "two"]},
    index=["c1", "c2"],
)


@pytest.fixture(params=["hdf5", "zarr"])
def group(request: Any, tmp_path: Path) -> Any:
    file: Any = (
        h5py.File(tmp_path / "t.h5", "w")
        if request.param == "hdf5"
        else zarr.open_group(tmp_path / "t.zarr", zarr_format=2)
    )
    anndata.io.write_elem(file, "obs", FRAME)
    return file


def test_a_whole_frame_is_read_as_anndata_reads_it(group: Any) -> None:
    frame, notes = read_columns(group, "obs", where="t")
    assert notes == ()
    pd.testing.assert_frame_equal(frame, anndata.io.read_elem(group["obs"]))


def test_nullable_columns_and_named_rows(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"flag": pd.array([True, None], dtype="boolean"), "number": pd.array([None, 2], dtype="Int64")},
        index=pd.Index(["c1", "c2"], name="barcode"),
    )
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", frame)
        found, notes = read_columns(file, "obs", where="t")
    pd.testing.assert_frame_equal(found, frame)
    assert notes == ()
    assert found.index.name == "barcode"


@pytest.mark.parametrize("kind", ["i1", "i2", "i8", "u4", "f4", "f8"])
def test_numbers_come_in_the_order_of_bytes_of_this_machine(tmp_path: Path, kind: str) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", pd.DataFrame({"measured": [0, 1]}, index=["c1", "c2"]))
        del file["obs/measured"]
        for name, values in {"obs/measured": [1, 0], "places": [[1, 2], [3, 4]]}.items():
            for order in "<>":
                file.create_dataset(f"{name}{order}", data=np.array(values, f"{order}{kind}"))
                file[f"{name}{order}"].attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        file["obs"].attrs["column-order"] = ["measured<", "measured>"]
        found, _ = read_columns(file, "obs", where="t")
        places = decoded(file["places>"])
    assert all(dtype.isnative for dtype in found.dtypes)
    assert found["measured>"].tolist() == found["measured<"].tolist() == [1, 0]
    assert measured_rows(found[["measured>"]].set_axis(["measured"], axis=1), where="t")[0].tolist() == [
        True,
        False,
    ]
    assert places.dtype.isnative
    assert places.tolist() == [[1, 2], [3, 4]]


def test_no_columns_at_all(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", FRAME[[]])
        found, _ = read_columns(file, "obs", where="t")
    assert found.shape == (2, 0)
    assert list(found.index) == ["c1", "c2"]


def _spoil(group: Any, name: str) -> None:
    group[f"obs/{name}"].attrs["encoding-type"] = "of the next year"


@pytest.mark.parametrize("name", ["kind", "word"])
def test_a_broken_column_that_nobody_needs_is_left_out(group: Any, name: str) -> None:
    _spoil(group, name)
    frame, notes = read_columns(group, "obs", where="t")
    assert list(frame.columns) == [column for column in FRAME.columns if column != name]
    assert len(notes) == 1
    assert notes[0].startswith(f"obs['{name}'] cannot be read (")
    assert notes[0].endswith("): left out")


def test_a_broken_column_that_is_needed_is_named(group: Any) -> None:
    _spoil(group, "total_counts")
    with pytest.raises(DataError, match=r"^t: obs\['total_counts'\] cannot be read \("):
        read_columns(group, "obs", where="t")
    _spoil(group, "word")
    with pytest.raises(DataError, match=r"^t: obs\['word'\] cannot be read \("):
        read_columns(group, "obs", where="t", needed=["word"])


def test_columns_of_another_length_or_shape_are_no_columns(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", FRAME.assign(long=1, wide=1, many=1, gone=1, one=1))
        for name, value in {
            "long": np.ones(3),
            "wide": np.ones((2, 2)),
            "many": np.zeros(2, dtype=[("a", "i4"), ("b", "f4")]),
            "one": 1.0,
        }.items():
            attrs = dict(file[f"obs/{name}"].attrs)
            del file[f"obs/{name}"]
            file[f"obs/{name}"] = value
            file[f"obs/{name}"].attrs.update(attrs)
        del file["obs/gone"]
        frame, notes = read_columns(file, "obs", where="t")
    assert list(frame.columns) == list(FRAME.columns)
    assert [note.split("'")[1] for note in notes] == ["long", "wide", "many", "gone", "one"]


@pytest.mark.parametrize("damage", ["categories in two columns", "bytes of no kind"])
def test_values_that_are_several_or_of_no_kind_are_no_column(tmp_path: Path, damage: str) -> None:
    frame = pd.DataFrame({"kind": pd.Categorical(["a", "b", "a"]), "n": [1, 2, 3]}, index=["x", "y", "z"])
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", frame)
        column: Any = file["obs/kind"] if damage == "bytes of no kind" else file["obs/kind/categories"]
        attributes, name = dict(column.attrs), column.name
        del file[name]
        if damage == "bytes of no kind":
            file[name] = np.zeros(3, dtype="V4")
            attributes = {"encoding-type": "array", "encoding-version": "0.2.0"}
        else:
            file[name] = np.array([["a", "b"], ["c", "d"]], dtype=h5py.string_dtype())
        file[name].attrs.update(attributes)
        read, notes = read_columns(file, "obs", where="t.h5")
        assert list(read.columns) == ["n"]
        assert "obs['kind']" in notes[0]
        with pytest.raises(DataError, match=r"obs\['kind'\] cannot be read"):
            read_columns(file, "obs", where="t.h5", needed={"kind"})


@pytest.mark.parametrize("fault", ["no names", "no order", "another kind", "an array", "nothing"])
def test_what_is_no_table_of_columns(tmp_path: Path, fault: str) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", FRAME)
        if fault == "no names":
            del file["obs/_index"]
        elif fault == "no order":
            del file["obs"].attrs["column-order"]
        elif fault == "another kind":
            file["obs"].attrs["encoding-type"] = "dict"
        else:
            del file["obs"]
            if fault == "an array":
                file["obs"] = np.ones(3)
        with pytest.raises(DataError, match=r"^t: .*'obs'"):
            read_columns(file, "obs", where="t")


def test_the_table_of_2018(tmp_path: Path) -> None:
    """Compound data sets, with the levels of categories in ``uns``."""
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["obs"] = np.array(
            [(b"c1", 1.5, 1, b"x"), (b"c2", 2.5, 0, b"y")],
            dtype=[("index", "S5"), ("total_counts", "f8"), ("kind", "i4"), ("word", "S1")],
        )
        file["uns/kind_categories"] = np.array([b"a", b"b"])
        frame, notes = read_columns(file, "obs", where="t")
    assert notes == ()
    assert list(frame.index) == ["c1", "c2"]
    assert frame["total_counts"].tolist() == [1.5, 2.5]
    assert list(frame["kind"]) == ["b", "a"]
    assert list(frame["word"]) == ["x", "y"]


def test_the_categories_of_anndata_0_7(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        anndata.io.write_elem(file, "obs", FRAME[["word"]].assign(kind=np.array([1, 0], dtype=np.int8)))
        file["obs/__categories/kind"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        file["obs/kind"].attrs["categories"] = file["obs/__categories/kind"].ref
        file["obs"].attrs["encoding-version"] = "0.1.0"
        frame, _ = read_columns(file, "obs", where="t")
    assert list(frame["kind"]) == ["b", "a"]


def test_what_can_be_stored_stays_and_the_rest_is_named(tmp_path: Path) -> None:
    obs = FRAME.assign(
        unlike=pd.array(["u1", "u2"], dtype="string"),
        gap=pd.array(["u1", None], dtype="string"),
        levels=pd.Categorical(pd.array(["p", "q"], dtype="string")),
        _index=[1, 2],
        when=pd.to_datetime(["2020-01-01", "2021-01-01"]),
        **{"a/b": [1, 2]},
    )
    found, notes = storable(obs)
    assert list(found.columns) == ["total_counts", "kind", "word", "unlike", "gap", "levels"]
    assert notes == (
        "obs['_index'] is left out: no column of a stored table is called so",
        "obs['when'] is left out: no table stores such values",
        "obs['a/b'] is left out: no column of a stored table is called so",
    )
    anndata.AnnData(obs=found).write_h5ad(tmp_path / "t.h5ad")
    back = anndata.read_h5ad(tmp_path / "t.h5ad").obs
    assert list(back["unlike"]) == ["u1", "u2"]
    assert back["gap"].isna().tolist() == [False, True]
    assert list(back["levels"]) == ["p", "q"]


def test_sound_columns_are_stored_as_they_are() -> None:
    found, notes = storable(FRAME)
    pd.testing.assert_frame_equal(found, FRAME)
    assert notes == ()


def test_a_column_that_is_no_text_in_utf_8_is_left_out() -> None:
    obs = pd.DataFrame({"half": np.array([b"\xff\xfe", b"x"], dtype=object), "n": [1, 2]}, index=["a", "b"])
    found, notes = storable(obs)
    assert list(found.columns) == ["n"]
    assert notes == ("obs['half'] is left out: it is no text in UTF-8",)
