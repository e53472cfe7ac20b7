"""Archives of strangers: chosen members under our names, everything else refused or left where it is."""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

from prestige.data.public import archives as module
from prestige.data.public.archives import unpack
from prestige.errors import DataError, StorageError

GOOD = {"outs/experiment.xenium": b"{}", "outs/cells.parquet": b"cells", "outs/other.bin": b"no"}


def write(path: Path, members: dict[str, bytes], *, links: tuple[str, ...] = ()) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members.items():
                file.writestr(name, data)
            for name in links:
                info = zipfile.ZipInfo(name)
                info.external_attr = 0o120777 << 16
                file.writestr(info, "/etc/passwd")
        return path
    with tarfile.open(path, "w:gz") as file:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
        for name in links:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            file.addfile(info)
    return path


both = pytest.mark.parametrize("name", ["a.zip", "a.tar.gz"])


@both
def test_what_is_wanted_is_written_and_nothing_else(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, GOOD)
    written = unpack(path, tmp_path / "new", ["experiment.xenium"], ["cells.parquet", "cells.csv.gz"])
    assert sorted(written) == ["cells.parquet", "experiment.xenium"]
    assert {one.name: one.read_bytes() for one in (tmp_path / "new").iterdir()} == {
        "experiment.xenium": b"{}",
        "cells.parquet": b"cells",
    }


@both
def test_members_of_folders_keep_them_below_ours(tmp_path: Path, name: str) -> None:
    path = write(
        tmp_path / name, {"x/square_016um/spatial/a.json": b"16", "x/square_008um/spatial/a.json": b"8"}
    )
    assert unpack(path, tmp_path / "new", ["square_016um/spatial/a.json"]) == ["square_016um/spatial/a.json"]
    assert (tmp_path / "new" / "square_016um" / "spatial" / "a.json").read_bytes() == b"16"
    assert not (tmp_path / "new" / "square_008um").exists()


@both
@pytest.mark.parametrize(
    "hostile", ["../experiment.xenium", "/tmp/experiment.xenium", "a/../../b", "..\\experiment.xenium"]
)
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str, hostile: str) -> None:
    path = write(tmp_path / name, {hostile: b"{}"})
    with pytest.raises(DataError, match="which leads out of its folder"):
        unpack(path, tmp_path / "new", ["experiment.xenium"])
    assert [one.name for one in tmp_path.iterdir()] == [name]


@both
def test_a_link_is_no_file(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {}, links=("outs/experiment.xenium",))
    with pytest.raises(DataError, match=r"'outs/experiment.xenium' is no plain file"):
        unpack(path, tmp_path / "new", ["experiment.xenium"])


@both
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_of_two_the_upper_one_is_meant_and_equals_are_refused(tmp_path: Path, name: str) -> None:
    members = {"outs/deep/metrics.csv": b"deep", "outs/metrics.csv": b"upper", "outs/x/metrics.csv": b"x"}
    path = write(tmp_path / name, members)
    assert unpack(path, tmp_path / "new", ["metrics.csv"]) == ["metrics.csv"]
    assert (tmp_path / "new" / "metrics.csv").read_bytes() == b"upper"
    path = write(tmp_path / name, {"a/metrics.csv": b"1", "b/metrics.csv": b"2"})
    with pytest.raises(DataError, match=r"holds 'metrics.csv' twice"):
        unpack(path, tmp_path / "other", ["metrics.csv"])


@both
def test_what_lacks_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"lacks 1 \(cells.zarr.zip\)"):
        unpack(write(tmp_path / name, GOOD), tmp_path / "new", ["experiment.xenium", "cells.zarr.zip"])


@both
def test_damage_is_one_line(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, {"experiment.xenium": bytes(range(256)) * 4000})
    content = path.read_bytes()
    for cut in (content[: len(content) // 2], b"no archive", b""):
        path.write_bytes(cut)
        with pytest.raises(DataError, match=r"cannot be read|lacks|its size is not") as told:
            unpack(path, tmp_path / "new", ["experiment.xenium"])
        assert "\n" not in str(told.value)
        assert not (tmp_path / "new" / "experiment.xenium").exists()


def test_what_unpacks_to_more_than_it_says_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", {"experiment.xenium": b"x" * 100_000})
    content = path.read_bytes()
    true, said = (100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    path.write_bytes(content.replace(true, said))
    with pytest.raises(DataError, match=r"its size is not what the archive says|cannot be read"):
        unpack(path, tmp_path / "new", ["experiment.xenium"])


@both
def test_room_is_asked_for(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / name, GOOD)
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)._replace(free=1)
        patch.setattr(module.shutil, "disk_usage", lambda path: usage)
        with pytest.raises(StorageError, match="are to be unpacked; free some space"):
            unpack(path, tmp_path / "new", ["experiment.xenium"])
    monkeypatch.setattr(module, "_MOST_BYTES", 1)
    with pytest.raises(DataError, match="unpacks to more than 1 bytes"):
        unpack(path, tmp_path / "new", ["experiment.xenium"])
