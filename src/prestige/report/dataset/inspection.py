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

from prestige.compute.files import whole_file
from prestige.compute.outputs import check_folder, refuse_foreign
from prestige.compute.ownership import MARK
from prestige.compute.progress import Progress
from prestige.data.dataset import DatasetConfig, SampleSpec, shared_slides, try_sample
from prestige.data.sample import Sample, bare_glass, has_counts
from prestige.data.together.alignment import alignment_of
from prestige.errors import PrestigeError, one_line
from prestige.report.dataset.page import PAGE, is_page, section_of, write_page
from prestige.report.spreadsheet import for_spreadsheets
from prestige.text import aligned

COLUMNS = (
    "id", "patient", "source", "n_obs", "n_measured", "genes", "width_px", "height_px",
    "um_per_px", "um_per_px_assumed", "median_counts", "faults", "notes", "overlay", "alignment",
)  # fmt: skip
_CSV, _OURS = "inspection.csv", ("inspection.csv", PAGE, "*.png")
_WITHOUT = "it has no counts: it can be predicted, not trained on, split or scored"


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
    """Write the picture of a sample."""
    from prestige.report.dataset.quarters import draw_quarters
    from prestige.report.style import drawing, tame_text

    path = out / f"{sample.id}.png"
    with drawing():
        figure = draw_quarters(sample)
        tame_text(figure)
        with whole_file(path) as partial:
            figure.savefig(partial, format="png", dpi=150, metadata={"Software": MARK})
    return path
