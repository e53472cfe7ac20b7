"""What was seen in folders -> samples: which image belongs to which table, as far as the files say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from prestige.data.frames import read_columns
from prestige.data.hdf5.opened import opened_h5ad
from prestige.data.platforms.annotated import opened_table
from prestige.data.platforms.flat import read_flat
from prestige.data.platforms.space_ranger.folder import HIRES, SCALES, Folder
from prestige.data.platforms.space_ranger.scales import read_scales
from prestige.data.platforms.xenium.manifest import NAME as MANIFEST
from prestige.data.platforms.xenium.named import named, prefixes_in
from prestige.data.slides.brightfield import check_brightfield
from prestige.data.slides.images import Image, image_of
from prestige.errors import DataError, PrestigeError, reading
from prestige.inputs import is_stray
from prestige.start.folders import known
from prestige.start.found import Found, Value, as_id, renamed, stem_of
from prestige.start.walk import Files, file_one, look, reason
from prestige.text import has_word

SMALLEST_PX = 256
"""A picture that is nowhere so wide is no slide."""

_SEEN_PX = 5_000_000  # a level that is decoded for a look
_BESIDE = (".csv", ".zip", ".tif", ".tiff", ".svs", ".ndpi", ".btf")  # of what lies in an output folder
_OF_PLACES = (".csv", ".tsv", ".parquet", ".geojson")
_PICTURES = (".jpg", ".jpeg", ".png")
_WIDTH = "the width of a pixel of the image in micrometres: the image does not say it"
_SMALL_TABLE = 1 << 20
_SAMPLES = ("sample", "sample_id", "section", "section_id", "id")
_PATIENTS = ("patient", "patient_id", "donor", "donor_id", "individual")


def samples_in(folders: list[Path]) -> tuple[list[Found], dict[Path, str]]:
    """Return the samples below some folders, and what was left out with the reason.

    Raises
    ------
    DataError
        When a folder is none, or holds too many files for a look.
    """
    files = Files()
    for folder in folders:
        look(folder, known, files)
    used: set[Path] = set()
    found = [_with_full_image(one, files, used) for one in files.found]
    found += [
        _xenium(folder, before, files, used)
        for folder in files.xenium
        for before in prefixes_in(folder) or [""]
    ]
    found += _classic(files, folders, used)
    for table in files.tables:
        found += _table(table, files, used)
    for path, image in files.images.items():
        if path not in used:
            found += _slide(path, image, files)
    found = renamed(sorted(found, key=lambda one: (one.source, str(one.path), one.id)))
    whose = _patients_in(files.texts)
    return [replace(one, patient=one.patient or whose.get(one.id)) for one in found], files.left_out


def _patients_in(texts: list[Path]) -> dict[str, str]:
    """Return sample -> patient by tables that say so: a column of samples beside one of patients."""
    whose: dict[str, str] = {}
    for path in texts:
        if path.stat().st_size > _SMALL_TABLE:
            continue
        try:
            table = read_flat(path, expected="a table of samples").astype(str)
        except PrestigeError:
            continue
        names = {str(name).casefold(): name for name in table.columns}
        sample = next((names[name] for name in _SAMPLES if name in names), None)
        patient = next((names[name] for name in _PATIENTS if name in names), None)
        if sample is not None and patient is not None:
            whose |= dict(zip(table[sample], table[patient], strict=True))
    return whose


def _with_full_image(one: Found, files: Files, used: set[Path]) -> Found:
    """Return a sample of Space Ranger with the image whose size its scale factors tell, where one has it."""
    if one.source not in ("visium", "visium_hd"):
        return one
    roots = [one.path, *sorted(path.parent for path in one.path.rglob("spatial"))]
    try:
        scales_path = next((found for root in roots if (found := Folder(root, one.id).find(SCALES))), None)
        hires_path = next((found for root in roots if (found := Folder(root, one.id).find((HIRES,)))), None)
        if scales_path is None or hires_path is None:
            return one
        scale = read_scales(scales_path).hires
        hires = image_of(hires_path)
    except PrestigeError:
        return one
    if not scale:
        return one
    wanted = (hires.width_px / scale, hires.height_px / scale)
    inner = _beside([one.path, one.path / "outs"], (*_BESIDE, *_PICTURES))
    fitting = [
        path
        for path, image in {**files.images, **inner.images}.items()
        if all(
            abs(a - b) <= max(4 / scale, 4)
            for a, b in zip((image.width_px, image.height_px), wanted, strict=True)
        )
    ]
    fitting = [path for path in fitting if has_word(path.name, one.id)] or fitting
    if len(fitting) != 1:
        return one
    used.add(fitting[0])
    hints = {key: words for key, words in one.to_write.items() if key != "image"}
    return replace(one, keys={**one.keys, "image": fitting[0]}, to_write=hints)


def _xenium(folder: Path, before: str, files: Files, used: set[Path]) -> Found:
    """Return the sample of an output folder of Xenium; its H&E image and alignment lie in it or beside it.

    Parameters
    ----------
    before
        What stands before the names of its files.
    """
    near = folder.parent
    images = [path for path in files.images if path.parent in (folder, near) or near in path.parents]
    inner = _beside([folder], _BESIDE)
    images += [path for path in inner.images if path not in images]
    alignments = [*inner.alignments, *(path for path in files.alignments if near in path.parents)]
    if before:
        images = [path for path in images if path.name.startswith(before)] or images
        alignments = [path for path in alignments if path.name.startswith(before)] or alignments
    keys: dict[str, Value] = {}
    hints: dict[str, str] = {}
    if len(images) == 1:
        keys["image"] = images[0]
        used.add(images[0])
    else:
        hints["image"] = f"the H&E image of the section{_choice(images)}"
    if len(alignments) == 1:
        keys["alignment"] = alignments[0]
    else:
        hints["alignment"] = f"the file that says how it lies on the morphology image{_choice(alignments)}"
    if not named(folder, before, MANIFEST).is_file():
        hints["morphology_um_per_px"] = f"0.2125, where images were not made smaller: {MANIFEST} is lost"
    of_folder = folder.parent.name if folder.name.casefold() in ("outs", "output") else folder.name
    name = as_id(before or of_folder)
    return Found(name, "xenium", folder, "an output folder of Xenium", None, keys, to_write=hints)


def _beside(folders: list[Path], suffixes: tuple[str, ...]) -> Files:
    """Return images and alignments that lie in folders which are of one kind as a whole."""
    inner = Files()
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.is_file() and path.suffix.lower() in suffixes and not is_stray(path.name):
                file_one(path, inner)
    return inner


def _choice(paths: list[Path]) -> str:
    return (
        f"; there are {', '.join(path.name for path in paths[:4])}" if paths else ", which was not found here"
    )


def _classic(files: Files, folders: list[Path], used: set[Path]) -> list[Found]:
    """Return sections of Spatial Transcriptomics: a spot file, a matrix and an image of one name."""
    found = []
    for spots in files.spots:
        root = next((folder for folder in folders if folder in spots.parents), spots.parent)
        words = set(_words(spots))
        images = [path for path in files.images if root in path.parents and words & set(_words(path))]
        tables = [path for path in files.texts if root in path.parents and words & set(_words(path))]
        if len(images) != 1 or len(tables) != 1:
            files.left_out[spots] = "a spot file without the one matrix and the one image of its name"
            continue
        common = words & set(_words(images[0])) & set(_words(tables[0]))
        if not common:
            files.left_out[spots] = "its matrix and its image have no name in common"
            continue
        used.add(images[0])
        name = as_id(max(common, key=len))
        found.append(Found(name, "st", root, "Spatial Transcriptomics", coarse=True))
    return found


def _words(path: Path) -> list[str]:
    return [word for word in re.split(r"[^A-Za-z0-9]+", stem_of(path)) if word]


def _table(path: Path, files: Files, used: set[Path]) -> list[Found]:
    """Return the samples of a table that anndata wrote; several where it holds several slides."""
    try:
        with opened_table(path) if path.is_dir() else opened_h5ad(path) as file, reading(path):
            says = {name: name in file for name in ("obs", "var", "matrix")}
            inner = {part: set(file[part]) if part in file else set() for part in ("uns", "obsm", "layers")}
            has_x = "X" in file or "counts" in inner["layers"]
        if "prestige" in inner["uns"]:
            files.left_out[path] = "predictions, which are no measurement"
            return []
        if not says["obs"]:
            files.left_out[path] = "a matrix without places" if says["matrix"] else "no table of anndata"
            return []
        if "spatial" not in inner["obsm"]:
            files.left_out[path] = "a table without places in obsm['spatial']"
            return []
        with opened_table(path) as file:
            obs, _ = read_columns(file, "obs", where=str(path), needed=set())
    except PrestigeError as error:
        files.left_out[path] = reason(error, path)
        return []
    if "slide_id" in obs and "counts" in inner["layers"]:
        return _slides_of(path, obs)
    return [_with_image(path, obs, has_x, files, used)]


def _slides_of(path: Path, obs: pd.DataFrame) -> list[Found]:
    found = []
    for slide in sorted(set(obs["slide_id"].astype(str))):
        rows = obs[obs["slide_id"].astype(str) == slide]
        hints = {
            "um_per_px": "the width of a pixel of the image that is taken",
            "image": "the full image, where you have it",
        }
        found.append(
            Found(as_id(slide), "spared", path, "a slide of a data set of SpaRED", _patient(rows),
                  {"slide": slide}, to_write=hints, coarse=True)
        )  # fmt: skip
    return found


def _with_image(path: Path, obs: pd.DataFrame, has_x: bool, files: Files, used: set[Path]) -> Found:
    near = [one for one in files.images if one.parent == path.parent]
    same = [one for one in near if stem_of(one) == stem_of(path)]
    several = sum(one.parent == path.parent for one in files.tables) > 1
    taken = same if same else ([] if several else near)
    keys: dict[str, Value] = {}
    hints: dict[str, str] = {}
    if len(taken) == 1:
        keys["image"] = taken[0]
        used.add(taken[0])
        if not _stated(files.images[taken[0]]):
            hints["um_per_px"] = _WIDTH
    else:
        hints["image"] = f"the image on which obsm['spatial'] lies, in its pixels{_choice(near)}"
    return Found(
        as_id(stem_of(path)), "anndata", path, "a table of anndata", _patient(obs), keys,
        to_write=hints, has_counts=has_x,
    )  # fmt: skip


def _patient(obs: pd.DataFrame) -> str | None:
    for name in _PATIENTS:
        if name in obs:
            values = sorted(set(obs[name].dropna().astype(str)))
            if len(values) == 1 and values[0].strip():
                return values[0].strip()
    return None


def _slide(path: Path, image: Image, files: Files) -> list[Found]:
    if min(image.width_px, image.height_px) < SMALLEST_PX:
        files.left_out[path] = f"a picture of {image.width_px} x {image.height_px} px, too small for a slide"
        return []
    if (dark := _dark(image)) is not None:
        files.left_out[path] = dark
        return []
    hints = {
        "points": f"grid, spots, or a file of places{_places_of(path)}; a grid of 50 um where nothing is said"
    }
    try:
        stated = image.stated_um()
    except DataError as error:  # whatever dataset.yaml states
        files.left_out[path] = error.what
        return []
    if not stated:
        hints["um_per_px"] = _WIDTH
    what = f"an image alone, {image.width_px:,} x {image.height_px:,} px: for prediction"
    return [Found(as_id(stem_of(path)), "slide", path, what, to_write=hints, has_counts=False)]


def _places_of(path: Path) -> str:
    """Name the files that are called after an image and may hold places."""
    there = sorted(one.name for one in path.parent.iterdir() if one.name.lower().endswith(_OF_PLACES))
    own = [name for name in there if has_word(name, stem_of(path)) and not is_stray(name)]
    return f" ({', '.join(own[:3])}, say)" if own else ""


def _dark(image: Image) -> str | None:
    """Say what is wrong with a dark image; None where it takes too long to see."""
    level = image.levels[-1]
    if level.width_px * level.height_px > _SEEN_PX:
        return None
    try:
        pixels = image.read(len(image.levels) - 1, 0, 0, level.width_px, level.height_px)
        check_brightfield(pixels, where=image.path)
    except PrestigeError as error:
        return error.faults[0].what if isinstance(error.faults[0], DataError) else str(error)
    return None


def _stated(image: Image) -> Mapping[str, float]:
    try:
        return image.stated_um()
    except PrestigeError:
        return {}
