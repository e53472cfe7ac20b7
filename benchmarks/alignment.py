r"""What the alignment check catches on real tissue: sound samples, and copies that were moved.

Shifts go in six directions that are none of the check's own eight.  A copy of which more than a third of
the centres would lie outside the image is refused by every reader; of others those outside are left out.
Smooth random fields in place of the counts say how often chance is taken for a fault.

    python benchmarks/alignment.py --pancreas pancreas.zarr --phantom demo/phantom \
        --write docs/results/alignment.md

PRESTIGE_DATA is the folder of the real tissue.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

from prestige.data.dataset import DatasetConfig, SampleSpec, open_dataset, read_dataset
from prestige.data.sample import Sample
from prestige.data.together.alignment import Alignment, check_alignment

DATA = Path(os.environ.get("PRESTIGE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SHIFTS_UM = (50, 100, 150, 200, 300)
DIRECTIONS = np.radians([20, 80, 150, 205, 265, 340])
FIELDS_OF, FIELDS, SMOOTH_UM = ("her2st C2", "MOB1", "MOB4"), 40, (150, 300, 600)
"""Sections that are asked, random fields of each width, and standard deviations of what smooths them."""

Section = tuple[str, np.ndarray, np.ndarray, np.ndarray, float]
"""Name, pixels, centres, total counts, um per pixel."""


def of_spec(name: str, **keys: str) -> Section:
    spec = SampleSpec.model_validate({"id": name, "patient": "p", **keys})
    (sample,) = open_dataset(DatasetConfig(name="d", samples=(spec,))).samples
    return of_sample(name, sample)


def of_sample(name: str, sample: Sample) -> Section:
    rows = sample.measured
    totals = sample.obs["total_counts"].to_numpy(float)
    return name, sample.slide.pixels, sample.xy_px[rows], totals[rows], sample.um_per_px


def sections(pancreas: Path | None, phantom: Path | None) -> Iterator[Section]:
    root = DATA / "kidney_visium_hd"
    for width in ("16", "8"):
        keys = {"source": "hest", "path": str(root), "table": f"KIDNEY_{width}um.h5ad"}
        yield f"kidney, {width} um bins", *of_spec("KIDNEY", **keys)[1:]
    if pancreas is not None:
        yield of_spec("pancreas", source="challenge", path=str(pancreas), um_per_px="0.425")
    for name in ("B4", "C2", "C3", "C4", "C5"):
        yield f"her2st {name}", *of_spec(name, source="st", path=str(DATA / "her2st"))[1:]
    for name in ("MOB1", "MOB2", "MOB3", "MOB4"):
        yield of_spec(name, source="st", path=str(DATA / "mouse_olfactory_bulb"))
    if phantom is not None:
        for sample in open_dataset(read_dataset(phantom / "dataset.yaml")).samples:
            yield of_sample(f"phantom {sample.id}", sample)


def moved(width: int, height: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    return {
        "swapped": lambda xy: xy[:, ::-1].copy(),
        "left to right": lambda xy: np.column_stack([width - 1 - xy[:, 0], xy[:, 1]]),
        "top to bottom": lambda xy: np.column_stack([xy[:, 0], height - 1 - xy[:, 1]]),
        "180 degrees": lambda xy: (width - 1, height - 1) - xy,
    }


def checked(pixels: np.ndarray, xy: np.ndarray, totals: np.ndarray, um_per_px: float) -> Alignment | None:
    inside = ((xy >= -0.5) & (xy < (pixels.shape[1] - 0.5, pixels.shape[0] - 0.5))).all(axis=1)
    if inside.mean() < 2 / 3:
        return None
    return check_alignment(pixels, xy[inside], totals[inside], um_per_px=um_per_px)


def word(found: Alignment | None) -> str:
    if found is None:
        return "refused"
    return {"fits": "**no**", "fits elsewhere": "caught", "cannot be told": "not told"}[found.verdict]


def row(section: Section) -> list[str]:
    name, pixels, xy, totals, um_per_px = section
    begun = time.perf_counter()
    own = check_alignment(pixels, xy, totals, um_per_px=um_per_px)
    seconds = time.perf_counter() - begun
    cells = [name, f"{len(xy):,}", f"{seconds:.1f}", f"{own.own.fit:.2f}"]
    cells += ["-" if own.own.darkness is None else f"{own.own.darkness:.2f}", own.verdict]
    cells.append("-" if own.told_from_um is None else f"{own.told_from_um:g} um")
    ways = moved(pixels.shape[1], pixels.shape[0])
    cells += [word(checked(pixels, move(xy), totals, um_per_px)) for move in ways.values()]
    for um in SHIFTS_UM:
        by = [um / um_per_px * np.array([np.cos(angle), np.sin(angle)]) for angle in DIRECTIONS]
        found = [checked(pixels, xy + one, totals, um_per_px) for one in by]
        told = [one for one in found if one is not None]
        caught = sum(one.verdict == "fits elsewhere" for one in told)
        cells.append(f"{caught} of {len(told)}" if told else "refused")
    return cells


def fields(section: Section) -> list[str]:
    """Count how often random fields in place of the counts are said to fit elsewhere."""
    name, pixels, xy, totals, um_per_px = section
    step_px = 50 / um_per_px
    column, row = np.rint(xy / step_px).astype(int).T
    cells = [name]
    for um in SMOOTH_UM:
        flagged = 0
        for seed in range(FIELDS):
            rng = np.random.default_rng(seed)
            field = gaussian_filter(rng.normal(size=(row.max() + 1, column.max() + 1)), um / 50)
            drawn = rng.poisson(np.median(totals) * np.exp(0.5 * field[row, column] / field.std()))
            found = check_alignment(pixels, xy, drawn.astype(float), um_per_px=um_per_px)
            flagged += found.verdict == "fits elsewhere"
        cells.append(f"{flagged} of {FIELDS}")
    return cells


def table(head: list[str], rows: list[list[str]]) -> str:
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pancreas", type=Path, help="the pancreas as a store of the challenge")
    parser.add_argument("--phantom", type=Path, help="folder that `prestige phantom` wrote")
    parser.add_argument("--write", type=Path, required=True)
    args = parser.parse_args()
    head = ["section", "observations", "seconds", "fit", "darkness", "as it stands", "shifts told from"]
    head += ["x and y swapped", "mirrored left to right", "mirrored top to bottom", "turned by 180 degrees"]
    head += [f"shifted by {um} um" for um in SHIFTS_UM]
    rows, drawn = [], []
    for section in sections(args.pancreas, args.phantom):
        rows.append(row(section))
        print(*rows[-1], sep=" | ", flush=True)
        if section[0] in FIELDS_OF:
            drawn.append(fields(section))
            print(*drawn[-1], sep=" | ", flush=True)
    of_fields = table(["section", *(f"smoothed over {um} um" for um in SMOOTH_UM)], drawn)
    args.write.write_text(TEXT + table(head, rows) + AFTER + of_fields, encoding="utf-8")


TEXT = """# What the alignment check catches

Written by `python benchmarks/alignment.py --pancreas pancreas.zarr --phantom demo/phantom
--write docs/results/alignment.md`; do not edit by hand.

"Fit" is the multiple correlation (of ranks) of total counts with the optical density of red, green and
blue around the observations; "darkness" is by how many standard deviations their centres are darker than the
tissue around them (asked of observations less than 30 um apart). "As it stands" is the verdict on the section
as it is: none may be "fits elsewhere". The other columns are copies of it, moved on purpose: "caught",
"not told" (nothing is said), "**no**" (taken for right), "refused" (more than a third would lie outside the
image, which every reader refuses). Shifts go in six directions, none of them one of the check's own; "3 of 6"
of them were caught.

"""

AFTER = """
Where it cannot tell, it flags nothing: tissue without structure, fewer than 50 observations, spots without
counts, and shifts that are small beside the spots (100 um wide, 200 um apart: her2st).

## Counts that have nothing to do with the image

Smooth random fields in place of the counts: how many of them are said to fit elsewhere. None should be.

"""


if __name__ == "__main__":
    main()
