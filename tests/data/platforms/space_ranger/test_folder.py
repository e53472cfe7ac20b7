"""Files of an output folder, wherever they lie."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.platforms.space_ranger.folder import POSITIONS, Folder, Matrices, matrices_in
from prestige.errors import DataError

from ....small_matrix import write_folder, write_h5


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("place", ["", "spatial", "outs", "outs/spatial"])
@pytest.mark.parametrize(
    "name", ["tissue_positions.csv", "S1_tissue_positions_list.csv.gz", "x.tissue_positions.csv"]
)
def test_files_are_found_in_all_places_and_behind_a_prefix(tmp_path: Path, place: str, name: str) -> None:
    path = touch(tmp_path / place / name)
    touch(tmp_path / place / ".hidden_tissue_positions.csv")
    touch(tmp_path / place / "mytissue_positions.csv")
    assert Folder(tmp_path, "S1").find(POSITIONS) == path


@pytest.mark.parametrize("sample", ["S1", "S10", "S2"])
def test_files_of_samples_whose_ids_begin_alike(tmp_path: Path, sample: str) -> None:
    for one in ("S1", "S10", "S2"):
        touch(tmp_path / f"GSM10_{one}_tissue_positions.csv")
    assert Folder(tmp_path, sample).find(POSITIONS) == tmp_path / f"GSM10_{sample}_tissue_positions.csv"
    fault = Folder(tmp_path, "S").need(POSITIONS, "positions of spots")
    assert isinstance(fault, DataError)
    assert "has several files tissue_positions.csv" in str(fault)


def test_what_is_missing_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    touch(tmp_path / "spatial" / "tissue_position.csv")
    fault = Folder(tmp_path, "S1").need(POSITIONS, "positions of spots")
    assert isinstance(fault, DataError)
    assert "has no positions of spots; expected tissue_positions.parquet or " in str(fault)
    assert "did you mean 'tissue_position.csv'?" in str(fault)


def test_filtered_goes_before_raw_and_h5_before_texts(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "S1")
    assert isinstance(matrices_in(folder), DataError)
    raw = touch(tmp_path / "raw_feature_bc_matrix.h5")
    assert matrices_in(folder) == Matrices(raw, True, None)
    (tmp_path / "filtered_feature_bc_matrix").mkdir()
    assert matrices_in(folder) == Matrices(tmp_path / "filtered_feature_bc_matrix", False, None)
    h5 = touch(tmp_path / "S1_filtered_feature_bc_matrix.h5")
    assert matrices_in(folder) == Matrices(h5, False, tmp_path / "filtered_feature_bc_matrix")


def test_a_matrix_says_by_which_version_it_was_made(tmp_path: Path) -> None:
    def software(path: Path) -> str:
        return Matrices(path, False, None).software

    assert software(write_h5(tmp_path / "a.h5")) == ", Space Ranger 3.0.0"
    assert software(write_folder(tmp_path / "a")) == ", Space Ranger 2.0.0"
    assert software(write_folder(tmp_path / "p", packed=True)) == ", Space Ranger 2.0.0"
    others = ("cellranger-7.0.0", "x" * 50, "spaceranger-")
    for number, said in enumerate(others):
        path = write_h5(
            tmp_path / f"{number}.h5", lambda file, said=said: file.attrs.modify("software_version", said)
        )
        assert software(path) == ""
    assert software(tmp_path / "absent.h5") == ""
    assert software(touch(tmp_path / "empty.h5")) == ""


def test_what_is_called_by_another_sample_is_never_taken_for_the_own(tmp_path: Path) -> None:
    for name in ("S1_tissue_positions.csv", "S2_tissue_positions.csv", "S2_filtered_feature_bc_matrix.h5"):
        touch(tmp_path / name)
    assert Folder(tmp_path, "S1").find(["filtered_feature_bc_matrix.h5"]) is None
    assert isinstance(matrices_in(Folder(tmp_path, "S1")), DataError)
    assert isinstance(matrices_in(Folder(tmp_path, "S2")), Matrices)
    assert isinstance(matrices_in(Folder(tmp_path, "other")), Matrices)  # the only one


def test_what_is_packed_is_to_be_unpacked_and_what_lies_deeper_is_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "S1")
    assert "name the folder 'outs' of Space Ranger" in str(folder.need(POSITIONS, "positions"))
    touch(tmp_path / "GSM1_S1_barcodes.tsv.gz")  # which is read as it is
    assert "name the folder 'outs' of Space Ranger" in str(folder.need(POSITIONS, "positions"))
    touch(tmp_path / "spatial.tar.gz")
    assert "unpack what is packed there (spatial.tar.gz)" in str(folder.need(POSITIONS, "positions"))
    touch(tmp_path / "filtered_feature_bc_matrix.h5.gz")
    assert str(matrices_in(folder)).endswith("unpack 'filtered_feature_bc_matrix.h5.gz' there")
    touch(tmp_path / "run" / "outs" / "spatial" / "tissue_positions.csv")
    assert "did you mean the folder 'run/outs' in it?" in str(folder.need(POSITIONS, "positions"))


def test_texts_in_no_folder_of_their_own_are_taken_last(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "S1")
    texts = [touch(tmp_path / f"GSM_{name}_matrix.mtx.gz") for name in ("S1", "S2")]
    assert matrices_in(folder) == Matrices(texts[0], False, None)
    h5 = touch(tmp_path / "GSM_S1_raw_feature_bc_matrix.h5")
    assert matrices_in(folder) == Matrices(h5, True, None)
