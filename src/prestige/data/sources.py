"""The sources that a dataset.yaml may name, and the keys that each of them takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One kind of source: a file of the same name in ``readers`` reads it.

    Parameters
    ----------
    what
        What ``path:`` names, in a few words.
    needs, takes
        Keys of a sample besides those that all have: the ones that have to be there, and further ones.
    """

    what: str
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """All of its own keys."""
        return (*self.needs, *self.takes)


SOURCES: Mapping[str, Source] = {
    "challenge": Source(
        "a SpatialData store of the challenge", takes=("table", "expression", "image_element")
    ),
    "hest": Source("the root folder of HEST-1k", takes=("table", "icc")),
    "prepared": Source("a folder that was prepared before"),
    "xenium": Source(
        "an output folder of a Xenium instrument or of Xenium Ranger",
        needs=("image",),
        takes=("alignment", "trust_alignment", "counts_of", "centre_of", "morphology_um_per_px", "icc"),
    ),
    "anndata": Source("a table that anndata wrote, .h5ad or zarr", needs=("image",), takes=("icc",)),
    "slide": Source("an H&E image, for prediction alone", takes=("points", "points_unit", "icc")),
    "spared": Source("a table of SpaRED, or its folder", takes=("slide", "image", "icc")),
    "st": Source(
        "the folder of classic Spatial Transcriptomics",
        takes=("table", "spots", "image", "symbols", "pitch_um", "icc"),
    ),
    "spatialdata": Source(
        "a SpatialData store", takes=("table", "region", "image_element", "coordinate_system")
    ),
    "visium": Source("an output folder of Space Ranger for Visium", takes=("image", "icc")),
    "visium_hd": Source(
        "an output folder of Space Ranger for Visium HD", takes=("image", "bin_um", "cells", "icc")
    ),
}
"""Name -> source: what ``source:`` may be."""
