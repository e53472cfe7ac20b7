"""What is wrong with the structure of an HDF5 file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy.sparse import csr_matrix

from prestige.data.hdf5.walk import walk


def table() -> AnnData:
    obs = pd.DataFrame({"kind": pd.Categorical(["a", "b"])}, index=["c1", "c2"])
    return AnnData(X=csr_matrix(np.eye(2, dtype=np.float32)), obs=obs, uns={"words": ["one", "two"]})


def found(path: Path) -> str | None:
    answer = walk(str(path))
    assert not answer["filters"]
    return None if answer["fault"] is None else " ".join(str(part) for part in answer["fault"][:2])


@pytest.mark.parametrize("packed", [None, "gzip", "lzf"])
def test_a_sound_table_has_nothing(tmp_path: Path, packed: Any) -> None:
    table().write_h5ad(tmp_path / "t.h5ad", compression=packed)
    assert walk(str(tmp_path / "t.h5ad")) == {"fault": None, "filters": {}}


def _external_link(file: h5py.File) -> None:
    file["uns/other"] = h5py.ExternalLink("other.h5", "/X")


def _soft_link_to_an_external_one(file: h5py.File) -> None:
    file["layers/counts"] = h5py.SoftLink("/uns/other")
    _external_link(file)


def _raw_file(file: h5py.File) -> None:
    file.create_dataset("obsm/spatial", (2, 2), "f8", external=[("raw.bin", 0, 32)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2, 2), "f4")
    layout[...] = h5py.VirtualSource("other.h5", "X", (2, 2))
    file.create_virtual_dataset("obsm/spatial", layout)


def _hard_circle(file: h5py.File) -> None:
    file["uns/a/b"] = 1
    file["uns/a/back"] = file["uns"]


def _root_in_itself(file: h5py.File) -> None:
    file["uns/root"] = file["/"]


def _soft_circle(file: h5py.File) -> None:
    file["uns/back"] = h5py.SoftLink("/uns")


def _many_ways(file: h5py.File) -> None:
    below = file.create_group("uns/0")
    for number in range(1, 20):
        above = file.create_group(f"uns/{number}")
        above["left"] = above["right"] = below
        below = above


def _deep(file: h5py.File) -> None:
    file.create_group("uns/" + "a/" * 150)


def _never_written(file: h5py.File) -> None:
    file.create_dataset("obsm/spatial", (10**9, 2), "f8")


def _never_written_in_chunks(file: h5py.File) -> None:
    file.create_dataset("obsm/spatial", (10**9, 2), "f8", chunks=(1000, 2), compression="gzip")


def _one_huge_chunk(file: h5py.File) -> None:
    file.create_dataset("obsm/spatial", (1, 2), "f8", chunks=(10**8, 2), maxshape=(None, 2))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (_external_link, "/uns/other links to another file"),
        (_soft_link_to_an_external_one, "/uns/other links to another file"),
        (_raw_file, "/obsm/spatial takes its values from another file"),
        (_virtual, "/obsm/spatial takes its values from another file"),
        (_hard_circle, "/ has a group that lies in itself"),
        (_root_in_itself, "/ has a group that lies in itself"),
        (_soft_circle, "/ has a group that lies in itself"),
        (_many_ways, "are linked in"),
        (_deep, "groups lie in groups"),
        (_never_written, "/obsm/spatial declares 16,000,000,000 bytes, of which the file holds 0"),
        (_never_written_in_chunks, "/obsm/spatial declares 16,000,000,000 bytes, of which the file holds 0"),
        (_one_huge_chunk, "/obsm/spatial declares"),
    ],
)
def test_what_no_sound_table_has(tmp_path: Path, damage: Callable[[h5py.File], None], what: str) -> None:
    table().write_h5ad(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad", "a") as file:
        damage(file)
    told = found(tmp_path / "t.h5ad")
    assert told is not None
    assert what in told


def test_texts_that_are_one_text_unpack_to_no_more_than_the_file(tmp_path: Path) -> None:
    """Each value of a text column is a pointer: pointed to one long text, a small file fills any memory."""
    path = tmp_path / "t.h5ad"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("names", (3000,), h5py.string_dtype())
        data[0] = "x" * 10_000
        data[1:] = "y"
        start = data.id.get_offset()
    content = bytearray(path.read_bytes())
    content[start : start + 3000 * 16] = content[start : start + 16] * 3000
    path.write_bytes(content)
    told = found(path)
    assert told is not None
    assert "/names unpacks" in told


def test_links_within_the_file_are_no_fault(tmp_path: Path) -> None:
    table().write_h5ad(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad", "a") as file:
        file["layers/counts"] = file["X"]
        file["layers/again"] = h5py.SoftLink("/X")
        file["uns/nowhere"] = h5py.SoftLink("/absent")
    assert found(tmp_path / "t.h5ad") is None


def test_what_is_small_and_never_written_is_no_fault(tmp_path: Path) -> None:
    table().write_h5ad(tmp_path / "t.h5ad")
    with h5py.File(tmp_path / "t.h5ad", "a") as file:
        file.create_dataset("layers/zeros", (1000, 1000), "f4", chunks=(100, 100), compression="gzip")
        file["uns/nothing"] = h5py.Empty("f4")
    assert found(tmp_path / "t.h5ad") is None


def test_filters_that_h5py_does_not_bring_are_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "t.h5ad", "w") as file:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((2,))
        plan.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
        h5py.h5d.create(file.id, b"X", h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple((4,)), plan)
    assert walk(str(tmp_path / "t.h5ad")) == {"fault": None, "filters": {32015: "/X"}}


@pytest.mark.parametrize("signature", [b"SNOD", b"TREE", b"HEAP"])
def test_a_group_whose_names_cannot_be_looked_up_is_damaged(tmp_path: Path, signature: bytes) -> None:
    """Each of its tables of names in turn: the symbols, the tree above them, and the names themselves."""
    path = tmp_path / "t.h5"
    with h5py.File(path, "w") as file:
        for name in ("a", "b", "group/c", "group/d"):
            file[name] = [1, 2, 3]
    assert found(path) is None
    sound = path.read_bytes()
    places = [start for start in range(len(sound)) if sound.startswith(signature, start)]
    assert len(places) >= 2  # of the root and of the group
    for place in places:
        content = bytearray(sound)
        content[place : place + 5] = b"\xff" * 5
        path.write_bytes(content)
        damaged = found(path)
        assert damaged is not None, place
        assert "is damaged: " in damaged


def test_values_that_cannot_be_read_are_left_to_who_asks_for_it(tmp_path: Path) -> None:
    path = tmp_path / "t.h5ad"
    path.write_bytes(b"no HDF5 at all")
    assert found(path) is None
    table().write_h5ad(path)
    with h5py.File(path, "r") as file:
        start = file["obs/_index"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[start + 4 : start + 12] = b"\xff" * 8  # where its first text lies
    path.write_bytes(content)
    assert found(path) is None
