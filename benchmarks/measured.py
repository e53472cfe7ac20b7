"""What was measured: a line a figure in `history.csv`, the latest of each as the table in `README.md`.

Every other script here hands its figures to :func:`show`, and keeps them when asked to with `--record`.

    python benchmarks/measured.py
"""

from __future__ import annotations

import argparse
import csv
import datetime
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
HISTORY, PAGE = FOLDER / "history.csv", FOLDER / "README.md"
BEGINS, ENDS = "<!-- written by measured.py from here -->", "<!-- to here -->"


@dataclass(frozen=True)
class Figure:
    """One figure beside what it is held against.

    Attributes
    ----------
    row
        What was measured, as the table says it.
    case
        Which of several: a patch size, a number of cells.
    measured, against
        The two numbers with their units, as a reader wants them.
    ratio
        Of the two, in the direction of ``wanted``; None where there is nothing to hold it against.
    wanted
        What it should reach: ">= 8", "<= 1.05", or nothing.
    """

    row: str
    case: str
    measured: str
    against: str
    ratio: float | None = None
    wanted: str = ""

    @property
    def reached(self) -> str:
        """Say whether it reached what was wanted, or nothing where nothing was."""
        if not self.wanted or self.ratio is None:
            return ""
        sign, bound = self.wanted.split()
        return "yes" if (self.ratio >= float(bound)) == (sign == ">=") or self.ratio == float(bound) else "no"


def medians(contenders: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Return the median of what each gives (a rate, or seconds); in every round each has its turn."""
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def seconds(call: Callable[[], object]) -> float:
    """Return the seconds that a call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def machine() -> str:
    """Return what the figures were measured on, in a few words."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if os.name == "posix" else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    return f"{os.cpu_count()} cores" + (f", {name}" if name else "")


def show(figures: Iterable[Figure], *, record: bool, where: str = "") -> None:
    """Print figures as a table; with ``record``, keep them and write the page anew.

    Parameters
    ----------
    where
        What they were measured on, where it is not this machine's processor.
    """
    figures = list(figures)
    print("\n".join(table(asdict(figure) | {"reached": figure.reached} for figure in figures)))
    if not record:
        return
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=FOLDER, capture_output=True, text=True, check=True
    ).stdout.strip()
    told = {"date": datetime.datetime.now(datetime.UTC).date().isoformat(), "commit": commit}
    new = not HISTORY.exists()
    with HISTORY.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(
            file, [*told, "machine", *(field.name for field in fields(Figure)), "reached"]
        )
        if new:
            writer.writeheader()
        for figure in figures:
            row = asdict(figure) | {"reached": figure.reached, "machine": where or machine()}
            row["ratio"] = "" if figure.ratio is None else f"{figure.ratio:.4g}"
            writer.writerow(told | row)
    write_page()


def table(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the lines of a table in markdown."""
    lines = [
        "| what | case | measured | against | ratio | wanted | reached |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ratio = "" if row["ratio"] in (None, "") else f"{float(str(row['ratio'])):.3g}"
        cells = [
            row["row"],
            row["case"],
            row["measured"],
            row["against"],
            ratio,
            row["wanted"],
            row["reached"],
        ]
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return lines


def latest() -> list[dict[str, str]]:
    """Return the last figure of each row and case, in the order in which they first appear."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    if HISTORY.exists():
        with HISTORY.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                found[row["row"], row["case"]] = row
    return list(found.values())


def write_page() -> None:
    """Write the table of the latest figures into the page."""
    rows = latest()
    lines = table(rows)
    places = sorted({(row["machine"], row["date"], row["commit"]) for row in rows})
    measured = [f"- {where}: {date}, commit {commit}" for where, date, commit in places]
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGINS)
    tail = rest.split(ENDS)[1]
    PAGE.write_text(
        "\n".join([head + BEGINS, "", *lines, "", "Measured on:", "", *measured, "", ENDS]) + tail,
        encoding="utf-8",
    )


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter).parse_args()
    write_page()


if __name__ == "__main__":
    main()
