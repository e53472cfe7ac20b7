"""Folders that are of one kind as a whole: prepared samples, stores, outputs of instruments, HEST-1k."""

from __future__ import annotations

import os
from pathlib import Path

from prestige.challenge.rules import SAMPLES, covariates_of, patient_of
from prestige.data.card import CARD, SLIDE
from prestige.data.columns.gaps import is_gap
from prestige.data.platforms.hest_metadata import read_metadata
from prestige.data.platforms.matrix_10x import files_of
from prestige.data.platforms.space_ranger.bins import is_binned
from prestige.data.platforms.space_ranger.cells import folder_of_cells
from prestige.data.platforms.space_ranger.folder import (
    HIRES,
    LOWRES,
    POSITIONS,
    SCALES,
    Folder,
    Matrices,
    matrices_in,
)
from prestige.data.platforms.xenium.manifest import NAME as MANIFEST
from prestige.data.platforms.xenium.matrix import matrices_in as counts_of_cells
from prestige.data.platforms.xenium.named import prefixes_in
from prestige.data.readers.challenge import COUNTS, IMAGE, MASK
from prestige.data.slides.images import image_of
from prestige.data.slides.kinds import MIRAX_FOLDER, kind_of
from prestige.data.stores.zarrs import elements_of
from prestige.errors import PrestigeError
from prestige.inputs import is_stray
from prestige.start.found import Found, Value, as_id, stem_of
from prestige.start.walk import Files, reason

_ZARR = (".zgroup", ".zattrs", "zarr.json")
_FULL_HINT = {
    "image": "the full-resolution image that Space Ranger was given; without it the small picture of the "
    "folder is read"
}


def known(folder: Path, files: Files) -> bool:
    """Say whether a folder is of a kind as a whole, and file what it holds."""
    for kind in (_prepared, _xenium, _space_ranger, _hest, _zarr, _slide, _companion):
        if kind(folder, files):
            return True
    return False


def _prepared(folder: Path, files: Files) -> bool:
    if not ((folder / CARD).is_file() and (folder / SLIDE).is_file()):
        return False
    files.found.append(Found(as_id(folder.name), "prepared", folder, "a sample that was prepared before"))
    return True


def _xenium(folder: Path, files: Files) -> bool:
    manifests = [one for one in folder.glob(f"*{MANIFEST}") if one.is_file()]
    if not manifests and not any(counts_of_cells(folder, one) for one in prefixes_in(folder)):
        return False
    files.xenium.append(folder)
    return True


def _space_ranger(folder: Path, files: Files) -> bool:
    """File the output of Space Ranger: ``outs``, the folder above it, or one that holds ``spatial``."""
    if is_binned(folder) or folder_of_cells(folder) is not None:
        _visium_hd(folder, files)
        return True
    for outs in (folder / "outs", folder):
        spatial = outs / "spatial"
        if spatial.is_dir() and any("scalefactors" in one.name for one in spatial.iterdir()):
            found = Found(
                _name_of(folder), "visium", folder, "Space Ranger, Visium", coarse=True, to_write=_FULL_HINT
            )
            files.found.append(found)
            return True
    _flat(folder, files)
    return False  # what else lies there is looked at too


_PICTURES = (HIRES, LOWRES, "aligned_fiducials.jpg", "detected_tissue_image.jpg", "aligned_tissue_image.jpg")


def _flat(folder: Path, files: Files) -> None:
    """File samples of Visium whose files lie in one folder, with the name of the sample before each."""
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file() and not is_stray(entry.name))
    for name in names:
        before = name.removesuffix(".gz").removesuffix(SCALES[0])
        sample = before.rstrip("_.-")
        if not name.startswith(f"{before}{SCALES[0]}") or (before and as_id(sample) != sample):
            continue
        own = Folder(folder, sample or _name_of(folder))
        try:
            places, scales, matrices = own.find(POSITIONS), own.find(SCALES), matrices_in(own)
            if places is None or scales is None or not isinstance(matrices, Matrices):
                continue
            of_matrix = files_of(matrices.path).values()
        except PrestigeError:
            continue
        if not all(path.name.startswith(before) for path in (places, scales, matrices.path)):
            continue  # of another sample beside it
        files.taken |= {places, scales, *of_matrix, *(folder / f"{before}{one}" for one in _PICTURES)}
        files.found.append(
            Found(
                as_id(own.sample), "visium", folder, "Space Ranger, Visium, in one folder", coarse=True,
                to_write=_FULL_HINT,
            )
        )  # fmt: skip


