"""A whole bench beside the computing of its runs alone: training, validation, all predictions.

The bench of an example, its encoders and patches only (12 runs), in a folder of its own.  What is on top:
start, sides and panel, scores, gene sets, intervals, the report.

    OMP_NUM_THREADS=1 python benchmarks/overhead.py examples/kidney.yaml --minutes 4
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from measured import Figure, show

BARE = ("train", "validate", "predict", "shift")


def write_bench(example: Path, folder: Path, minutes: float) -> Path:
    """Write the example's bench without baselines, with one seed, paths made absolute."""
    raw: dict[str, Any] = yaml.safe_load(example.read_text(encoding="utf-8").replace("${MINUTES:-4}", "4"))
    raw.pop("biology", None)
    raw |= {
        "baselines": [],
        "diagnostics": [],
        "seeds": [0],
        "dataset": str((example.parent / raw["dataset"]).resolve()),
    }
    raw["train"]["budget"] = {"minutes": minutes}
    path = folder / "bench.yaml"
    path.write_text(yaml.safe_dump(raw), encoding="utf-8")
    return path


def run(command: list[str]) -> tuple[float, float]:
    """Return the seconds of a command, and those in which it was ready and others held its processor.

    What its runs say of themselves leaves such seconds out (`prestige.compute.provenance.working_seconds`).
    """
    began, waited = time.perf_counter(), 0.0
    with subprocess.Popen(command) as process:
        told = Path(f"/proc/{process.pid}/schedstat")
        while process.poll() is None:
            with suppress(OSError, IndexError):
                waited = int(told.read_text(encoding="ascii").split()[1]) * 1e-9
            time.sleep(0.2)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - began, waited


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bench", type=Path, help="an example")
    parser.add_argument("--minutes", type=float, default=4.0, help="of each run")
    parser.add_argument("--record", action="store_true", help="keep the figures in history.csv")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        path = write_bench(asked.bench, Path(name), asked.minutes)
        command = [sys.executable, "-m", "prestige", "bench", str(path), "--out", str(out)]
        whole, waited = run(command)
        manifests = [
            json.loads(file.read_text(encoding="utf-8")) for file in out.glob("runs/*/manifest.json")
        ]
    spent = Counter[str]()
    for manifest in manifests:
        spent.update(manifest["seconds"])
    bare = sum(spent[step] for step in BARE)
    parts = [f"{step} {spent[step]:,.0f}" for step in (*BARE, "score")]
    outside, whole = whole - spent["total"], whole - waited
    case = f"{asked.bench.stem}, {len(manifests)} runs of {asked.minutes:g} min"
    print(f"{waited:,.0f} s more in which other work held the processor")
    words = f"{bare:,.0f} s of computing ({', '.join(parts)}; outside the runs {outside:,.0f})"
    show(
        [Figure("a whole bench", case, f"{whole:,.0f} s", words, whole / bare, "<= 1.10")],
        record=asked.record,
    )


if __name__ == "__main__":
    main()
