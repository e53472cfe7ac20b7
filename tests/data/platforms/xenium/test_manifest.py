"""``experiment.xenium``: the width of a pixel is said there or in dataset.yaml, and never assumed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prestige.data.platforms.xenium.manifest import NAME, read_manifest
from prestige.errors import DataError


def written(folder: Path, **says: Any) -> Path:
    (folder / NAME).write_text(json.dumps(says))
    return folder


@pytest.mark.parametrize(
    ("says", "words"),
    [
        ({"analysis_sw_version": "xenium-3.0.0.15"}, "Xenium, onboard analysis 3.0.0.15"),
        ({"analysis_sw_version": "Xenium-1.0.1"}, "Xenium, onboard analysis 1.0.1"),
        (
            {"analysis_sw_version": "xenium-2.0", "xenium_ranger": {"version": "xenium-3.1.0.5"}},
            "Xenium, Ranger 3.1.0.5",
        ),
        ({"analysis_sw_version": 7}, "Xenium, of an unknown version"),
        ({}, "Xenium, of an unknown version"),
    ],
)
def test_versions_are_words(tmp_path: Path, says: dict[str, Any], words: str) -> None:
    found = read_manifest(written(tmp_path, pixel_size=0.2125, num_cells=3, **says), None)
    assert (found.um_per_px, found.n_cells, found.said) == (0.2125, 3, words)


def test_the_width_of_a_pixel_has_to_be_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest experiment\.xenium is missing.*morphology_um_per_px"):
        read_manifest(tmp_path, None)
    assert read_manifest(tmp_path, 0.2125).um_per_px == 0.2125
    with pytest.raises(DataError, match="says no pixel_size"):
        read_manifest(written(tmp_path, num_cells=True), None)
    assert read_manifest(tmp_path, 0.4).n_cells is None
    with pytest.raises(DataError, match=r"pixel_size 0\.2125, dataset\.yaml morphology_um_per_px: 0\.4"):
        read_manifest(written(tmp_path, pixel_size=0.2125), 0.4)
    for size in (0, -1, "wide", True, [0.2]):
        with pytest.raises(DataError, match="pixel_size"):
            read_manifest(written(tmp_path, pixel_size=size), None)


def test_images_are_those_of_the_folder_alone(tmp_path: Path) -> None:
    folder = tmp_path / "outs"
    (folder / "morphology_focus").mkdir(parents=True)
    for path in (folder / "morphology.ome.tif", folder / "morphology_focus" / "ch0000_dapi.ome.tif"):
        path.write_bytes(b"")
    (tmp_path / "beside.tif").write_bytes(b"")
    named = {
        "morphology_focus_filepath": "morphology_focus/ch0000_dapi.ome.tif",
        "morphology_mip_filepath": "../beside.tif",
        "morphology_filepath": "lost\0.tif",
    }
    found = read_manifest(written(folder, pixel_size=0.2125, images=named), None)
    assert [path.name for path in found.images] == ["ch0000_dapi.ome.tif", "morphology.ome.tif"]
