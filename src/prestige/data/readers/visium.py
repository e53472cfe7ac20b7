"""``source: visium``: the output of Space Ranger 1 to 4 for Visium, CytAssist among it.

``path`` is ``outs``, the folder above it, or one with ``spatial/`` and the matrix beside it; names may carry
that of the sample before them.  ``image`` is the full-resolution image that Space Ranger was given; without
it the hires (else lowres) picture of the folder is read, and a note says how coarse it is.
"""

from __future__ import annotations

from pathlib import Path

from prestige.data.platforms.space_ranger.bins import is_binned
from prestige.data.platforms.space_ranger.cells import folder_of_cells
from prestige.data.platforms.space_ranger.folder import POSITIONS, SCALES, Folder, Matrices, matrices_in
from prestige.data.platforms.space_ranger.pictures import named_picture, notes_on, picture_in
from prestige.data.platforms.space_ranger.pitch import SPOTS_UM, Lie
from prestige.data.platforms.space_ranger.positions import check_agreement, read_positions
from prestige.data.platforms.space_ranger.scales import Scales, read_scales
from prestige.data.platforms.space_ranger.tables import Files, lie_of, spots_table
from prestige.data.prepared import Prepared
from prestige.data.readers.with_image import prepare_with_image
from prestige.data.sample import Counts
from prestige.data.spec import SampleSpec
from prestige.errors import DataError, PrestigeError, raise_all
from prestige.inputs import plain_folder

_FIDUCIAL_UM = 105.0  # on slides of all versions, within 0.3 %


def read(spec: SampleSpec, cache_dir: Path, counts: Counts = "needed") -> Prepared:
    """Prepare the output folder ``spec.path``.

    Raises
    ------
    DataError
        For missing or broken files, an image that does not belong to the places, barcodes without a place.
    """
    where = f"sample '{spec.id}'"
    plain_folder(spec.path, expected="the output of Space Ranger", remedy="check path: in dataset.yaml")
    folder = Folder(spec.path, spec.id)
    _refuse_hd(spec.path)
    found = [
        folder.need(POSITIONS, "positions of spots"),
        _scale_factors(folder, spec.image),
        matrices_in(folder),
    ]
    raise_all([one for one in found if isinstance(one, PrestigeError)])
    places, scales_path, matrices = found
    assert isinstance(places, Path)
    assert isinstance(scales_path, Path | None)
    assert isinstance(matrices, Matrices)
    files = Files(places, scales_path, matrices)
    positions = read_positions(places)
    check_agreement(positions, places, folder.beside(POSITIONS, places))
    scales = read_scales(scales_path) if scales_path else Scales(None, None, None, None, None)
    lie = lie_of(positions, SPOTS_UM, places)
    if spec.image is not None:
        picture = named_picture(spec.image, folder, scales)
    else:
        picture = picture_in(folder, scales, places=positions.tissue, where=where)
    stated = [(by, um / picture.scale) for by, um in _stated_um(lie, scales)]
    notes = notes_on(picture, stated)
    return prepare_with_image(
        spec,
        cache_dir,
        source="visium/2",
        image=picture.image,
        table_files=files.by_role,
        read_table=lambda: spots_table(files, positions, lie, picture, notes, where=where),
        stated_um=stated,
        platform=f"Visium{matrices.software}",
    )


def _scale_factors(folder: Folder, image: Path | None) -> Path | DataError | None:
    """Return the scale factors, which a full-resolution image that is named does not need, or the fault."""
    found = folder.need(SCALES, "scale factors")
    if isinstance(found, Path) or folder.holds(SCALES):
        return found
    if image is not None:
        return None
    needs_none = "name the full-resolution image (image:), which needs none"
    remedy = found.remedy if str(found.remedy).endswith("?") else f"{found.remedy}; else {needs_none}"
    return DataError(found.what, where=found.where, expected=found.expected, remedy=remedy)


def _refuse_hd(path: Path) -> None:
    cells = folder_of_cells(path)
    if cells is not None or is_binned(path):
        raise DataError(
            "is the output of Visium HD",
            where=path,
            expected="Visium",
            remedy="write source: visium_hd" + (", and cells: true" if cells == path else ""),
        )


def _stated_um(lie: Lie | None, scales: Scales) -> list[tuple[str, float]]:
    """Return the widths of a full-resolution pixel that the export states, the surest first."""
    stated = [] if lie is None else [("the 100 um pitch of the spots", lie.um_per_px)]
    if scales.fiducial_px is not None:
        stated.append(("the fiducials of 105 um", _FIDUCIAL_UM / scales.fiducial_px))
    return stated
