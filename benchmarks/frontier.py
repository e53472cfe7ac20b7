"""Does the compact family give most score for the seconds?  A table and a figure from finished benches.

Each bench has networks of the shelf beside the compact family: equal minutes of training, the same learning
rates on trial.  A network is on the frontier where none that is as quick has a higher validation score.

    OMP_NUM_THREADS=1 MINUTES=5 prestige bench benchmarks/frontier.yaml --out out/frontier-5 --jobs 2
    MINUTES=0.2 prestige bench benchmarks/frontier.yaml --out out/frontier-gpu --device cuda
    python benchmarks/frontier.py out/frontier-5 out/frontier-gpu --write docs/results/frontier.md
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from matplotlib.transforms import Bbox

from prestige.report.style import MUTED, OKABE_ITO, PNG_DPI, drawing

FAMILY = "compact_"
BLUE, ORANGE = OKABE_ITO[:2]
MOST_BESIDE = 3
MARK_PX, AWAY_POINTS = 4, 5
PLACES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
"""Where a name may stand beside its point, the first that is free: right or left, above or below."""


def read(folder: Path) -> pd.DataFrame:
    """Return a row for each network of a bench: its minutes, speed, validation and test scores."""
    bench = json.loads((folder / "bench.json").read_text(encoding="utf-8"))
    if not bench["finished"]:
        raise SystemExit(f"frontier.py: the bench in {folder} is not finished: run its command again")
    summary = pd.read_csv(folder / "report" / "tables" / "summary.csv").set_index("encoder")
    rows = []
    for entry in bench["runs"]:
        run = json.loads((folder / entry["folder"] / "manifest.json").read_text(encoding="utf-8"))
        if run["baseline"] or run.get("diagnostic"):
            continue
        test = summary.loc[run["encoder"]]
        rows.append(
            {
                "tissue": bench["name"],
                "budget": budget(float(bench["train"]["budget"]["minutes"]), run["hardware"]["device"]),
                "encoder": run["encoder"].removeprefix("timm:"),
                "parameters": run["parameters"],
                "images_s": run["steps"] * run["batch_size"] / run["seconds"]["train"],
                "rate": run["learning_rate"],
                "validation": run["validation_score"],
                "test": test["pearson"],
                "low": test["pearson_low"],
                "high": test["pearson_high"],
            }
        )
    found = pd.DataFrame(rows)
    found["frontier"] = [
        not ((found["images_s"] >= row.images_s) & (found["validation"] > row.validation)).any()
        for row in found.itertuples()
    ]
    return found


def budget(minutes: float, device: str) -> str:
    """Return in words what each training was given."""
    one = "a core" if device == "cpu" else f"an {device.removeprefix('NVIDIA ')}"
    given = f"{minutes:g} minutes" if minutes >= 1 else f"{60 * minutes:g} seconds"
    return f"{given} of {one}"


def table(found: pd.DataFrame) -> list[str]:
    """Return the lines of one bench's table, the best on validation first."""
    head = ["network", "parameters", "images/s, training", "learning rate", "validation", "test (95 %)"]
    lines = ["| " + " | ".join([*head, "on the frontier"]) + " |", "|---" * 7 + "|"]
    for row in found.sort_values("validation", ascending=False).to_dict("records"):
        test = f"{row['test']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
        lines.append(
            f"| {row['encoder']} | {row['parameters']:,} | {row['images_s']:,.0f} | {row['rate']:g} | "
            f"{row['validation']:.3f} | {test} | {'yes' if row['frontier'] else 'no'} |"
        )
    return lines


