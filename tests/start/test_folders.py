"""Folders of one kind are told by what lies in them, whatever they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prestige.start.folders import known
from prestige.start.walk import Files


def made(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("names", "source"),
    [
        (("sample.json", "slide.npy"), "prepared"),
        (("outs/spatial/scalefactors_json.json",), "visium"),
        (("spatial/scalefactors_json.json",), "visium"),
        (("binned_outputs/square_008um/x",), "visium_hd"),
        (("square_008um/spatial/scalefactors_json.json",), "visium_hd"),
        (("HD_binned_outputs/square_008um/spatial/scalefactors_json.json",), "visium_hd"),
        (("outs/segmented_outputs/x",), "visium_hd"),
    ],
)
def test_a_folder_of_a_kind(tmp_path: Path, names: tuple[str, ...], source: str) -> None:
    files = Files()
    assert known(made(tmp_path / "Section 1", *names), files)
    (found,) = files.found
    assert found.source == source


@pytest.mark.parametrize("name", ["square_016um", "segmented_outputs"])
def test_bins_and_cells_are_no_spots_where_their_own_folder_is_named(tmp_path: Path, name: str) -> None:
    files = Files()
    assert known(made(tmp_path / name, "spatial/scalefactors_json.json", "spatial/x"), files)
    (found,) = files.found
    assert (found.source, found.keys) == ("visium_hd", {"cells": True} if name.startswith("seg") else {})


def test_segmented_cells_alone_are_asked_for(tmp_path: Path) -> None:
    files = Files()
    known(made(tmp_path / "a", "segmented_outputs/x"), files)
    known(made(tmp_path / "b", "segmented_outputs/x", "binned_outputs/square_008um/x"), files)
    assert files.found[0].keys == {"cells": True}
    assert files.found[1].keys == {}
    assert set(files.found[1].to_write) == {"image", "bin_um", "cells"}


def test_a_xenium_folder_waits_for_its_image(tmp_path: Path) -> None:
    files = Files()
    assert known(made(tmp_path / "run", "experiment.xenium"), files)
    assert files.xenium == [tmp_path / "run"]
    assert files.found == []


def test_the_layout_of_hest_names_tables_patients_and_what_is_alone(tmp_path: Path) -> None:
    folder = made(
        tmp_path, "wsis/A.tif", "wsis/AB.tif", "st/A_8um.h5ad", "st/A_16um.h5ad", "st/AB.h5ad", "st/C.h5ad"
    )
    (folder / "metadata").mkdir()
    for name in ("A", "AB"):
        says = {"patient": "Patient 7", "pixel_size_um_estimated": 0.5}
        (folder / "metadata" / f"{name}.json").write_text(json.dumps(says))
    files = Files()
    assert known(folder, files)
    one, two = sorted(files.found, key=lambda found: found.id)
    assert (one.id, one.patient, one.keys) == ("A", "Patient 7", {"table": "A_16um.h5ad"})
    assert "A_8um.h5ad" in one.to_write["table"]
    assert (two.id, two.keys) == ("AB", {})
    assert list(files.left_out) == [folder / "st" / "C.h5ad"]


def test_anything_else_is_no_kind(tmp_path: Path) -> None:
    files = Files()
    assert not known(made(tmp_path, "a.txt", "deep/b.txt"), files)
    assert not (files.found)
    assert not (files.xenium)
