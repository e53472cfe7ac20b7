"""``source: visium_hd``: the output of Space Ranger 3 and 4 for Visium HD.

``path`` is ``outs``, the folder above it, or one of bins.  ``bin_um`` says how wide the bins are: 8 um by
default, those of a folder or larger ones made of them; ``cells: true`` reads the cells that Space Ranger 4
segmented.  ``image`` is as of ``visium``.
"""

from __future__ import annotations

from pathlib import Path

from prestige.data.platforms.space_ranger.bins import Binned, binned, folders_of
from prestige.data.platforms.space_ranger.cells import OUTLINES, folder_of_cells
from prestige.data.platforms.space_ranger.folder import (
    HIRES,
    LOWRES,
    POSITIONS,
    SCALES,
    Folder,
    Matrices,
    matrices_in,
)
from prestige.data.platforms.space_ranger.pictures import named_picture, notes_on, picture_in
from prestige.data.platforms.space_ranger.positions import read_positions
from prestige.data.platforms.space_ranger.scales import Scales, read_scales
from prestige.data.platforms.space_ranger.tables import Files, StatedWidth, bins_table, cells_table, lie_of
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts, Table
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.inputs import plain_folder

_FIDUCIAL_UM = 330.0  # on the slides seen, within 0.3 %


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the output folder ``spec.path``.

    Raises
    ------
    DataError
        For missing or broken files, bins that are not there, an image that does not belong to the places.
    """
    where = f"sample '{spec.id}'"
    if spec.cells and spec.bin_um is not None:
        raise DataError(
            "asks for cells and for bins", where=where, remedy="write cells: true or bin_um:, not both"
        )
    plain_folder(spec.path, expected="the output of Visium HD", remedy="check path: in dataset.yaml")
    bins = None if spec.cells else binned(folders_of(spec.path), spec.bin_um, spec.path)
    folder = Folder(_cells_folder(spec.path) if bins is None else bins.folder, spec.id)
    files = _files(folder, OUTLINES if bins is None else POSITIONS, "bc" if bins else "cell")
    assert files.scales is not None  # `_files` needs them
    scales = read_scales(files.scales)
    _check_width(bins, scales, files.scales)
    near = _with_pictures(folder)
    picture = named_picture(spec.image, near, scales) if spec.image else picture_in(near, scales, where=where)
    stated = [(by, um / picture.scale) for by, um in _stated_um(scales, files, bins)]
    notes = notes_on(picture, stated)

    def table() -> Table:
        if bins is None:
            return cells_table(files, picture, notes, where=where)
        width = StatedWidth(scales.um_per_px, spec.trust_um_per_px)
        return bins_table(files, bins, width, picture, notes, where=where)

    return prepare_with_image(
        spec,
        cache_dir,
        source="visium_hd/2",
        image=picture.image,
        table_files=files.by_role,
        read_table=table,
        stated_um=stated,
        platform=f"Visium HD{files.matrices.software}",
        rules=_rules(bins, spec.trust_um_per_px),
    )


def _rules(bins: Binned | None, trusted: bool) -> tuple[str, ...]:
    if bins is None:
        return ("cells",)
    return (f"{bins.bin_um} um of {bins.of_um}", *(["trusted width"] if trusted else []))


def _cells_folder(path: Path) -> Path:
    found = folder_of_cells(path)
    if found is None:
        raise DataError(
            "has no folder segmented_outputs",
            where=path,
            expected="the output of Space Ranger 4, which segments cells",
            remedy="take cells: away to read bins",
        )
    return found


def _files(folder: Folder, names: tuple[str, ...], thing: str) -> Files:
    found = [
        folder.need(names, "outlines of cells" if thing == "cell" else "positions of bins"),
        folder.need(SCALES, "scale factors"),
        matrices_in(folder, thing),
    ]
    raise_all([one for one in found if isinstance(one, PrestigeError)])
    places, scales, matrices = found
    assert isinstance(places, Path)
    assert isinstance(scales, Path)
    assert isinstance(matrices, Matrices)
    return Files(places, scales, matrices)


def _with_pictures(own: Folder) -> Folder:
    """Return the folder whose pictures are read: that of the bins or cells, else the one of the output."""
    root = own.root
    above = Folder(root.parents[1] if root.parent.name == "binned_outputs" else root.parent, own.sample)
    names = (HIRES, LOWRES)
    return own if own.find(names, packed=False) or not above.find(names, packed=False) else above


def _check_width(bins: Binned | None, scales: Scales, path: Path) -> None:
    if bins is not None and scales.bin_um is not None and scales.bin_um != bins.of_um:
        raise DataError(
            f"states bins of {scales.bin_um:g} um, in a folder of bins of {bins.of_um} um",
            where=path,
            expected="the scale factors of this folder",
            remedy="copy the folder again",
        )


def _stated_um(scales: Scales, files: Files, bins: Binned | None) -> list[tuple[str, float]]:
    """Return the widths of a full-resolution pixel that the export states, the surest first."""
    stated = []
    if scales.um_per_px is not None:
        stated.append(("microns_per_pixel of the export", scales.um_per_px))
    elif bins is not None:
        lie = lie_of(read_positions(files.places, barcodes=False), bins.pitch_um, files.places)
        stated += [("the pitch of the bins", lie.um_per_px)] if lie is not None else []
    if scales.fiducial_px is not None:
        stated.append(("the fiducials of 330 um", _FIDUCIAL_UM / scales.fiducial_px))
    return stated
