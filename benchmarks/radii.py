"""Does the report name the right patch width, and follow when the phantom's radius is halved or doubled?

For each radius and seed: `prestige phantom`, then `prestige bench examples/phantom.yaml` (the bench of
`make demo`), and what its report says beside the phantom's truth.

    python benchmarks/radii.py --out out/radii --write docs/results/radii.md
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def prestige(*arguments: str, **variables: str) -> None:
    command = [sys.executable, "-m", "prestige", *arguments]
    subprocess.run(command, check=True, env=os.environ | ONE_THREAD | variables, cwd=ROOT)


def measure(radius_um: float, seed: int, out: Path) -> dict[str, Any]:
    phantom, bench = out / f"phantom-{radius_um:g}-{seed}", out / f"bench-{radius_um:g}-{seed}"
    if not (phantom / "truth.json").exists():
        prestige("phantom", str(phantom), "--radius-um", f"{radius_um:g}", "--seed", str(seed))
    prestige("bench", "examples/phantom.yaml", "--out", str(bench), PRESTIGE_PHANTOM=str(phantom.resolve()))
    answer = json.loads((bench / "report" / "answer.json").read_text(encoding="utf-8"))[0]
    manifests = [json.loads(path.read_text(encoding="utf-8")) for path in bench.glob("runs/*/manifest.json")]
    truth = json.loads((phantom / "truth.json").read_text(encoding="utf-8"))
    return {
        "radius_um": radius_um,
        "seed": seed,
        "oracle": truth["oracle"],
        "right": truth["right_patch_um"],
        "named": answer["patch_um"],
        "best": answer["best"],
        "pearson": answer["pearson"],
        "interval": answer["interval"],
        "minutes": sum(manifest["seconds"]["total"] for manifest in manifests) / 60,
    }


def page(rows: list[dict[str, Any]], command: str) -> str:
    widths = list(rows[0]["oracle"])
    head = ["radius, um", "seed", *(f"oracle at {width} um" for width in widths)]
    head += ["right", "named", "best configuration", "Pearson (95 % interval)", "minutes of all runs"]
    lines = [head, ["---"] * len(head)]
    for row in rows:
        named = "none" if row["named"] is None else f"{row['named']:g} um"
        interval = "none" if row["interval"] is None else "{:.3f} to {:.3f}".format(*row["interval"])
        lines.append(
            [
                f"{row['radius_um']:g}",
                str(row["seed"]),
                *(f"{row['oracle'][width]:.2f}" for width in widths),
                f"{row['right']:g} um",
                named,
                row["best"],
                f"{row['pearson']:.3f} ({interval})",
                f"{row['minutes']:.1f}",
            ]
        )
    right = sum(row["named"] == row["right"] for row in rows)
    return "\n".join(
        [
            "# The phantom's radius and the patch width that the report names",
            "",
            f"Written by `{command}`; do not edit by hand.",
            "",
            f"Right in {right} of {len(rows)} phantoms.  The right width is the smallest whose oracle (the "
            "best score that any reader of that width could reach) is within 0.03 of the best oracle.  The "
            "report names its own from the scores alone.",
            "",
            *("| " + " | ".join(line) + " |" for line in lines),
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/radii"), help="where phantoms and benches go")
    parser.add_argument("--radii", nargs="+", type=float, default=[7.5, 15, 30], metavar="UM")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--write", type=Path, help="a markdown page for the table")
    asked = parser.parse_args()
    rows = [measure(radius, seed, asked.out.resolve()) for radius in asked.radii for seed in asked.seeds]
    text = page(rows, " ".join(["python benchmarks/radii.py", *sys.argv[1:]]))
    print(text)
    if asked.write:
        asked.write.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
