"""What readers of a table and an image have in common: pixel size, pixels under the places, the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from prestige.data.cache import Recipe, prepare
from prestige.data.prepared import Prepared
from prestige.data.sample import Table
from prestige.data.slides.colours import in_srgb
from prestige.data.slides.images import Image
from prestige.data.slides.pixel_size import MOST_APART, settled_um
from prestige.data.spec import SampleSpec
from prestige.errors import DataError
from prestige.text import some


def prepare_with_image(
    spec: SampleSpec,
    cache_dir: Path,
    *,
    source: str,
    image: Image,
    table_files: Mapping[str, Path],
    read_table: Callable[[], Table],
    stated_um: Sequence[tuple[str, float]] = (),
    most_apart: float = MOST_APART,
    image_states_beside_yaml: bool = True,
    rules: tuple[str, ...] = (),
    platform: str = "",
) -> Prepared:
    """Return the prepared sample of an image file and what lies beside it.

    Parameters
    ----------
    spec, cache_dir
        As of every reader.
    source
        Name of the reader and version of what it makes: "xenium/1".
    table_files
        Role -> file or folder on whose content the table depends.
    read_table
        Reads the table, with centres in pixels of the image's largest level.
    stated_um
        Widths of a pixel that the platform's own files state, by what states them ("the alignment"): they go
        before what the image states, and after dataset.yaml.
    most_apart
        How far such widths may lie apart.
    image_states_beside_yaml
        Whether the width that the image states is the source's where dataset.yaml states one.
    rules
        Choices of dataset.yaml on which the table depends, as of :class:`prestige.data.cache.Recipe`.
    platform
        The platform and its version, as its files name them.

    Raises
    ------
    DataError
        When widths contradict each other or nobody states one, or places lie where the image has no pixels.
    """
    return prepare_on_pixels(
        spec,
        cache_dir,
        source=source,
        image=image,
        table_files=table_files,
        read_table=lambda _: read_table(),
        stated_um=stated_um,
        most_apart=most_apart,
        image_states_beside_yaml=image_states_beside_yaml,
        rules=rules,
        platform=platform,
    )


def prepare_on_pixels(
    spec: SampleSpec,
    cache_dir: Path,
    *,
    source: str,
    image: Image,
    table_files: Mapping[str, Path],
    read_table: Callable[[UInt8[np.ndarray, "height width 3"]], Table],
    stated_um: Sequence[tuple[str, float]] = (),
    most_apart: float = MOST_APART,
    image_states_beside_yaml: bool = True,
    rules: tuple[str, ...] = (),
    platform: str = "",
) -> Prepared:
    """Return the prepared sample of an image and a table that depends on its pixels; all else likewise.

    Raises
    ------
    DataError
        Likewise.
    """
    where = f"sample '{spec.id}'"
    image = in_srgb(image) if spec.icc else image
    of_image = [(f"the {what} of {image.path.name}", um) for what, um in image.stated_um().items()]
    given = [("dataset.yaml", spec.um_per_px)] if spec.um_per_px else []
    stated = [*given, *stated_um, *of_image]
    own = [*stated_um, *(of_image if image_states_beside_yaml or not given else ())]
    _, notes = settled_um(stated, where=where, trusted=spec.trust_um_per_px, most_apart=most_apart)
    prepared = prepare(
        Recipe(
            source=f"{source}, sRGB" if spec.icc else source,
            where=where,
            slide_files=image.files,
            table_files=table_files,
            write_slide=image.write,
            read_table=lambda pixels: on_image(read_table(pixels), image),
            um_per_px=own[0][1] if own else None,
            rules=rules,
        ),
        cache_dir,
    )
    table = replace(
        prepared.table,
        notes=(*prepared.table.notes, *notes),
        platform=platform,
        um_per_px_from=own[0][0] if own else "",
    )
    return replace(prepared, table=table)


def on_image(table: Table, image: Image) -> Table:
    """Return a table with what is to be said of its image.

    Raises
    ------
    DataError
        When observations lie where the image has no pixels.
    """
    blank, words = image.on_no_pixels(table.xy_px)
    if len(blank):
        raise DataError(
            f"the image is sparse ({words}), and observations lie where it has no pixels: "
            f"{some(table.obs.index[blank])}",
            where=image.path,
            expected="pixels under every observation",
            remedy="take these rows off the table, or save the image with all its pixels",
        )
    return replace(table, notes=(*table.notes, *image.notes))
