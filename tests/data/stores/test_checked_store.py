"""The way into zarr: nothing runs, nothing is followed out of the store, nothing endless is read."""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import stat
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

import prestige
from prestige.data.readers.challenge import read_table
from prestige.data.stores.images import write_image
from prestige.data.stores.zarrs import check_elements, element
from prestige.errors import DataError

ELEMENTS = ("images/HE_original", "images/HE_nuc_original", "tables/cell_id-group", "tables/anucleus")


def edited(file: Path, **changed: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def read(path: Path, tmp_path: Path) -> Any:
    write_image(path, "images/HE_original", tmp_path / "slide")
    return read_table(path, np.load(tmp_path / "slide"))


class _Runs:
    """What a pickle says is called when it is loaded."""

    def __init__(self, mark: Path, then: Any) -> None:
        self.mark, self.then = mark, then

    def __reduce__(self) -> Any:
        code = "(lambda mark, then: (mark.touch(), then)[1])"
        return (eval, (f"{code}(__import__('pathlib').Path({str(self.mark)!r}), {self.then!r})",))


@pytest.mark.parametrize("part", ["tables/cell_id-group/obs/_index", "tables/anucleus/var/gene_symbols"])
def test_a_codec_that_runs_code_is_refused_before_anything_is_decoded(
    store: Any, tmp_path: Path, part: str
) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    array = path / part
    metadata = json.loads((array / ".zarray").read_text())
    chunk = next(file for file in array.iterdir() if not file.name.startswith("."))
    raw = chunk.read_bytes()
    if metadata["compressor"]:
        raw = bytes(numcodecs.get_codec(metadata["compressor"]).decode(raw))
    chunk.write_bytes(pickle.dumps(_Runs(tmp_path / "ran", raw)))
    edited(array / ".zarray", compressor=None, filters=[*metadata["filters"], {"id": "pickle"}])
    with pytest.raises(
        DataError, match=r"the codec 'pickle' is not read .*expected one of adler32, "
    ) as caught:
        read(path, tmp_path)
    assert part in str(caught.value).replace(", ", "/")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_consolidated_metadata_are_never_read(store: Any, tmp_path: Path, zarr_format: int) -> None:
    """Not beside a group, and not within the metadata of one that lies deeper."""
    path = store.write(tmp_path / "s.zarr", zarr_format)
    table = path / "tables" / "anucleus"
    if zarr_format == 2:
        metadata = {"obs/cell_id/.zarray": {"zarr_format": 2, "filters": [{"id": "pickle"}]}}
        (table / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": metadata}))
    else:
        array = json.loads((table / "obs" / "cell_id" / "zarr.json").read_text())
        array["shape"] = [1]
        smuggled = {"kind": "inline", "must_understand": False, "metadata": {"cell_id": array}}
        for group in (table, table / "obs"):
            edited(group / "zarr.json", consolidated_metadata=smuggled)
    with element(path, "tables/anucleus") as group:
        assert group["obs"]["cell_id"].shape == (2,)
        assert list(group["obs/cell_id"][:]) == [3, 7]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_files_that_file_managers_leave_are_passed_over(store: Any, tmp_path: Path, zarr_format: int) -> None:
    path = store.write(tmp_path / "s.zarr", zarr_format)
    clean = read(path, tmp_path)
    for folder in [path, *(folder for folder in path.rglob("*") if folder.is_dir())]:
        for name in (".DS_Store", "._0", "._zarr.json", "Thumbs.db"):
            (folder / name).write_bytes(b"\0\5\x16\7Mac OS X")
    again = read(path, tmp_path)
    np.testing.assert_array_equal(again.xy_px, clean.xy_px)
    assert again.genes == clean.genes


def a_chunk(path: Path, name: str) -> Path:
    return min(
        file
        for file in (path / name).rglob("*")
        if file.is_file() and not file.name.startswith((".z", "zarr"))
    )


@pytest.mark.parametrize("name", ELEMENTS)
def test_links_that_lead_out_of_the_store_are_refused(store: Any, tmp_path: Path, name: str) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    chunk = a_chunk(path, name)
    shutil.move(chunk, tmp_path / "outside")
    for target, said in (
        (tmp_path / "outside", "a link that leads out"),
        (Path("/dev/zero"), "a link that leads out"),
        (path / "nothing", "a link that leads nowhere"),
    ):
        chunk.symlink_to(target)
        with pytest.raises(DataError, match=said):
            check_elements(path, ELEMENTS)
        chunk.unlink()
    os.mkfifo(chunk)
    with pytest.raises(DataError, match="a pipe or a device"):
        check_elements(path, ELEMENTS)
    chunk.unlink()
    shutil.move(
        tmp_path / "outside", chunk.parent / "other"
    )  # within the element, a link is as good as a file
    chunk.symlink_to(chunk.parent / "other")
    check_elements(path, ELEMENTS)


def test_a_folder_of_chunks_that_leads_out_is_refused(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    folder = path / "images/HE_original/0/c"
    shutil.move(folder, tmp_path / "c")
    folder.symlink_to(tmp_path / "c")
    with pytest.raises(DataError, match="a link that leads out"):
        check_elements(path, ELEMENTS)


def test_a_store_or_an_element_as_a_whole_may_be_a_link(store: Any, tmp_path: Path) -> None:
    real = store.write(tmp_path / "real" / "s.zarr", 2)
    table = shutil.move(real / "tables" / "anucleus", tmp_path / "elsewhere")
    (real / "tables" / "anucleus").symlink_to(table)
    (tmp_path / "link.zarr").symlink_to(real)
    check_elements(tmp_path / "link.zarr", ELEMENTS)
    assert read(tmp_path / "link.zarr", tmp_path).counts.nnz == 4


def test_what_becomes_a_device_later_is_not_read_either(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    chunk = a_chunk(path, "tables/cell_id-group/obs/cell_id")
    with element(path, "tables/cell_id-group") as group:
        chunk.unlink()
        chunk.symlink_to("/dev/zero")
        assert stat.S_ISCHR(chunk.stat().st_mode)
        with pytest.raises(DataError, match="is no file"):
            group["obs/cell_id"][:]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("zarr.json", '"x"', "holds no JSON object"),
        ("zarr.json", "[1, 2]", "holds no JSON object"),
        ("zarr.json", "{", "cannot be read"),
        ("zarr.json", '{"a":' * 100_000 + "1" + "}" * 100_000, "cannot be read"),
        ("zarr.json", f'{{"zarr_format": {"9" * 5000}}}', "cannot be read"),
        ("zarr.json", "{}", "'zarr.json' says zarr_format None, node_type None"),
        ("cell_id/zarr.json", '{"zarr_format": 3, "node_type": "array"}', "chunk_grid is None"),
    ],
)
def test_metadata_that_are_no_metadata_are_one_line(
    store: Any, tmp_path: Path, file: str, text: str, said: str
) -> None:
    path = store.write(tmp_path / "s.zarr", 3)
    (path / "tables/cell_id-group/obs" / file).write_text(text)
    with pytest.raises(DataError, match=said) as caught:
        read(path, tmp_path)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("part", "shape", "said"),
    [
        ("images/HE_original/0", [3, 10**6, 10**6], "declares 3,000,000,000,000 bytes"),
        ("tables/anucleus/obs/cell_id", [10**9], r"declares 8,000,000,000 (bytes|chunks)"),
        ("tables/anucleus/layers/counts/data", [10**12], "declares"),
        ("images/HE_nuc_original/0", [1, 10**9, 10**9], "declares"),
    ],
)
def test_declared_sizes_are_held_against_what_is_stored(
    store: Any, tmp_path: Path, part: str, shape: list[int], said: str
) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    rows = shape[0] if len(shape) == 1 else None
    chunks = {} if rows is None else {"chunks": [10**6]}
    edited(path / part / ".zarray", shape=shape, **chunks)
    if part.startswith("images/HE_original"):
        edited(path / part / ".zarray", chunks=[3, 4096, 4096])
    with pytest.raises(DataError, match=said):
        read(path, tmp_path)


def test_a_mask_that_is_nearly_empty_is_no_fault(store: Any, tmp_path: Path) -> None:
    """Chunks without a label are not stored, however many there are."""
    path = store.write(tmp_path / "s.zarr", 2)
    edited(path / "images/HE_nuc_original/0/.zarray", shape=[1, 16_000, 16_000])
    with element(path, "images/HE_nuc_original", whole=False) as group:
        assert group["0"].shape == (1, 16_000, 16_000)
    with element(path, "images/HE_nuc_original") as group, pytest.raises(DataError, match="declares"):
        group["0"]


def test_names_that_lead_elsewhere_are_no_elements(store: Any, tmp_path: Path) -> None:
    path = store.write(tmp_path / "s.zarr", 2)
    attributes = path / "images/HE_original/.zattrs"
    scales = json.loads(attributes.read_text())["multiscales"]
    scales[0]["datasets"][0]["path"] = "../../images/HE_original/0"
    edited(attributes, multiscales=scales)
    with pytest.raises(DataError, match="HE_original"):
        read(path, tmp_path)


def test_no_other_module_opens_a_store_to_read_it() -> None:
    """One writes them (the phantom's); whatever reads goes through ``element``."""
    source = Path(prestige.__file__).parent
    openers = {"open", "open_group", "open_array", "open_consolidated", "load", "read_zarr", "LocalStore"}
    found = set()
    for file in source.rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        names = {
            (alias.name if isinstance(node, ast.Import) else str(node.module)).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        calls = {
            node.func.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        if "zarr" in names or "read_zarr" in calls or "numcodecs" in names:
            found.add(file.relative_to(source).as_posix())
            if file.name == "store.py":  # the phantom's
                opened = [
                    ast.unparse(node)
                    for node in ast.walk(tree)
                    if isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and node.func.attr in openers
                ]
                assert all("mode='w'" in call for call in opened), opened
    assert found == {
        "data/phantom/store.py",
        "data/stores/checked_store.py",
        "data/stores/zarrs.py",
    }
