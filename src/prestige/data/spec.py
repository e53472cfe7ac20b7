"""dataset.yaml: which samples there are, where they lie and whose they are."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from prestige.data.points.lattice import Lattice, lattice_of
from prestige.data.sources import SOURCES
from prestige.settings import Misfits, Settings
from prestige.text import look_alike

UNFILLED = "?"
"""Stands for a patient whom no file names; dataset.yaml is refused while it stands there."""

_LONGEST_NAME = 200  # a file is called after it


def _of_file(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) or len(name) > _LONGEST_NAME:
        raise ValueError(
            f"expected letters, digits, '_', '-' and '.', a letter or digit first, {_LONGEST_NAME} at most"
        )
    return name


def _printable(name: str) -> str:
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise ValueError(f"expected 1 to {_LONGEST_NAME} characters that can be printed, and no blanks alone")
    return name


def _filled_in(name: str) -> str:
    if name.strip() == UNFILLED:
        raise ValueError(f"fill it in: write whose tissue it is in place of '{UNFILLED}'")
    return _printable(name)


def _title(name: str) -> str:
    if "/" in name or "\\" in name or name.startswith((".", "-", "~")):
        raise ValueError(
            "expected a name without / and \\ that does not begin with '.', '-' or '~': folders bear it"
        )
    return _printable(name)


def _below(name: str) -> str:
    if name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts or not name:
        raise ValueError("expected a name below the sample's path, without '..'")
    return name


Name = Annotated[str, AfterValidator(_of_file)]
"""A name after which files are called."""

Label = Annotated[str, AfterValidator(_printable)]
"""A name that people gave to something; no file is called after it."""

Patient = Annotated[str, AfterValidator(_filled_in)]
"""The name of a person or animal; '?' stands where nobody has written it yet."""

Title = Annotated[str, AfterValidator(_title)]
"""A name that people gave to a study; a folder in the working folder may be called after it."""


_OWN_KEYS = tuple(dict.fromkeys(key for source in SOURCES.values() for key in source.keys))


class SampleSpec(Settings):
    """One sample as dataset.yaml names it.

    Parameters
    ----------
    id
        Name of the sample, unique in the data set; also the name of its prediction file.
    source
        The reader, one of :data:`prestige.data.sources.SOURCES`, which say what else a sample of it takes.
    path
        The store, folder or file that the reader expects.
    patient
        Whose tissue it is: never on two sides of a split.
    expression
        A further ``.h5ad`` of raw counts, joined on the observation's id.
    table
        The table to take, where a source holds several.
    um_per_px
        Width of a slide pixel in micrometres; overrides what the source says.
    trust_um_per_px
        Whether it holds though the source or the image states another width.
    prediction_only
        Whether it is there to be predicted alone: training, splits and scores leave it out.
    icc
        Whether the colours of the image are taken to sRGB by the ICC profile that it brings.
    image
        The H&E image, where it lies beside what ``path`` names.
    alignment
        How the image lies on the one that the instrument took: a file of a matrix or of keypoints, or
        ``identity`` where they have the same pixels.
    trust_alignment
        Whether it holds though many cells lie beside the image, which shows a part of the section.
    counts_of, centre_of
        Whether counts, and centres, are those of cells (by default) or of their nuclei.
    morphology_um_per_px
        Width of a pixel of the image that the instrument took, where its output folder does not say it.
    spots
        The spot file, which says where the spots of an array lie on the image.
    symbols
        A table of Ensembl ids and symbols, by which genes are called.
    pitch_um
        Distance of neighbouring spots of an array, where it is none that is known.
    image_element, region
        Names of elements of a store: the H&E image, and the shapes or labels that the table describes.
    coordinate_system
        The system of a store through which these lie on the image.
    slide
        Which slide of a table of several.
    points
        Where expression is predicted on an image alone: ``grid`` or ``spots`` over the tissue, also with a
        ``spacing_um``, or a file of places (csv, tsv, parquet, GeoJSON) or of labels (.tif, .npy).
    points_unit
        What x and y in that file are, where their names do not say it: ``px`` or ``um``.
    bin_um
        Width of the bins of Visium HD in micrometres: one that is there, or a multiple of one.
    cells
        Whether the cells are read that Space Ranger segmented, in place of bins.
    covariates
        Anything else known of the sample (``condition: inflamed``).
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: Name
    source: str
    path: Path
    patient: Patient
    expression: Path | None = None
    table: Annotated[str, AfterValidator(_below)] | None = None
    um_per_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    trust_um_per_px: bool = False
    prediction_only: bool = False
    image: Path | None = None
    icc: bool | None = None
    alignment: Literal["identity"] | Path | None = None
    trust_alignment: bool | None = None
    counts_of: Literal["cell", "nucleus"] | None = None
    centre_of: Literal["cell", "nucleus"] | None = None
    morphology_um_per_px: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    spots: Path | None = None
    symbols: Path | None = None
    pitch_um: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    image_element: Annotated[str, AfterValidator(_below)] | None = None
    region: Annotated[str, AfterValidator(_below)] | None = None
    coordinate_system: Label | None = None
    slide: Label | None = None
    points: Annotated[Lattice | Path, BeforeValidator(lattice_of)] | None = None
    points_unit: Literal["px", "um"] | None = None
    bin_um: Annotated[int, Field(ge=1, le=1000)] | None = None
    cells: bool | None = None
    covariates: dict[str, str] = Field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Files and folders that are read as they stand: nothing is to be written into them."""
        # A root folder holds the samples beside whatever else the user keeps there.
        is_root = self.source == "hest" and self.path.is_dir()
        parts = [self.path / name for name in ("wsis", "st", "metadata")] if is_root else [self.path]
        return (*parts, *(path for name, path in self.paths.items() if name != "path"))

    @property
    def paths(self) -> dict[str, Path]:
        """All paths that are given, by their keys."""
        given = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in given.items() if isinstance(value, Path)}

    @property
    def misfits(self) -> list[tuple[str, str]]:
        """Keys that its source does not take, or needs and does not have, each with a sentence."""
        source = SOURCES.get(self.source)
        if source is None:  # told by whoever looks for its reader
            return []
        given = {name for name in _OWN_KEYS if getattr(self, name) is not None}
        faults = []
        for key in sorted(given - set(source.keys)):
            whose = [name for name, one in SOURCES.items() if key in one.keys]
            words = f"has no meaning for source: {self.source}, only for {', '.join(whose)}"
            faults.append((key, f"{words}; take the line away"))
        for key in sorted(set(source.needs) - given):
            faults.append((key, f"is missing, and source: {self.source} needs it"))
        return faults


class DatasetConfig(Settings):
    """A data set: a name and its samples, every id once."""

    name: Name
    samples: Annotated[tuple[SampleSpec, ...], Field(min_length=1)]

    @property
    def inputs(self) -> tuple[Path, ...]:
        """What is read of all samples."""
        return tuple(path for sample in self.samples for path in sample.inputs)

    @model_validator(mode="after")
    def _names_differ(self) -> DatasetConfig:
        ids = [sample.id for sample in self.samples]
        patients = [sample.patient for sample in self.samples]
        first: dict[str, int] = {}
        faults = [
            (("samples", place, key), words)
            for place, sample in enumerate(self.samples)
            for key, words in sample.misfits
        ]
        faults += [
            (
                ("samples", place, "id"),
                f"the sample id '{name}' is given more than once; expected every id once",
            )
            for place, name in enumerate(ids)
            if first.setdefault(name, place) != place
        ]
        for key, names in (("id", ids), ("patient", patients)):
            for one, other in look_alike(names):
                words = f"differs from '{one}' by blanks or case only; write one name in one way"
                faults.append((("samples", names.index(other), key), f"'{other}' {words}"))
        if faults:
            raise Misfits(faults)
        return self
