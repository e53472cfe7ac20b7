"""A set by its name -> a dataset.yaml that opens: from a server on loopback, or from a copy."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest

from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.public.entries import PublicFile, PublicSample, PublicSet, public_sets
from prestige.data.public.fetch import copy_of, fetch
from prestige.errors import DataError, StorageError

from ...small_sources import hest as write_hest
from .small_server import Served


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRESTIGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PRESTIGE_DATA", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def sets_of(served: Served, tmp_path: Path, **changes: Any) -> dict[str, PublicSet]:
    """Serve a sample of HEST-1k, the image of which is packed, and return the registry that names it."""
    write_hest(tmp_path / "made")
    root = tmp_path / "made" / "hest"
    served.files["/S1.json"] = (root / "metadata" / "S1.json").read_bytes()
    served.files["/S1.h5ad"] = (root / "st" / "S1.h5ad").read_bytes()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        file.write(root / "wsis" / "S1.tif", "outs/wsis/S1.tif")
    served.files["/images.zip"] = packed.getvalue()
    files = (
        PublicFile(path="metadata/{id}.json", url=served.url + "/{id}.json"),
        PublicFile(path="st/{id}.h5ad", url=served.url + "/{id}.h5ad"),
        PublicFile(path="images.zip", url=served.url + "/images.zip", into="wsis", unpack=("S1.tif",)),
    )
    told = {
        "what": "a set", "source": "hest", "licence": "CC0", "citation": "Nobody (2026)", "page": "https://x.org",
        "keys": {"path": "."}, "files": files, "samples": {"S1": PublicSample(patient="P1")},
    }  # fmt: skip
    return {"small": PublicSet.model_validate(told | changes)}


def test_a_set_is_downloaded_once_and_runs(served: Served, tmp_path: Path) -> None:
    sets = sets_of(served, tmp_path)
    found = fetch("small", sets=sets)
    assert found.samples == ("S1",)
    assert found.path == tmp_path / "cache" / "public" / "small" / "dataset.yaml"
    (sample,) = open_dataset(read_dataset(found.path)).samples
    assert (sample.id, sample.patient, sample.n_obs) == ("S1", "P1", 3)
    assert "please cite: Nobody (2026)" in found.notes
    assert any(note.startswith("of some files no checksum is published") for note in found.notes)
    store = found.path.parent
    assert sorted(path.name for path in store.iterdir()) == [
        ".lock", "checksums.json", "dataset.yaml", "metadata", "st", "wsis",
    ]  # fmt: skip
    n_asked = len(served.asked)
    assert fetch("small", sets=sets).path == found.path
    assert len(served.asked) == n_asked == 3
    one = fetch("small/S1", tmp_path / "mine" / "one.yaml", sets=sets)
    assert read_dataset(one.path).samples[0].id == "S1"
    assert len(served.asked) == n_asked


def test_what_was_first_downloaded_holds(served: Served, tmp_path: Path) -> None:
    sets = sets_of(served, tmp_path)
    store = fetch("small", sets=sets).path.parent
    served.files["/S1.json"] = json.dumps({"pixel_size_um": 0.25}).encode()
    (store / "metadata" / "S1.json").unlink()
    with pytest.raises(DataError, match="what came is not the file that is expected"):
        fetch("small", sets=sets)
    (store / "metadata" / "S1.json").write_text("{}")
    with pytest.raises(DataError, match=r"S1.json: is not the file that was downloaded; .*delete it"):
        fetch("small", sets=sets)


def test_a_published_checksum_is_asked_for(served: Served, tmp_path: Path) -> None:
    sets = sets_of(served, tmp_path)
    first = sets["small"].files[0].model_copy(update={"checksum": "md5:" + "0" * 32})
    wrong = {"small": sets["small"].model_copy(update={"files": (first, *sets["small"].files[1:])})}
    with pytest.raises(DataError, match="its checksum is not md5:0000"):
        fetch("small", sets=wrong)
    assert not (tmp_path / "cache" / "public" / "small" / "metadata" / "S1.json").exists()
    assert not (tmp_path / "cache" / "public" / "small" / "dataset.yaml").exists()


def test_a_cut_is_taken_up_by_the_next_command(served: Served, tmp_path: Path) -> None:
    sets = sets_of(served, tmp_path)
    served.status["/S1.h5ad"] = [404]
    with pytest.raises(DataError, match="no such file any more"):
        fetch("small", sets=sets)
    fetch("small", sets=sets)
    assert [path for path, _ in served.asked] == ["/S1.json", "/S1.h5ad", "/S1.h5ad", "/images.zip"]


def test_two_at_a_time_download_once(served: Served, tmp_path: Path) -> None:
    sets, found = sets_of(served, tmp_path), []
    workers = [
        threading.Thread(target=lambda: found.append(fetch("small", sets=sets).samples)) for _ in range(3)
    ]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
    assert found == [("S1",)] * 3
    assert len(served.asked) == 3


def test_a_copy_is_taken_without_any_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    sets = sets_of(served, tmp_path)
    shutil.copytree(tmp_path / "made" / "hest", tmp_path / "data" / "small")
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path / "data"))
    assert copy_of("small") == tmp_path / "data" / "small"
    found = fetch("small", sets=sets)
    assert served.asked == []
    assert str(read_dataset(found.path).samples[0].path) == str((tmp_path / "data" / "small").resolve())
    assert any("nothing is downloaded" in note for note in found.notes)
    assert len(open_dataset(read_dataset(found.path)).samples) == 1


@pytest.mark.parametrize("folder", ["${HOME} no", "\U0001f600", 'a"b\\c', "y"])
def test_a_copy_in_a_folder_of_any_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served, folder: str
) -> None:
    sets = sets_of(served, tmp_path)
    shutil.copytree(tmp_path / "made" / "hest", tmp_path / folder / "small")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PRESTIGE_DATA", folder)
    (sample,) = read_dataset(fetch("small", tmp_path / "mine" / "d.yaml", sets=sets).path).samples
    assert sample.path == (tmp_path / folder / "small").resolve()
    (sample,) = read_dataset(fetch("small", tmp_path / "d.yaml", sets=sets).path).samples  # it lies above
    assert sample.path == (tmp_path / folder / "small").resolve()


def test_samples_of_a_copy_that_nobody_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served
) -> None:
    sets = sets_of(
        served, tmp_path, samples={"S9": PublicSample(patient="P9")}, patient_of="S"
    )  # of the copy, S1 is patient S
    folder = tmp_path / "data" / "small"
    shutil.copytree(tmp_path / "made" / "hest", folder)
    (folder / "metadata" / "x.txt").write_text("")
    (folder / "metadata" / "S2.json").write_text("{}")  # its other files are not there
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path / "data"))
    found = fetch("small", sets=sets)
    (sample,) = read_dataset(found.path).samples
    assert (sample.id, sample.patient) == ("S1", "S")
    assert any("not in the copy: 1 (S9)" in note for note in found.notes)


def test_half_a_copy_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = sets_of(served, tmp_path)
    folder = tmp_path / "data" / "small"
    shutil.copytree(tmp_path / "made" / "hest", folder)
    (folder / "wsis" / "S1.tif").unlink()
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path / "data"))
    fetch("small", sets=sets)
    assert len(served.asked) == 3
    assert "holds no whole sample: it lacks 1 (wsis/S1.tif)" in capsys.readouterr().err


def test_a_yaml_of_somebody_else_stays(served: Served, tmp_path: Path) -> None:
    mine = tmp_path / "dataset.yaml"
    mine.write_text("name: mine\n")
    with pytest.raises(StorageError, match="is there already, and `prestige data fetch` did not write it"):
        fetch("small", mine, sets=sets_of(served, tmp_path))
    assert served.asked == []
    assert mine.read_text() == "name: mine\n"


def test_a_token_is_asked_for_and_sent(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = sets_of(
        served, tmp_path, token="HF_TOKEN", patient_in="metadata/{id}.json", samples={}, any_sample=True
    )
    with pytest.raises(
        DataError,
        match=r"^small: is downloaded .* accepted the terms on https://x.org; .* HF_TOKEN; accept the terms",
    ):
        fetch("small/S1", sets=sets)
    monkeypatch.setenv("HF_TOKEN", "secret")
    served.files["/S1.json"] = json.dumps({"pixel_size_um": 0.5, "patient": "Patient 1"}).encode()
    found = fetch("small/S1", sets=sets)
    assert {one.get("Authorization") for one in served.headers} == {"Bearer secret"}
    assert read_dataset(found.path).samples[0].patient == "Patient 1"
    assert "secret" not in "".join(path.read_text() for path in found.path.parent.glob("*.[jy]*"))


def packed(folder: Path, inside: str, kind: str) -> bytes:
    """Return a folder as an archive whose members lie in ``inside``."""
    data = io.BytesIO()
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    names = [f"{inside}/{path.relative_to(folder)}" for path in paths]
    if kind == "zip":
        with zipfile.ZipFile(data, "w") as file:
            for path, name in zip(paths, names, strict=True):
                file.write(path, name)
    else:
        with tarfile.open(fileobj=data, mode="w:gz") as tar:
            for path, name in zip(paths, names, strict=True):
                tar.add(path, name)
    return data.getvalue()


def of_registry(served: Served, name: str) -> dict[str, PublicSet]:
    """Return a set of the registry whose files are those of the server."""
    one = public_sets()[name]
    (sample,) = one.samples
    words = {"base": f"{served.url}/x"}
    for word, ending in (("of_outs", "_outs.zip"), ("of_image", "_he_image.ome.tif")):
        digest = hashlib.md5(served.files.get(f"/x{ending}", b""), usedforsecurity=False).hexdigest()
        words[word] = f"md5:{digest}"
    return {name: one.model_copy(update={"samples": {sample: PublicSample(patient="P", words=words)}})}


@pytest.mark.parametrize("inside", ["outs", "Xenium_outs/outs"])
def test_a_xenium_section_with_its_image(served: Served, tmp_path: Path, inside: str) -> None:
    from ...small_xenium import for_the_page

    for_the_page(tmp_path)
    served.files["/x_outs.zip"] = packed(tmp_path / "outs", inside, "zip")
    served.files["/x_he_image.ome.tif"] = (tmp_path / "he.ome.tif").read_bytes()
    served.files["/x_he_imagealignment.csv"] = (tmp_path / "he_imagealignment.csv").read_bytes()
    found = fetch("xenium_lung", sets=of_registry(served, "xenium_lung"))
    (sample,) = open_dataset(read_dataset(found.path)).samples
    assert (sample.id, sample.patient, sample.source) == ("lung_cancer", "P", "xenium")
    assert sample.measured.any()
    assert not (found.path.parent / "outs.zip").exists()


def test_a_visium_hd_section_with_its_image(served: Served, tmp_path: Path) -> None:
    from ...small_space_ranger import visium_hd

    visium_hd(tmp_path)
    bins = tmp_path / "H1" / "outs" / "binned_outputs"
    if not (bins / "square_016um").is_dir():
        shutil.copytree(bins / "square_008um", bins / "square_016um")
    served.files["/x_binned_outputs.tar.gz"] = packed(bins, "binned_outputs", "tar.gz")
    served.files["/x_tissue_image.btf"] = (tmp_path / "H1.btf").read_bytes()
    sets = of_registry(served, "visium_hd_colon")
    found = fetch("visium_hd_colon", sets=sets)
    spec = read_dataset(found.path).samples[0]
    assert (spec.source, spec.bin_um) == ("visium_hd", 16)
    (sample,) = open_dataset(read_dataset(found.path)).samples
    assert sample.measured.any()


def test_real_sections_from_the_copy(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shared_data / "her2st").is_dir():
        pytest.skip("no copy of her2st")
    monkeypatch.setenv("PRESTIGE_DATA", str(shared_data))
    found = fetch("her2st")
    patients = {sample.id: sample.patient for sample in read_dataset(found.path).samples}
    assert patients == {"B4": "B", "C2": "C", "C3": "C", "C4": "C", "C5": "C"}
    one = fetch("her2st/C2")
    (sample,) = open_dataset(read_dataset(one.path)).samples
    assert 170 < int(sample.measured.sum()) < 190
