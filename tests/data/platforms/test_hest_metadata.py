"""What HEST-1k's metadata say of a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from prestige.data.platforms.hest_metadata import Metadata, read_metadata
from prestige.errors import DataError

# As the files of HEST-1k are laid out; the values are made up.
SAMPLE = {
    "id": "TENX95",
    "species": "Homo sapiens",
    "organ": "Breast",
    "st_technology": "Xenium",
    "patient": "Patient 1",
    "pixel_size_um_embedded": 0.3638,
    "pixel_size_um_estimated": 0.2737,
    "spot_diameter": None,
    "inter_spot_dist": None,
    "fullres_px_width": 1000,
    "fullres_px_height": 800,
}


def read(tmp_path: Path, **content: Any) -> Metadata:
    path = tmp_path / "S1.json"
    path.write_text(json.dumps(content))
    return read_metadata(path)


def notes(found: Metadata, patient: str = "Patient 1", size_px: Any = (1000, 800), own: bool = True) -> Any:
    return found.notes_on(patient=patient, size_px=size_px, own_table=own)


def test_the_estimated_width_goes_before_the_embedded_one(tmp_path: Path) -> None:
    found = read(tmp_path, **SAMPLE)
    assert found.um_per_px == 0.2737
    assert notes(found) == (
        "by its metadata: species Homo sapiens, organ Breast, technology Xenium",
        "a Xenium sample of HEST-1k: its observations are pseudo-spots of 100 um, not cells",
        "pixels of 0.2737 um by pixel_size_um_estimated, 0.3638 um by pixel_size_um_embedded: the former was "
        "taken",
    )


def test_patients_and_sizes_that_differ_are_said(tmp_path: Path) -> None:
    found = read(tmp_path, **{**SAMPLE, "pixel_size_um_embedded": 0.2737})
    said = notes(found, "P1", (500, 400), own=False)
    assert said[0].endswith("technology Xenium, patient Patient 1 (here P1)")
    assert "the image is 500 x 400 px, and 1,000 x 800 px by its metadata" in said[1]
    assert len(said) == 2


@pytest.mark.parametrize("odd", [None, float("nan"), "x", True, [1], -3])
def test_fields_of_another_kind_say_nothing(tmp_path: Path, odd: Any) -> None:
    found = read(
        tmp_path, pixel_size_um=0.5, patient=odd, species=[], fullres_px_width=odd, fullres_px_height=9
    )
    assert [note for note in notes(found) if "image is" in note or "species" in note] == []


def test_nothing_is_said_where_nothing_is(tmp_path: Path) -> None:
    assert read_metadata(tmp_path / "none.json") == Metadata()
    assert read(tmp_path, id="S").um_per_px is None
    assert notes(read(tmp_path, pixel_size_um=0.5)) == ()


@pytest.mark.parametrize(
    ("width", "said"), [("x", "cannot be read"), (True, "is True"), (0, "is 0"), (1e9, "1e")]
)
def test_a_width_that_can_be_none_is_refused(tmp_path: Path, width: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, pixel_size_um_estimated=width)
