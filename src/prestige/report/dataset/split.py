"""What a split does to the tissue, before anything is trained: sides, distances, the audit, a map."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch as Swatch

from prestige.compute.files import whole_file
from prestige.compute.outputs import check_folder, refuse_foreign
from prestige.compute.ownership import is_marked
from prestige.config import read_bench
from prestige.data.dataset import dataset_inputs, open_dataset, read_dataset
from prestige.data.fold import audited_folds, widest_um
from prestige.data.split.audit import Audit
from prestige.data.split.folds import Fold
from prestige.data.split.sides import SIDE_NAMES, TEST, TRAIN, UNUSED, VALIDATION
from prestige.report.style import drawing, write_figure
from prestige.report.tissue import draw_scale_bar, draw_tissue, raster
from prestige.text import aligned

SIDE_COLOURS = {TRAIN: "#0072B2", VALIDATION: "#E69F00", TEST: "#D55E00", UNUSED: "#B0B4BB"}
"""Of Okabe and Ito; what is on no side is grey."""

MOST_SAMPLES = 8
_PER_ROW = 4
_OURS = ("fold-*.png", "fold-*.svg")


@dataclass(frozen=True, eq=False)
class SplitInspection:
    """The folds of a bench and their audit; its string is what `prestige split` prints."""

    name: str
    folds: tuple[Fold, ...]
    audit: Audit
    pictures: tuple[Path, ...]

    def __str__(self) -> str:
        return "\n".join(_lines(self))


def inspect_split(bench: Path, out: Path | None = None) -> SplitInspection:
    """Make the folds of BENCH.yaml, audit them, and draw which tissue is on which side.

    Parameters
    ----------
    bench
        The yaml of a bench.
    out
        Folder for ``fold-K.png`` and ``fold-K.svg``; nothing is written when None.

    Raises
    ------
    PrestigeError
        When the settings or the data are wrong, a fold cannot be made, or ``out`` holds what no split wrote.
        What the audit finds is in the result and raises nothing.
    """
    config = read_bench(Path(bench))
    if out is not None:
        check_folder(out, inputs=[Path(bench), *dataset_inputs(config.dataset)])
        refuse_foreign(out, _files(1), ours=_OURS, known=is_marked, what="split")
    dataset = open_dataset(read_dataset(config.dataset))
    largest = widest_um(config.patches, dataset.samples)
    folds, audit = audited_folds(dataset.samples, config.split, largest_patch_um=largest)
    pictures = []
    if out is not None:
        refuse_foreign(out, _files(len(folds)), ours=_OURS, known=is_marked, what="split")
        for fold in folds:
            picture, drawn = (out / name for name in _files(fold.index + 1)[-2:])
            with whole_file(picture) as png, whole_file(drawn) as svg, drawing():
                write_figure(draw_sides(fold.table(dataset.samples), fold.name), png, svg)
            pictures.append(out / f"fold-{fold.index}.png")
    return SplitInspection(config.name, tuple(folds), audit, tuple(pictures))


def _files(n_folds: int) -> list[str]:
    return [f"fold-{index}.{kind}" for index in range(n_folds) for kind in ("png", "svg")]


def draw_sides(table: pd.DataFrame, name: str) -> Figure:
    """Draw the tissue of each sample in the colours of the sides.

    Parameters
    ----------
    table
        As :meth:`prestige.data.split.folds.Fold.table` gives it: ``sample``, ``x_um``, ``y_um``, ``side``.
    name
        Of the fold.
    """
    samples = list(dict.fromkeys(table["sample"].astype(str)))
    shown = samples[:MOST_SAMPLES]
    columns = min(len(shown), _PER_ROW)
    rows = -(-len(shown) // columns)
    size = 4.0 if len(shown) == 1 else 3.0
    grounds = [_ground(table[table["sample"].astype(str) == sample]) for sample in shown]
    tallest = max(min(index.shape[0] / index.shape[1], 1.4) for index, _, _ in grounds)
    figure = Figure(figsize=(size * columns, (size * tallest + 0.45) * rows + 0.75), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False)
    codes = list(SIDE_COLOURS)
    colours = ListedColormap([SIDE_COLOURS[code] for code in codes])
    for axes in panels.flat[len(shown) :]:
        axes.set_visible(False)
    for axes, sample, (index, side, um_per_map_px) in zip(panels.flat, shown, grounds, strict=False):
        places = np.array([codes.index(int(code)) for code in side])
        draw_tissue(axes, index, places, sample, cmap=colours, vmin=-0.5, vmax=len(codes) - 0.5)
        draw_scale_bar(axes, index.shape, um_per_map_px)
    counts = {code: int((table["side"] == code).sum()) for code in codes}
    handles = [
        Swatch(color=SIDE_COLOURS[code], label=f"{SIDE_NAMES.get(code, 'no side')} ({counts[code]:,})")
        for code in codes
        if counts[code]
    ]
    more = f", {len(shown)} of {len(samples)} samples shown" if len(samples) > len(shown) else ""
    figure.suptitle(f"{name}{more}", x=0.01, ha="left", fontsize=9.5, weight="bold")
    across = 4 if columns > 1 else 2
    figure.legend(handles=handles, loc="outside lower left", ncols=across, frameon=False, fontsize=8)
    return figure


def _ground(table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, float]:
    index, um_per_map_px = raster(table[["x_um", "y_um"]].to_numpy(float))
    return index, table["side"].to_numpy(), um_per_map_px


def _lines(inspection: SplitInspection) -> Iterator[str]:
    head = ["fold", "name", *SIDE_NAMES.values(), "dropped", "nearest train to test, um"]
    rows = [head]
    for fold, distance in zip(inspection.folds, inspection.audit.distances, strict=True):
        lost = ", ".join(f"{number:,} {reason}" for reason, number in fold.dropped.items() if number)
        sizes = [f"{fold.count(side):,}" for side in SIDE_NAMES]
        um = distance.get("train and test")
        nearest = "on different slides" if um is None else f"{um:.4g}"
        rows.append([str(fold.index), fold.name, *sizes, lost or "none", nearest])
    yield from aligned(rows)
    for note in dict.fromkeys(note for fold in inspection.folds for note in fold.notes):
        yield f"note     {note}"
    for line in inspection.audit.checked:
        yield f"checked  {line}"
    if not inspection.audit.findings:
        yield "audit    nothing found"
    for one in inspection.audit.findings:
        where = "" if one.fold is None else f", fold {one.fold}"
        accepted = f" (by {one.accepted})" if one.accepted else ""
        word = "accepted" if one.accepted else one.severity
        yield f"{word:<8} {one.name}{where}: {one.text}{accepted}"
    for picture in inspection.pictures:
        yield f"image    {picture}"
