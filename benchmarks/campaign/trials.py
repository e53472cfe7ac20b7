"""Many inputs, each changed, tried and judged: the same seeds give the same inputs."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from campaign import watched
from campaign.kinds import OUTSIDE, Kind, changed, copied
from campaign.registry import KINDS

WALL_SECONDS = 20.0
MEMORY = 12 << 30
"""Of addresses, for what changes the inputs."""
FAULTS = ("line with chatter", "traceback", "memory", "endless", "crash", "reached", "files left")


def shares(kinds: Sequence[Kind], inputs: int) -> dict[str, int]:
    """Return how many inputs are of each kind: by weight, at least one of each."""
    total = sum(kind.weight for kind in kinds)
    return {kind.name: max(1, round(inputs * kind.weight / total)) for kind in kinds}


def numbered(kinds: Sequence[Kind], inputs: int, seed: int) -> Iterator[tuple[Kind, int]]:
    """Yield kinds and the seeds of their inputs; those that need torch come last."""
    for kind in sorted(kinds, key=lambda kind: kind.heavy):
        for number in range(shares(kinds, inputs)[kind.name]):
            yield kind, seed * 1_000_000 + number


def baseline(kind: Kind, sound: Path, work: Path) -> object:
    """Try the sound input in this very process, which then has everything loaded that it needs."""
    place = _place(work / "warm")
    copied(kind, sound, place / "in")
    os.environ["PRESTIGE_CACHE"] = str(place / ("in/cache" if (place / "in" / "cache").is_dir() else "cache"))
    with _quiet(place):
        if kind.ready is not None:
            kind.ready(place / "in", place / "out")
        value = kind.door(place / "in", place / "out")
    shutil.rmtree(place)
    return json.loads(json.dumps(value, default=str))


class _quiet:
    """Keep what is said on the terminal in a file."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def __enter__(self) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        self._kept = os.dup(1), os.dup(2)
        with (self._place / "said").open("wb") as said:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, kept in zip((1, 2), self._kept, strict=True):
            os.dup2(kept, number)
            os.close(kept)


def _place(place: Path) -> Path:
    shutil.rmtree(place, ignore_errors=True)
    for name in ("cache", "tmp"):
        (place / name).mkdir(parents=True)
    return place


def tried(
    kind: Kind, seed: int, work: Path, sound: Path, expected: object, reached: watched.Reached
) -> dict[str, Any]:
    """Make one input, open its door, and say how it ended."""
    place = _place(work / "trial")
    copied(kind, sound, place / "in")
    if kind.ready is not None:
        os.environ["PRESTIGE_CACHE"] = str(place / "in" / "cache")
        watched.run_apart(
            lambda: bool(kind.ready and kind.ready(place / "in", place / "out")), place, WALL_SECONDS
        )
    mutant = changed(kind, seed, place / "in")
    before = watched.state(place / "in")
    reached.names()
    began = time.perf_counter()
    status, answer = watched.run_apart(lambda: watched.child(kind.door, place, sound), place, WALL_SECONDS)
    seconds = time.perf_counter() - began
    said = (place / "said").read_text(encoding="utf-8", errors="replace")
    name, told = watched.judge(status, answer, said)
    if name == "result":
        name = "same result" if answer["value"] == expected else "another result"
    opened = reached.names()
    if watched.marked(place):
        name, told = "reached", "code of the input was executed"
    elif opened:
        name, told = "reached", f"opened outside: {', '.join(opened)}"
    elif name in ("line", "same result", "another result"):
        left = watched.leftovers(place, before, kind.writes, refused=name == "line")
        if left:
            name, told = "files left", f"{', '.join(left[:4])}; {told}"
    out = {
        "kind": kind.name,
        "seed": seed,
        "changes": mutant.names,
        "words": mutant.words,
        "class": name,
        "told": told[:600],
    }
    out["seconds"] = round(seconds, 3)
    fault = name in FAULTS or (name == "another result" and mutant.other is None)
    return out | {"fault": fault}


def worker(rank: int, jobs: int, wanted: list[tuple[Kind, int]], work: Path, sound: Path, log: Path) -> None:
    """Try every ``jobs``-th of the wanted inputs; a line of JSON each."""
    work.mkdir(parents=True, exist_ok=True)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    os.environ["PRESTIGE_CAMPAIGN"] = str(work)
    shutil.copytree(sound / OUTSIDE, work / OUTSIDE, dirs_exist_ok=True)
    reached = watched.Reached(work / OUTSIDE)
    expected: dict[str, object] = {}
    with log.open("w", encoding="utf-8") as file:
        for kind, seed in wanted[rank::jobs]:
            if kind.name not in expected:
                expected[kind.name] = baseline(kind, sound, work)
            one = tried(kind, seed, work, sound, expected[kind.name], reached)
            file.write(json.dumps(one, ensure_ascii=True) + "\n")
            file.flush()
    shutil.rmtree(work, ignore_errors=True)


def forked(jobs: int, act: Any) -> None:
    """Run ``act(rank)`` in as many forked processes and wait for all.

    Raises
    ------
    RuntimeError
        When one of them fails: a defect of the campaign itself.
    """
    pids = []
    for rank in range(jobs):
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                act(rank)
                code = 0
            except BaseException:  # noqa: BLE001 - told before the process ends
                import traceback

                traceback.print_exc()
            finally:
                sys.stderr.flush()
                os._exit(code)
        pids.append(pid)
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    if any(statuses):
        raise RuntimeError(f"a worker of the campaign failed, see above (wait statuses {statuses})")


def campaign(kinds: Sequence[Kind], inputs: int, seed: int, jobs: int, sound: Path) -> list[dict[str, Any]]:
    """Try changed inputs of some kinds and return an outcome each."""
    wanted = list(numbered(kinds, inputs, seed))
    with tempfile.TemporaryDirectory(prefix="hostile-") as scratch:
        top = Path(scratch).resolve()
        logs = [top / f"{rank}.jsonl" for rank in range(jobs)]
        forked(jobs, lambda rank: worker(rank, jobs, wanted, top / f"worker-{rank}", sound, logs[rank]))
        return [json.loads(line) for log in logs for line in log.read_text(encoding="utf-8").splitlines()]


def chosen(names: Sequence[str]) -> list[Kind]:
    """Return the kinds of some names, all where none is named; a name stands for all that begin with it."""
    return [kind for kind in KINDS if not names or any(kind.name.startswith(name) for name in names)]
