"""What becomes of inputs that are damaged or malicious, and of commands that are killed?  Nothing worse than a line.

Inputs of every kind are changed with a knowledge of their structure and given to the door that reads them, each in a
watched process with limits of time and memory; commands are killed at random moments and run again.  Everything
follows from the seed.  One input is made again, and tried on the terminal, by `one`:

    python benchmarks/hostile.py --inputs 10000 --kills 1000 --seed 1 --jobs 2 --write docs/results/hostile.md
    python benchmarks/hostile.py one h5ad 1000017 /tmp/input
"""

from __future__ import annotations

import os
import sys

for _name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import argparse
import json
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from campaign import sound, trials
from campaign.kinds import changed, copied
from campaign.registry import kind_of


def _built(folder: Path) -> Path:
    """Make the sound inputs, unless they are there, in a process of its own: this one stays small."""
    if (folder / "outside").is_dir():
        return folder
    trials.forked(1, lambda _: sound.build(folder))
    shutil.rmtree(folder / "making")
    return folder


def one(name: str, seed: int, folder: Path) -> None:
    """Make the input of a kind and a seed again, and try it here."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        place = _built(Path(scratch).resolve())
        os.environ["PRESTIGE_CAMPAIGN"] = str(place)
        kind = kind_of(name)
        folder = copied(kind, place, folder).resolve()
        os.environ["PRESTIGE_CACHE"] = str(folder / "cache")
        if kind.ready is not None:
            kind.ready(folder, folder / "out")
        for line in changed(kind, seed, folder).words:
            print(line)
        print(kind.door(folder, folder / "out"))


def main() -> None:
    """Run the campaign."""
    if sys.argv[1:2] == ["one"]:
        return one(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--outcomes", type=Path, help="a file for every outcome, a line of JSON each")
    parser.add_argument("--sound", type=Path, help="a folder that keeps the sound inputs for the next time")
    given = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hostile-sound-") as scratch:
        place = _built((given.sound or Path(scratch)).resolve())
        print(f"sound inputs: {time.perf_counter() - began:.0f} s", flush=True)
        found = trials.campaign(trials.chosen(given.only), given.inputs, given.seed, given.jobs, place)
    if given.outcomes:
        given.outcomes.write_text("".join(json.dumps(one) + "\n" for one in found))
    print(f"{len(found)} inputs, {time.perf_counter() - began:.0f} s")
    for (kind, name), n in sorted(Counter((one["kind"], one["class"]) for one in found).items()):
        print(f"  {kind:16} {name:18} {n}")
    faults = [one for one in found if one["fault"]]
    print(f"{len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
