"""What a data set holds, before anything is trained on it: a table of samples, and a picture of each.

The picture shows whether table and image belong together: centres that miss the tissue, are mirrored or
shifted, are seen at a glance on the whole slide, and a shift of a few cells in the crops.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from prestige.compute.files import whole_file
from prestige.compute.outputs import check_folder, refuse_foreign
from prestige.compute.ownership import MARK
from prestige.compute.progress import Progress
from prestige.data.dataset import DatasetConfig, SampleSpec, shared_slides, try_sample
from prestige.data.sample import Sample, bare_glass, has_counts
from prestige.data.together.alignment import alignment_of
from prestige.errors import PrestigeError, one_line
from prestige.report.dataset.page import PAGE, is_page, section_of, write_page
from prestige.report.dataset.thumbnails import thumbnail
from prestige.report.spreadsheet import for_spreadsheets
from prestige.text import aligned, round_length

COLUMNS = (
    "id", "patient", "source", "n_obs", "n_measured", "genes", "width_px", "height_px",
    "um_per_px", "um_per_px_assumed", "median_counts", "faults", "notes", "overlay", "alignment",
)  # fmt: skip
_CSV, _OURS = "inspection.csv", ("inspection.csv", PAGE, "*.png")
_THUMBNAIL_PX = 1400
_DOTS = 4000  # on the whole slide; more would hide the tissue they should lie on
_CROPS = 4
_CROP_SPACINGS = 12  # width of a crop in distances between neighbours
_WITHOUT = "it has no counts: it can be predicted, not trained on, split or scored"
_MEASURED, _UNMEASURED = "#00E5FF", "#FFE100"


@dataclass(frozen=True)
class Inspection:
    """The samples of a data set, a mapping of :data:`COLUMNS` each; its string is a table.

    Parameters
    ----------
    rows
        One a sample. ``faults`` and ``notes`` are tuples of sentences, ``overlay`` is the picture's path,
        ``alignment`` an :class:`~prestige.data.together.alignment.Alignment`.
    page
        The page about them.
    """

    rows: tuple[dict[str, Any], ...]
    page: Path | None = None

    @property
    def faults(self) -> tuple[str, ...]:
        """All faults of all samples; empty when the data set can be used."""
        return tuple(fault for row in self.rows for fault in row["faults"])

    def __str__(self) -> str:
        return "\n".join([*_lines(self.rows), *([] if self.page is None else [f"page   {self.page}"])])


def inspect(config: DatasetConfig, out: Path | None = None) -> Inspection:
    """Open every sample, list what it holds and every fault, and draw the observations over each image.

    Parameters
    ----------
    config
        The data set.
    out
        Folder for ``index.html``, ``inspection.csv`` and ``<sample>.png``; nothing is written when None.

    Raises
    ------
    PrestigeError
        Only for what is no fault of a sample, like a cache that cannot be written, or a folder ``out`` that
        holds what no inspection wrote.

    Examples
    --------
    >>> import prestige
    >>> inspection = prestige.inspect(prestige.read_dataset("phantom/dataset.yaml"))
    >>> inspection.faults
    ()
    """
    files = [_CSV, PAGE, *(f"{spec.id}.png" for spec in config.samples)]
    if out is not None:
        check_folder(out, inputs=config.inputs, files=files)
        refuse_foreign(out, files, ours=_OURS, known=_is_ours, what="inspection")
    rows, opened, shown = [], [], []
    with Progress(f"inspecting {config.name}", len(config.samples)) as progress:
        for spec in config.samples:
            sample, faults = try_sample(spec, counts="optional")
            if sample is not None:
                known = len(shared_slides(opened))
                opened.append(sample)
                faults = shared_slides(opened)[known:]
            picture = _draw(sample, out) if out is not None and sample is not None else None
            rows.append(_row(spec, sample, faults, picture))
            if out is not None:
                shown.append(section_of(spec, sample, rows[-1]))
            progress.advance(note=spec.id)
    result = Inspection(tuple(rows))
    if out is not None:
        _write_csv(result, out)
        write_page(out, config.name, shown)
    return replace(result, page=out / PAGE) if out is not None else result


def _row(
    spec: SampleSpec, sample: Sample | None, faults: list[PrestigeError], picture: Path | None
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row.update(id=spec.id, patient=spec.patient, source=spec.source)
    row.update(faults=tuple(str(fault) for fault in faults), notes=(), overlay=picture)
    if sample is not None:
        totals = sample.obs["total_counts"].to_numpy()[sample.measured]
        further = [note for note in (None if has_counts(sample) else _WITHOUT, bare_glass(sample)) if note]
        row.update(
            n_obs=sample.n_obs,
            n_measured=len(totals),
            genes=len(sample.genes),
            width_px=sample.slide.width_px,
            height_px=sample.slide.height_px,
            um_per_px=sample.um_per_px,
            um_per_px_assumed=sample.slide.um_per_px_assumed,
            median_counts=float(np.median(totals)) if len(totals) else None,
            notes=(*sample.notes, *further),
            alignment=alignment_of(sample),
        )
    return row


def _lines(rows: tuple[dict[str, Any], ...]) -> Iterator[str]:
    head = ("sample", "patient", "source", "observations", "measured", "genes", "image px", "um/px")
    yield from aligned([(*head, "median counts"), *(_cells(row) for row in rows)])
    for row in rows:
        yield from (f"note   {row['id']}: {one_line(note)}" for note in row["notes"])
        if row["alignment"] is not None and row["alignment"].better is not None:
            yield f"flag   {row['id']}: {row['alignment'].text}"
        if row["overlay"] is not None:
            yield f"image  {row['id']}: {row['overlay']}"
    for row in rows:
        yield from (f"fault  {fault}" for fault in row["faults"])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    names = (row["id"], row["patient"], row["source"])
    if row["n_obs"] is None:
        return (*names, *("-",) * 6)
    return (
        *names,
        f"{row['n_obs']:,}",
        f"{row['n_measured']:,}",
        f"{row['genes']:,}",
        f"{row['width_px']:,} x {row['height_px']:,}",
        f"{row['um_per_px']:g}{' (assumed)' if row['um_per_px_assumed'] else ''}",
        "-" if row["median_counts"] is None else f"{row['median_counts']:,.0f}",
    )


def _write_csv(result: Inspection, out: Path) -> None:
    flat = [
        {
            **row,
            "faults": " | ".join(row["faults"]),
            "notes": " | ".join(row["notes"]),
            "alignment": row["alignment"] and row["alignment"].text,
        }
        for row in result.rows
    ]
    with whole_file(out / _CSV) as partial:
        for_spreadsheets(pd.DataFrame(flat, columns=pd.Index(COLUMNS))).to_csv(partial, index=False)


def _is_ours(path: Path) -> bool:
    """Return whether a file is the table or the page of an inspection."""
    if path.name == PAGE:
        return is_page(path)
    try:
        with path.open(encoding="utf-8") as file:
            return file.readline(1000).startswith(",".join(COLUMNS[:4]))
    except (OSError, UnicodeDecodeError):
        return False


def _draw(sample: Sample, out: Path) -> Path:
    """Write the overlay picture of a sample: the whole slide, and crops at full resolution."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from prestige.report.style import drawing_text, tame_text

    slide = sample.slide
    tall = slide.height_px > 1.3 * slide.width_px
    figure = Figure(figsize=(14, 8.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    parts: Any = figure.subfigures(1, 2, width_ratios=(0.7, 1) if tall else (1, 0.85))
    left, right = parts
    assumed = " (assumed)" if slide.um_per_px_assumed else ""
    path = out / f"{sample.id}.png"
    with drawing_text():
        _whole(left.subplots(), sample)
        width_px = crop_width(sample)
        for axes, centre in zip(right.subplots(2, 2).flat, crop_centres(sample), strict=False):
            _crop(axes, sample, centre, width_px)
        figure.suptitle(
            f"{sample.id}, patient {sample.patient}: {sample.n_obs:,} observations "
            f"({int(sample.measured.sum()):,} measured, blue; others yellow), {slide.um_per_px:g} um/px"
            f"{assumed}"
        )
        tame_text(figure)
        with whole_file(path) as partial:
            figure.savefig(partial, format="png", metadata={"Software": MARK})
    return path


def _whole(axes: Any, sample: Sample) -> None:
    step = max(1, -(-max(sample.slide.height_px, sample.slide.width_px) // _THUMBNAIL_PX))
    extent = (-0.5, sample.slide.width_px - 0.5, sample.slide.height_px - 0.5, -0.5)
    axes.imshow(thumbnail(sample.slide.pixels, step), extent=extent, interpolation="nearest")
    shown = np.random.default_rng(0).permutation(sample.n_obs)[:_DOTS]
    _dots(axes, sample.xy_px[shown], sample.measured[shown], size=1.5)
    _scale_bar(axes, sample.slide.width_px, sample.um_per_px)
    axes.set_title(f"whole slide, {len(shown):,} of {sample.n_obs:,} centres", fontsize=9, loc="left")


def _crop(axes: Any, sample: Sample, centre: Float[np.ndarray, "2"], width_px: int) -> None:
    slide = sample.slide
    size = np.minimum(width_px, (slide.width_px, slide.height_px))
    x0, y0 = np.clip(np.rint(centre - size / 2), 0, (slide.width_px, slide.height_px) - size).astype(int)
    x1, y1 = int(x0 + size[0]), int(y0 + size[1])
    axes.imshow(
        slide.pixels[y0:y1, x0:x1], extent=(x0 - 0.5, x1 - 0.5, y1 - 0.5, y0 - 0.5), interpolation="nearest"
    )
    inside = ((sample.xy_px >= (x0, y0)) & (sample.xy_px <= (x1 - 1, y1 - 1))).all(axis=1)
    _dots(axes, sample.xy_px[inside], sample.measured[inside], size=14.0)
    axes.set_xlim(x0 - 0.5, x1 - 0.5)
    axes.set_ylim(y1 - 0.5, y0 - 0.5)
    _scale_bar(axes, int(size[0]), sample.um_per_px)
    axes.set_title(f"x {x0:,} to {x1:,}, y {y0:,} to {y1:,} px", fontsize=8, loc="left")


def _dots(axes: Any, xy: Float[np.ndarray, "n 2"], measured: Bool[np.ndarray, "n"], *, size: float) -> None:
    for chosen, colour in ((~measured, _UNMEASURED), (measured, _MEASURED)):
        axes.scatter(*xy[chosen].T, s=size, c=colour, edgecolors="black", linewidths=0.05 * size**0.5 + 0.1)
    axes.set_xticks([])
    axes.set_yticks([])


def _scale_bar(axes: Any, width_px: int, um_per_px: float) -> None:
    """Draw a bar of a round length, about a quarter of the picture, in the lower left."""
    length_um = round_length(0.25 * width_px * um_per_px)
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    x, y = x0 + 0.04 * (x1 - x0), y0 + 0.05 * (y1 - y0)
    for colour, thickness in (("white", 6), ("black", 3)):
        axes.plot(
            [x, x + length_um / um_per_px], [y, y], color=colour, linewidth=thickness, solid_capstyle="butt"
        )
    text = f"{length_um:g} um" if length_um < 1000 else f"{length_um / 1000:g} mm"
    box = {"facecolor": "white", "alpha": 0.8, "pad": 1.5, "linewidth": 0}
    axes.text(x, y + 0.025 * (y1 - y0), text, fontsize=8, va="bottom", bbox=box)


def crop_width(sample: Sample) -> int:
    """Return a width of crops, in pixels, that shows some tens of observations."""
    from scipy.spatial import KDTree

    if sample.n_obs < 2:
        return 256
    asked = np.random.default_rng(0).permutation(sample.n_obs)[:2000]
    distances = np.asarray(KDTree(sample.xy_px).query(sample.xy_px[asked], k=2)[0])
    return int(np.clip(_CROP_SPACINGS * np.median(distances[:, 1]), 32, 2048))


def crop_centres(sample: Sample) -> list[Float[np.ndarray, "2"]]:
    """Return up to four places with measured observations (with any where none is), one a quarter."""
    measured = sample.xy_px[sample.measured if sample.measured.any() else slice(None)]
    right, below = (measured > np.median(measured, axis=0)).T
    centres = []
    for quarter in (~right & ~below, right & ~below, ~right & below, right & below)[:_CROPS]:
        if quarter.any():
            there = measured[quarter]
            middle = np.median(there, axis=0)
            centres.append(there[np.argmin(((there - middle) ** 2).sum(axis=1))])
    return centres
