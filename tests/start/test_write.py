"""`prestige init`: what lies in a folder is recognised, written, and opens as it was written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile
import yaml

from prestige.config import read_bench
from prestige.data.dataset import open_dataset, read_dataset
from prestige.errors import ConfigError, DataError, PrestigeError, StorageError
from prestige.start.write import begin

from ..test_data_page import make

KINDS = {
    "small_sources.py:challenge_store": ("challenge", ["UC1_I"], ""),
    "small_sources.py:hest": ("hest", ["S1"], ""),
    "small_sources.py:spatialdata_store": ("spatialdata", ["section"], "um_per_px: 0.5"),
    "small_sources.py:prepared": ("prepared", ["S1"], ""),
    "small_sources.py:st": ("st", ["A1"], ""),
    "small_sources.py:of_anndata": ("anndata", ["section", "section_2"], ""),
    "small_sources.py:spared": ("spared", ["A", "B"], "um_per_px: 2.0"),
    "small_xenium.py:for_the_page": ("xenium", None, ""),
    "small_space_ranger.py:visium": ("visium", ["S1"], ""),
    "small_space_ranger.py:visium_hd": ("visium_hd", ["H1"], ""),
}


def filled(path: Path, line: str = "") -> None:
    """Fill in what the file asks for: patients, and a further line a sample."""
    text = path.read_text(encoding="utf-8").replace('patient: "?"', "patient: P1")
    if line:
        text = re.sub(r"( +)# um_per_px:[^\n]*", rf"\1{line}", text)
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_recognised_and_opens_as_written(kind: str, tmp_path: Path) -> None:
    source, ids, line = KINDS[kind]
    # Another name than any layout gives: kinds are told by content.
    folder = tmp_path / "things"
    folder.mkdir()
    make(kind, folder)
    begun = begin([folder], tmp_path)
    assert {one.source for one in begun.samples} == {source}
    if ids is not None:
        assert [one.id for one in begun.samples] == ids
    written = tmp_path / "dataset.yaml"
    assert str(tmp_path) not in written.read_text(encoding="utf-8")  # paths are short
    if 'patient: "?"' in written.read_text(encoding="utf-8"):
        with pytest.raises(ConfigError, match="fill it in: write whose tissue it is in place of"):
            read_dataset(written)
    filled(written, line)
    dataset = open_dataset(read_dataset(written), counts="optional")
    assert len(dataset.samples) == len(begun.samples)
    assert read_bench(tmp_path / "bench.yaml").dataset == written


def test_an_image_alone_is_there_for_prediction(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(120, 250, (300, 280, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a b.tif", pixels, photometric="rgb", resolution=(20_000, 20_000),
                     resolutionunit=3, metadata=None)  # fmt: skip
    tifffile.imwrite(tmp_path / "dark.tif", pixels // 30, photometric="rgb", metadata=None)
    tifffile.imwrite(tmp_path / "label.tif", pixels[:90, :90], photometric="rgb", metadata=None)
    (tmp_path / "notes.docx").write_bytes(b"PK\3\4 nothing")
    begun = begin([tmp_path], tmp_path / "out")
    (one,) = begun.samples
    assert (one.id, one.source, one.has_counts) == ("a_b", "slide", False)
    assert list(begun.texts) == [tmp_path / "out" / "dataset.yaml"]  # nothing to train on
    text = begun.texts[tmp_path / "out" / "dataset.yaml"]
    assert "prediction_only: true" in text
    assert "dark.tif: the image is dark" in text
    assert "label.tif: a picture of 90 x 90 px, too small for a slide" in text
    filled(tmp_path / "out" / "dataset.yaml")
    assert open_dataset(read_dataset(tmp_path / "out" / "dataset.yaml"), counts="optional").samples[0].n_obs


def test_patients_come_from_a_table_of_samples(tmp_path: Path) -> None:
    make("small_sources.py:st", tmp_path)
    (tmp_path / "tumours" / "samples.csv").write_text("sample,individual\nA1,W. O'Hara: 7\n")
    begin([tmp_path / "tumours"], tmp_path)
    (sample,) = read_dataset(tmp_path / "dataset.yaml").samples
    assert sample.patient == "W. O'Hara: 7"


def test_nothing_is_overwritten_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    make("small_sources.py:hest", tmp_path)
    begin([tmp_path / "hest"], tmp_path, dry_run=True)
    assert not (tmp_path / "dataset.yaml").exists()
    (tmp_path / "bench.yaml").write_text("mine")
    with pytest.raises(StorageError, match=r"bench\.yaml: is there already; name another folder"):
        begin([tmp_path / "hest"], tmp_path)
    assert (tmp_path / "bench.yaml").read_text() == "mine"
    assert not (tmp_path / "dataset.yaml").exists()


def test_a_folder_of_nothing_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "e").mkdir()
    with pytest.raises(DataError, match="nothing that could be a sample was found; expected an image"):
        begin([tmp_path / "e"], tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        begin([tmp_path / "none"], tmp_path)
    (tmp_path / "e" / "broken.tif").write_bytes(b"II*\0" + bytes(20))
    (tmp_path / "e" / "broken.h5ad").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(20))
    os.symlink(tmp_path / "e", tmp_path / "e" / "circle")
    with pytest.raises(DataError, match="nothing that could be a sample") as caught:
        begin([tmp_path / "e"], tmp_path)
    told = str(caught.value)
    assert "broken.tif: " in told
    assert "broken.h5ad: " in told


def test_all_folders_and_the_place_to_write_are_looked_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("small_sources.py:hest", tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PrestigeError) as told:
        begin([Path("heste"), Path("hest"), Path("file")], Path("file"))
    assert [str(fault) for fault in told.value.faults] == [
        "heste: no such folder; expected a folder of images and tables; did you mean 'hest'?",
        "file: is a file; expected a folder of images and tables; name the folder that it lies in (.), "
        "or unpack it and name that",
        "file: is a file; expected a folder; name one with --out",
    ]


def test_a_path_is_named_once_where_something_is_left_out(tmp_path: Path) -> None:
    make("small_sources.py:hest", tmp_path)
    make("small_sources.py:of_anndata", tmp_path)
    (tmp_path / "section.h5ad").write_bytes((tmp_path / "section.h5ad").read_bytes()[:3000])
    (tmp_path / "hest" / "metadata" / "S1.json").write_text("{")
    begin([tmp_path], tmp_path)
    text = (tmp_path / "dataset.yaml").read_text()
    assert "#   section.h5ad: cannot be read (" in text
    assert f"#   hest/wsis/S1.tif: {tmp_path}/hest/metadata/S1.json: cannot be read (" in text
    assert text.count(str(tmp_path)) == 1


def test_strange_names_are_written_as_they_are(tmp_path: Path) -> None:
    folder = tmp_path / "12 #: {a} 'b' \u00e4"
    folder.mkdir()
    make("small_sources.py:of_anndata", folder)
    begin([folder], tmp_path)
    filled(tmp_path / "dataset.yaml")
    samples = read_dataset(tmp_path / "dataset.yaml").samples
    assert {sample.path.parent for sample in samples} == {folder}
    assert yaml.safe_load((tmp_path / "bench.yaml").read_text(encoding="utf-8"))["split"]["buffer_um"] == 132


def test_two_tables_of_one_image_are_one_sample(tmp_path: Path) -> None:
    make("small_sources.py:hest", tmp_path)
    st = tmp_path / "hest" / "st"
    (st / "S1.h5ad").rename(st / "S1_16um.h5ad")
    (st / "S1_8um.h5ad").write_bytes((st / "S1_16um.h5ad").read_bytes())
    (one,) = begin([tmp_path / "hest"], tmp_path).samples
    assert (one.id, one.keys) == ("S1", {"table": "S1_16um.h5ad"})
    assert "# table:  # another one of its image: S1_8um.h5ad" in (tmp_path / "dataset.yaml").read_text()


def test_what_of_a_xenium_folder_is_doubtful_stands_as_a_comment(tmp_path: Path) -> None:
    make("small_xenium.py:for_the_page", tmp_path)
    images = [path for path in tmp_path.rglob("*") if path.name.startswith("he.")]
    for path in images:
        path.unlink()
    for path in tmp_path.rglob("*alignment*.csv"):
        path.unlink()
    (one,) = begin([tmp_path], tmp_path).samples
    assert set(one.to_write) == {"image", "alignment"}
    text = (tmp_path / "dataset.yaml").read_text()
    assert "# image:  # the H&E image of the section, which was not found here" in text


def test_real_folders_are_recognised(shared_data: Path, tmp_path: Path) -> None:
    begun = begin([shared_data / "mouse_olfactory_bulb", shared_data / "exports" / "visium"], tmp_path)
    assert [(one.source, one.patient) for one in begun.samples][:4] == [
        ("st", "1"), ("st", "1"), ("st", "2"), ("st", "2"),
    ]  # fmt: skip
    assert {one.source for one in begun.samples[4:]} == {"visium"}
