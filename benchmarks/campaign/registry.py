"""All kinds of input.  What a new reader reads is filed here, so that it is changed too."""

from __future__ import annotations

from campaign import (
    columns,
    doors,
    folders,
    images,
    models,
    pictures,
    sections,
    space_ranger,
    stores,
    tables,
    texts,
    xenium,
)
from campaign.kinds import Kind

KINDS: tuple[Kind, ...] = (
    *(
        Kind(f"tiff-{name}", doors.samples, images.CHANGES, 3, source="hest")
        for name in ("tiles", "jpeg", "strips", "big", "ome")
    ),
    Kind("h5ad", doors.samples, tables.changes("hest/st/S1.h5ad"), 16, source="hest"),
    Kind("metadata", doors.inspect, texts.METADATA, 2, source="hest"),
    Kind("zarr2", doors.samples, stores.CHANGES, 10, source="challenge"),
    Kind("zarr3", doors.samples, stores.CHANGES, 10, source="challenge"),
    Kind("xenium", doors.samples, xenium.CHANGES, 8, source="xenium"),
    Kind("xenium-packed", doors.samples, xenium.PACKED, 6, source="xenium"),
    Kind("visium", doors.samples, space_ranger.SPOTS, 6, source="visium"),
    Kind("visium-texts", doors.samples, space_ranger.TEXTS, 4, source="visium"),
    Kind("visium-hd", doors.samples, space_ranger.BINS, 6, source="visium_hd"),
    Kind("visium-cells", doors.samples, space_ranger.CELLS, 4, source="visium_hd"),
    Kind("st", doors.samples, columns.changes("S1.tsv.gz", "S1_spots.tsv"), 4, source="st"),
    Kind("anndata", doors.samples, tables.changes("table.h5ad"), 3, source="anndata"),
    Kind("spared", doors.samples, tables.changes("table.h5ad"), 4, source="spared"),
    Kind("slide", doors.he_alone, sections.SLIDE, 5, source="slide"),
    *(
        Kind(f"picture-{name}", doors.he_alone, pictures.changes(name), 2, source="slide")
        for name in pictures.NAMES
    ),
    *(Kind(f"sdata{n}", doors.samples, stores.OF_SHAPES, 6, source="spatialdata") for n in (2, 3)),
    Kind("prepared", doors.samples, folders.PREPARED, 8, source="prepared"),
    Kind("cache", doors.samples, folders.CACHE, 6, writes=("cache",), ready=doors.samples),
    Kind("pair", doors.evaluate, tables.changes("predicted.h5ad", "truth.h5ad"), 12),
    Kind("sets", doors.sets, texts.GMT, 4),
    Kind("yaml-dataset", doors.samples, texts.changes("dataset.yaml"), 6),
    Kind("yaml-phantom", doors.phantom_settings, texts.changes("phantom.yaml"), 3),
    Kind("yaml-bench", doors.bench_settings, texts.changes("bench.yaml"), 4, heavy=True),
    Kind("yaml-run", doors.run_settings, texts.changes("run.yaml"), 4, heavy=True),
    Kind("yaml-biology", doors.biology_asked, texts.changes("biology.yaml"), 2),
    Kind("biology", doors.biology, tables.changes("predicted.h5ad", "truth.h5ad"), 2),
    Kind("bundle", doors.predict, models.BUNDLE, 6, heavy=True),
    Kind("bundle-timm", doors.predict, models.BUNDLE, 6, heavy=True),
    Kind("bundle-baseline", doors.predict, models.BUNDLE, 4, heavy=True),
    Kind("half", doors.resume, models.CHECKPOINT, 6, heavy=True, writes=("half",)),
    Kind("run", doors.again, folders.of_runs("run"), 2, heavy=True, writes=("run",)),
    Kind("bench", doors.bench_again, folders.BENCH, 3, heavy=True, writes=("bench",)),
)


def kind_of(name: str) -> Kind:
    """Return the kind of that name."""
    return next(kind for kind in KINDS if kind.name == name)
