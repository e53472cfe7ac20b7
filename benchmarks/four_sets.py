"""Four sets of real data, from their files to a score: what opens, whether it fits, and a small bench.

The benches are those of `examples/`, cut down to two encoders at two patch widths, one seed and a short
budget: they show that a set goes through, and are no ground for the choice of an encoder.

    python benchmarks/four_sets.py --out out/four_sets --write docs/results/four-sets.md

PRESTIGE_DATA is the folder of the real tissue, PRESTIGE_PANCREAS the pancreas' store.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from measured import machine

import prestige
from prestige.analysis.analyse import Analysis
from prestige.compute.threads import n_threads
from prestige.report.dataset.inspection import Inspection

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SETS = {
    "her2st": "Breast tumours, classic Spatial Transcriptomics, H&E; by patient: B against C",
    "mouse_olfactory_bulb": "Mouse olfactory bulb, arrays of 2k spots, H&E; by mouse",
    "kidney": "Human kidney, Visium HD in bins of 16 um, H&E; one section, by spatial blocks",
    "pancreas": "Human pancreas, Xenium cells, pseudo-H&E; one section, by the challenge's groups",
}
ENCODERS, BASELINES = ("compact_xs", "compact_s"), ("mean", "ridge", {"shuffled": "compact_xs"})


@dataclass(frozen=True)
class Result:
    """What became of a set."""

    inspection: Inspection
    analysis: Analysis
    answer: str


def small(name: str, minutes: float, out: Path) -> Path:
    """Write the small bench of an example; return its file."""
    given = prestige.read_bench(EXAMPLES / f"{name}.yaml")
    bench: dict[str, Any] = given.model_dump(mode="json", exclude_none=True)
    bench |= {
        "encoders": list(ENCODERS),
        "baselines": list(BASELINES),
        "diagnostics": ["depth"],
        "seeds": [0],
    }
    bench["patches"] = bench["patches"][:2]
    bench["train"] |= {"budget": {"minutes": minutes}, "learning_rates": [1e-3]}
    bench["evaluation"].pop("shifts_um", None)
    bench.pop("biology", None)
    path = out / f"{name}.yaml"
    path.write_text(yaml.safe_dump(bench, sort_keys=False), encoding="utf-8")
    return path


def done(name: str, minutes: float, out: Path) -> Result:
    """Inspect a set, and do its bench.

    Raises
    ------
    SystemExit
        When a sample has a fault.
    """
    path = small(name, minutes, out)
    config = prestige.read_bench(path)
    inspection = prestige.inspect(prestige.read_dataset(config.dataset), out / f"{name}-inspected")
    if inspection.faults:
        raise SystemExit("\n".join(inspection.faults))
    prestige.run_bench(path, out / name)
    answer = json.loads((out / name / "report" / "answer.json").read_text(encoding="utf-8"))[0]["text"]
    return Result(inspection, prestige.analyse(out / name), answer)


def samples(inspection: Inspection) -> list[str]:
    """Return the table of a set's samples, and what was assumed of them."""
    head = (
        "| sample | patient | source | observations | genes | um/px | median counts | the alignment check |"
    )
    rows = [
        f"| {row['id']} | {row['patient']} | `{row['source']}` | {row['n_measured']:,} | {row['genes']:,} "
        f"| {row['um_per_px']:.4g} | {row['median_counts']:,.0f} | {row['alignment'].text} |"
        for row in inspection.rows
    ]
    notes = [f"- {row['id']}: {note}" for row in inspection.rows for note in row["notes"]]
    return [head, "|---" * head.count(" | ") + "|---|", *rows, *([""] if notes else []), *notes]


def scores(analysis: Analysis) -> list[str]:
    """Return the table of a bench's scores, best first."""
    table = analysis.table().sort_values("pearson", ascending=False, kind="stable")
    lines = ["| configuration | patch | Pearson | 95 % interval | |", "|---|---|---|---|---|"]
    for row in table.to_dict("records"):
        place = "best" if row["best"] else "tied" if row["tied"] is True else ""
        blind = row["encoder"] == "baseline:mean" or row["patch_um"] != row["patch_um"]
        patch = "none" if blind else f"{row['patch_um']:.0f} um"
        interval = f"{row['pearson_low']:.3f} to {row['pearson_high']:.3f}"
        lines.append(f"| {row['encoder']} | {patch} | {row['pearson']:.3f} | {interval} | {place} |")
    return lines


def page(results: dict[str, Result], minutes: float) -> str:
    """Return the page."""
    lines = [
        "# Four sets of real data, from their files to a score",
        "",
        "Written by `python benchmarks/four_sets.py --out out/four_sets --write docs/results/four-sets.md`;",
        f"do not edit by hand. {machine()}, {n_threads()} thread(s).",
        "",
        "Each set is opened as `examples/datasets` says, inspected, and put through a small bench: two",
        f"encoders from scratch at two patch widths, {minutes:g} min a run, one seed. That shows that a set",
        "goes through, and is no ground for the choice of an encoder. The score is the mean per-gene Pearson",
        "correlation on the test side with 95 % intervals from resampled spatial blocks; *tied*: cannot be",
        "told from the best; *depth* knows each observation's total count, which no image gives. What the",
        "alignment check catches on copies that were shifted, swapped and mirrored:",
        "[alignment.md](alignment.md).",
        "",
    ]
    for name, what in SETS.items():
        if name in results:
            result = results[name]
            lines += [f"## {what}", "", *samples(result.inspection), ""]
            lines += [result.answer, "", *scores(result.analysis), ""]
    return "\n".join(lines)


def main() -> None:
    """Do the sets that are asked for, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", choices=SETS, default=list(SETS))
    parser.add_argument("--minutes", type=float, default=0.25, help="the budget of a run")
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder to work in; it goes on where it was"
    )
    parser.add_argument("--write", type=Path, help="the page")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    text = page({name: done(name, given.minutes, given.out) for name in given.only}, given.minutes)
    print(text)
    if given.write:
        given.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
