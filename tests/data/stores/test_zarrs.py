"""Elements of a store: those that are missing are named, those that are cut off are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from prestige.data.stores.zarrs import check_elements, element, level0, windows_of
from prestige.errors import DataError

AXES = [{"name": name} for name in "cyx"]


def image(path: Path, *, axes: list[dict[str, str]] | None = None, zarr_format: int = 2) -> np.ndarray:
    group = zarr.open_group(path, mode="w", zarr_format=zarr_format)  # type: ignore[arg-type]
    values = np.arange(3 * 10 * 14, dtype=np.uint16).reshape(3, 10, 14)
    array = group.create_array("0", shape=values.shape, dtype=values.dtype, chunks=(3, 4, 8))
    array[:] = values
    if axes is not None:
        group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}]}]
    return values


def test_elements_that_are_there_pass(tmp_path: Path) -> None:
    (tmp_path / "images" / "HE").mkdir(parents=True)
    check_elements(tmp_path, ("images/HE",))


def test_a_missing_element_is_named_with_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "images" / "HE_original2").mkdir(parents=True)
    with pytest.raises(DataError, match=r"missing: images/HE_original; .*did you mean 'images/HE_original2'"):
        check_elements(tmp_path, ("images/HE_original",))
    with pytest.raises(DataError, match="no such store"):
        check_elements(tmp_path / "absent", ("images/HE",))


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_an_image_comes_back_chunk_by_chunk(tmp_path: Path, zarr_format: int) -> None:
    values = image(tmp_path / "images" / "HE", axes=AXES, zarr_format=zarr_format)
    seen = np.zeros_like(values)
    with element(tmp_path, "images/HE") as group:
        array = level0(group, "HE")
        windows = list(windows_of(array.array))
        for y, x in windows:
            seen[:, y, x] += array[:, y, x]
    assert len(windows) == 3 * 2  # 10 rows in chunks of 4, 14 columns in chunks of 8
    np.testing.assert_array_equal(seen, values)  # each pixel once: none is added twice


def test_other_axes_are_refused(tmp_path: Path) -> None:
    image(tmp_path / "a", axes=AXES[::-1])
    with pytest.raises(DataError, match="x, y, c"), element(tmp_path, "a") as group:
        level0(group, "a")
    image(tmp_path / "b")
    with pytest.raises(DataError, match="multiscales"), element(tmp_path, "b") as group:
        level0(group, "b")


def test_what_is_absent_or_broken_is_a_fault_of_the_element(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images/HE.*cannot be read"), element(tmp_path, "images/HE"):
        pass
    image(tmp_path / "a", axes=AXES)
    (tmp_path / "a" / "0" / ".zarray").write_text("{")
    with pytest.raises(DataError, match="cannot be read"), element(tmp_path, "a") as group:
        level0(group, "a")[:]


def test_a_full_disk_stays_a_full_disk(tmp_path: Path) -> None:
    image(tmp_path / "a", axes=AXES)
    with pytest.raises(OSError, match="No space left"), element(tmp_path, "a"):
        raise OSError(28, "No space left on device")


def test_what_is_there_in_place_of_a_store_is_told(tmp_path: Path) -> None:
    import zipfile

    names = ("images/HE",)
    (tmp_path / "S.zarr" / "images" / "HE").mkdir(parents=True)
    with pytest.raises(DataError, match=r"did you mean the store 'S.zarr' in it\?"):
        check_elements(tmp_path, names)
    with pytest.raises(DataError, match="name the folder of the whole store"):
        check_elements(tmp_path / "S.zarr" / "images", names)
    for name, inner, made in (("A.zarr.zip", "images/HE/zarr.json", "A.zarr"), ("B.zip", "S/images/x", "S")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr(inner, "{}")
        with pytest.raises(DataError, match=rf"is a zip archive; .*unzip '.*{name}' .* path: \S*/{made}$"):
            check_elements(tmp_path / name, names)
    with pytest.raises(DataError, match=r"A.zarr.zip: is a zip archive"):
        check_elements(tmp_path / "A.zarr", names)
    (tmp_path / "S.tar").write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"S\.tar: is a file"):
        check_elements(tmp_path / "S.tar", names)


def test_what_is_no_group_of_a_format_that_is_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "images" / "HE").mkdir(parents=True)
    (tmp_path / "images" / "HE" / "meta").write_text('{"zarr_format": 1}')
    said = r"no metadata of a zarr group.*zarr of format 2 or 3"
    with pytest.raises(DataError, match=said), element(tmp_path, "images/HE"):
        pass
