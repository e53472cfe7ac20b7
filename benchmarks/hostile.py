"""What becomes of damaged and malicious inputs, and of commands that are killed?  Nothing worse than a line.

Inputs of every kind are changed with a knowledge of their structure and given to the door that reads them,
each in a watched process with limits of time and memory; commands are killed at random moments and run
again.  Everything follows from the seed.  One input is made again, and tried on the terminal, by `one`:

    python benchmarks/hostile.py --inputs 10000 --kills 1000 --jobs 2 --write docs/results/hostile.md
    python benchmarks/hostile.py one h5ad 1000017 /tmp/input
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from campaign import kills, page, sound, trials
from campaign.kinds import changed, copied
from campaign.registry import kind_of


def _built(folder: Path) -> Path:
    """Make the sound inputs, unless they are there, in a process of its own: this one stays small."""
    if (folder / "outside").is_dir():
        return folder
    trials.forked(1, lambda _: sound.build(folder))
    shutil.rmtree(folder / "making")
    return folder


def again(name: str, seed: int, folder: Path) -> None:
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


def _rounds(given: argparse.Namespace, place: Path) -> list[dict[str, Any]]:
    """Kill the commands, in as many processes as there are jobs."""
    parts = kills.quotas(given.kills, given.jobs, given.commands)
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        top = Path(scratch).resolve()

        def act(rank: int) -> None:
            found = kills.worker(parts[rank], given.seed * 100 + rank, top / f"kills-{rank}", place)
            (top / f"{rank}.json").write_text(json.dumps(found))

        trials.forked(given.jobs if given.kills else 0, act)
        return [one for path in sorted(top.glob("*.json")) for one in json.loads(path.read_text())]


def _given() -> argparse.Namespace:
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], metavar="KIND")
    parser.add_argument("--commands", nargs="*", default=[], metavar="COMMAND")
    parser.add_argument("--outcomes", type=Path, help="a file for every outcome, a line of JSON each")
    parser.add_argument("--earlier", type=Path, nargs="*", default=[], help="outcomes that the page has too")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="write the page")
    parser.add_argument("--sound", type=Path, help="a folder that keeps the sound inputs for the next time")
    return parser.parse_args()


def _asked(given: argparse.Namespace) -> str:
    """Return the arguments from which the outcomes follow: no paths of this machine."""
    lists = [
        f"--{name} {shlex.join(getattr(given, name))}"
        for name in ("only", "commands")
        if getattr(given, name)
    ]
    numbers = [f"--{name} {getattr(given, name)}" for name in ("inputs", "kills", "seed", "jobs")]
    return " ".join([*lists, *numbers])


def _told(found: list[dict[str, Any]]) -> int:
    """Print outcomes in short; return how many are faults."""
    inputs, rounds = [one for one in found if "kind" in one], [one for one in found if "kills" in one]
    for (kind, name), n in sorted(Counter((one["kind"], one["class"]) for one in inputs).items()):
        print(f"  {kind:16} {name:18} {n}")
    for name, n in Counter(one["command"] for one in rounds for _ in one["kills"]).items():
        print(f"  {name:16} {n} kills")
    faults, wrong = [one for one in inputs if one["fault"]], [one for one in rounds if one["faults"]]
    for one in faults:
        print(f"  {one['kind']}, seed {one['seed']}: {one['class']}: {one['told'][:200]}")
    for one in wrong:
        print(f"  {one['command']}, seed {one['seed']}: {'; '.join(one['faults'][:6])}")
    print(f"{len(faults)} faults in inputs, {len(wrong)} rounds of kills")
    return len(faults) + len(wrong)


def main() -> None:
    """Run the campaign."""
    if sys.argv[1:2] == ["one"]:
        again(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return
    given = _given()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="hostile-sound-") as scratch:
        place = _built((given.sound or Path(scratch)).resolve())
        print(f"sound inputs: {time.perf_counter() - began:.0f} s", flush=True)
        kinds, found = trials.chosen(given.only), []
        if given.inputs:
            found += trials.campaign(kinds, given.inputs, given.seed, given.jobs, place)
        found += _rounds(given, place)
    seconds = time.perf_counter() - began
    print(f"{len(found)} outcomes, {seconds:.0f} s")
    if given.inputs or given.kills:
        found.insert(0, page.head(f"python benchmarks/hostile.py {_asked(given)}", seconds))
    if given.outcomes:
        given.outcomes.write_text("".join(json.dumps(one) + "\n" for one in found))
    for path in given.earlier:
        found += [json.loads(line) for line in path.read_text().splitlines()]
    if given.write:
        given.write.write_text(page.page(found), encoding="utf-8")
    sys.exit(1 if _told(found) else 0)


if __name__ == "__main__":
    main()