def _visium_hd(folder: Path, files: Files) -> None:
    name = _name_of(folder)
    hint = dict(_FULL_HINT)
    keys: dict[str, Value] = {}
    if not is_binned(folder):
        keys["cells"] = True
    else:
        hint["bin_um"] = "the width of a bin, 8 where nothing is said"
        if folder_of_cells(folder) is not None:
            hint["cells"] = "true: the cells that Space Ranger segmented, in place of bins"
    files.found.append(
        Found(name, "visium_hd", folder, "Space Ranger, Visium HD", keys=keys, to_write=hint, coarse=True)
    )


def _hest(folder: Path, files: Files) -> bool:
    tables, images = folder / "st", folder / "wsis"
    if not (tables.is_dir() and images.is_dir()):
        return False
    names = [one.name for one in sorted(images.iterdir()) if one.is_file() and not is_stray(one.name)]
    slides = {name.split(".")[0]: images / name for name in names}
    of_slide: dict[str, list[str]] = {}
    for table in sorted(tables.glob("*.h5ad")):
        whose = [name for name in slides if table.stem == name or table.stem.startswith(f"{name}_")]
        if whose:
            of_slide.setdefault(max(whose, key=len), []).append(table.name)
        else:
            files.left_out[table] = "no image in wsis has its name"
    for name, of_it in of_slide.items():
        try:
            files.found.append(_of_hest(folder, name, slides[name], of_it))
        except PrestigeError as error:
            files.left_out[slides[name]] = reason(error, slides[name])
    return True


def _of_hest(folder: Path, name: str, image: Path, tables: list[str]) -> Found:
    said = read_metadata(folder / "metadata" / f"{name}.json")
    own = f"{name}.h5ad"
    taken = own if own in tables else tables[0]
    hints = {}
    if others := [one for one in tables if one != taken]:
        hints["table"] = f"another one of its image: {', '.join(others)}"
    if said.um_per_px is None and not image_of(image).stated_um():
        hints["um_per_px"] = "the width of a pixel of the image in micrometres"
    keys: dict[str, Value] = {} if taken == own else {"table": taken}
    patient = _text(said.content.get("patient"))
    return Found(name, "hest", folder, "HEST-1k", patient, keys, to_write=hints, coarse=True)


def _zarr(folder: Path, files: Files) -> bool:
    if not any((folder / name).is_file() for name in _ZARR):
        return False
    name = as_id(stem_of(folder))
    try:
        elements = elements_of(folder)
    except PrestigeError:
        return _other_zarr(folder, files)
    if {IMAGE, MASK} <= set(elements):
        counted = COUNTS in elements
        files.found.append(
            Found(
                name,
                "challenge",
                folder,
                "the layout of the Autoimmune Disease ML Challenge",
                patient_of(name) if name in SAMPLES else None,
                {},
                covariates_of(name),
                has_counts=counted,
                to_write={"um_per_px": "the challenge states no pixel size: 0.5 is assumed, and said"},
            ),
        )
        return True
    to_write = {}
    for key, kind in (("image_element", "images"), ("table", "tables"), ("region", "shapes")):
        there = [one for one in elements if one.startswith(f"{kind}/")]
        if len(there) > 1:
            to_write[key] = (
                f"one of {', '.join(one.removeprefix(f'{kind}/') for one in there[:6])}, if refused"
            )
    to_write["um_per_px"] = "the width of a pixel of the image, where no transformation is in micrometres"
    counted = any(one.startswith("table") for one in elements)
    files.found.append(
        Found(name, "spatialdata", folder, "a SpatialData store", to_write=to_write, has_counts=counted)
    )
    return True


def _other_zarr(folder: Path, files: Files) -> bool:
    if (folder / "obs").is_dir() and (folder / "var").is_dir():
        files.tables.append(folder)
    else:
        _image(folder, files)
    return True


def _slide(folder: Path, files: Files) -> bool:
    """File a folder that is one slide, as DICOM is."""
    first = next((one for one in sorted(folder.iterdir()) if one.is_file() and not is_stray(one.name)), None)
    if first is None:
        return False
    try:
        if kind_of(first)[0] != "scanner" or kind_of(folder)[0] != "scanner":
            return False
    except PrestigeError:
        return False
    _image(folder, files)
    return True


def _companion(folder: Path, files: Files) -> bool:
    """Say whether a folder holds the pixels of the ``.mrxs`` beside it."""
    return (folder / MIRAX_FOLDER).is_file()


def _image(folder: Path, files: Files) -> None:
    try:
        files.images[folder] = image_of(folder)
    except PrestigeError as error:
        files.left_out[folder] = reason(error, folder)


def _name_of(folder: Path) -> str:
    return as_id(folder.parent.name if folder.name == "outs" else folder.name)


def _text(value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    return None if is_gap(text) or text.casefold() == "unknown" else text