def draw(benches: list[pd.DataFrame]) -> Figure:
    """Draw score against speed, a panel for each bench."""
    wide = min(len(benches), MOST_BESIDE)
    tall = -(-len(benches) // wide)
    with drawing():
        figure = Figure(figsize=(3.3 * wide, 2.9 * tall + 0.3), layout="constrained")
        grid = figure.subplots(tall, wide, squeeze=False)
        panels = list(zip(grid.flat, benches, strict=False))
        for ax in grid.flat[len(benches) :]:
            ax.set_axis_off()
        for ax, found in panels:
            best = found[found["frontier"]].sort_values("images_s")
            ax.plot(best["images_s"], best["validation"], color=MUTED, lw=1, ls=":", zorder=1)
            for own, part in found.groupby(found["encoder"].str.startswith(FAMILY)):
                colour, marker, words = (BLUE, "o", "compact family") if own else (ORANGE, "s", "others")
                ax.scatter(
                    part["images_s"], part["validation"], color=colour, marker=marker, s=26, label=words
                )
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 3)))
            ax.xaxis.set_major_formatter("{x:g}")
            ax.xaxis.set_minor_locator(NullLocator())
            ax.margins(x=0.25, y=0.12)
            ax.set_title(f"{found['tissue'][0].capitalize()}, {found['budget'][0]}")
            ax.set_xlabel("images a second in training")
        for row in grid:
            row[0].set_ylabel("validation score (Pearson)")
        marks, words = grid[0][0].get_legend_handles_labels()
        figure.legend(marks[::-1], words[::-1], loc="outside lower center", ncols=2, frameon=False)
        figure.draw_without_rendering()  # where a label lies is known only then
        for ax, found in panels:
            name_points(ax, found)
    return figure


def name_points(ax: Axes, found: pd.DataFrame) -> None:
    """Write the networks' names beside their points, each where it covers no point and no other name."""
    points = ax.transData.transform(found[["images_s", "validation"]])
    taken = [Bbox.from_bounds(x - MARK_PX, y - MARK_PX, 2 * MARK_PX, 2 * MARK_PX) for x, y in points]
    for row in found.to_dict("records"):
        for (right, up), last in zip(PLACES, [*[False] * (len(PLACES) - 1), True], strict=True):
            label = ax.annotate(
                row["encoder"],
                (row["images_s"], row["validation"]),
                (AWAY_POINTS * right, AWAY_POINTS * up),
                textcoords="offset points",
                ha={1: "left", 0: "center", -1: "right"}[right],
                va={1: "bottom", 0: "center", -1: "top"}[up],
                fontsize=6.5,
            )
            box = label.get_window_extent()
            inside = ax.bbox.x0 <= box.x0 and box.x1 <= ax.bbox.x1
            if last or (inside and not any(box.overlaps(other) for other in taken)):
                taken.append(box)
                break
            label.remove()


def answer(found: pd.DataFrame) -> str:
    """Say in a sentence which network is best and which of the others comes next."""
    rows = found.sort_values("validation", ascending=False).to_dict("records")
    best, *rest = rows
    others = [row for row in rest if not row["encoder"].startswith(FAMILY)]
    told = f"{best['encoder']} has the highest validation score, {best['validation']:.3f}"
    if not best["encoder"].startswith(FAMILY):
        told += ", and is none of the family"
    elif others:
        told += f"; the best of the others is {others[0]['encoder']}, {others[0]['validation']:.3f}"
    return f"{told}. On the frontier: {', '.join(row['encoder'] for row in rows if row['frontier'])}."


def page(benches: list[pd.DataFrame], command: str, figure: str) -> str:
    """Return the page: what it is, the figure, a table for each bench."""
    head = [
        f"Written by `{command}`",
        "from benches of `benchmarks/frontier.yaml` and `frontier_pancreas.yaml`; do not edit by hand.",
        "Patches of 64 px, all from scratch, equal minutes, the same learning rates on trial,",
        "one seed: validation scores that differ by less than 0.003 are ties. A network is on the frontier",
        "where none that is as quick has a higher validation score. A slow network has seen little in few",
        "minutes of a core; the seconds of a GPU, where there are any, are many of those minutes.",
    ]
    most = max(len(found) for found in benches)
    parts = [
        "# The compact family beside networks of the shelf",
        "\n".join(head),
        f"![Validation score against speed]({figure})",
    ]
    for found in benches:
        parts.append(f"## {found['tissue'][0].capitalize()}, {found['budget'][0]}")
        some = "" if len(found) == most else f" {len(found)} of the {most} networks were trained."
        parts += [answer(found) + some, "\n".join(table(found))]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("benches", type=Path, nargs="+", help="folders of finished benches")
    parser.add_argument("--write", type=Path, help="the page to write; its figure goes beside it")
    asked = parser.parse_args()
    benches = [read(folder) for folder in asked.benches]
    for found in benches:
        print("\n".join(table(found)), end="\n\n")
    if asked.write is not None:
        image = asked.write.with_suffix(".png")
        draw(benches).savefig(image, dpi=PNG_DPI)
        command = " ".join(["python benchmarks/frontier.py", *sys.argv[1:]])
        asked.write.write_text(page(benches, command, image.name), encoding="utf-8")


if __name__ == "__main__":
    main()
