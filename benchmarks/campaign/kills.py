"""Commands that are ended at random moments and run again: the same bytes, and nothing left."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from campaign import watched
from campaign.doors import command
from campaign.trials import _place, _quiet

CPU = ("--device", "cpu")
SIGNALS = (*[signal.SIGKILL] * 7, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
PROMISED = {signal.SIGTERM: {143}, signal.SIGINT: {130}, signal.SIGHUP: {129, 143}}
_MINUTE = re.compile(rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d")
BEGINS_SECONDS = 0.1
"""Before that a process may end without having heard of its signal: it has not begun to listen."""
MUST_BE_SAME = (
    "*scores.parquet",
    "*moments*.npz",
    "*predictions/*.h5ad",
    "*.safetensors",
    "*answer.json",
    "*genes.csv",
    "*gene_sets.csv",
    "*/truth/*",
    "said",
    "*.zarr/*",
)
"""These hold no times, as some pictures do: two runs write the same bytes, and so does a killed one."""
LOGS = "out/jobs/"
"""What each worker of a bench said, with its times: of no other part of a result."""


@dataclass(frozen=True)
class Command:
    """A command that is killed: its arguments in the folder of its inputs, and its part of the kills."""

    name: str
    arguments: tuple[str, ...]
    weight: float = 1.0
    jobs: int = 1


COMMANDS = (
    Command("phantom", ("phantom", "../out", "--config", "phantom.yaml"), 1.5),
    Command("inspect", ("inspect", "dataset.yaml", "--out", "../out"), 2),
    Command("split", ("split", "bench.yaml", "--out", "../out"), 1.5),
    Command("train", ("train", "run.yaml", "--out", "../out", *CPU), 4),
    Command("bench", ("bench", "bench.yaml", "--out", "../out", *CPU), 0.5),
    Command("bench -j 2", ("bench", "bench.yaml", "--out", "../out", "--jobs", "2", *CPU), 0.06, jobs=2),
    Command("predict", ("predict", "model", "dataset.yaml", "--out", "../out", *CPU), 2),
    Command("evaluate", ("evaluate", "predicted.h5ad", "truth.h5ad", "--json"), 1.5),
    Command("biology", ("biology", "predicted.h5ad", "truth.h5ad", "--out", "../out"), 0.5),
    Command("report", ("report", "../out"), 0.5),
)


def _start(one: Command, place: Path) -> int:
    """Start a command in a forked process that leads a group of its own; return when it begins."""
    begun, begins = os.pipe()
    pid = os.fork()
    if pid:
        os.close(begins)
        os.read(begun, 1)
        os.close(begun)
        return pid
    code = 1
    for number in PROMISED:  # as a new process has them, not as this one
        signal.signal(number, signal.SIG_DFL)
    try:
        os.setsid()
        os.chdir(place / "in")
        os.environ.update(PRESTIGE_CACHE=str(place / "cache"), TMPDIR=str(place / "tmp"))
        for number, name in ((1, "said"), (2, "told")):
            with (place / name).open("wb") as file:
                os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        os.write(begins, b".")
        command(*one.arguments)
        code = 0
    except BaseException as error:  # noqa: BLE001 - its code is what counts
        code = getattr(error, "code", 1)
        if not hasattr(error, "code"):
            import traceback

            traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, seconds: float) -> int | None:
    """Return the wait status, or None when the process has not ended in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.003)
    return None


def _ended(pid: int, seconds: float = 120.0) -> int | None:
    status = _wait(pid, seconds)
    if status is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return status


def _group_ended(pid: int, seconds: float = 120.0) -> bool:
    """Wait until no worker of a command is left."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    os.killpg(pid, signal.SIGKILL)
    return False


def _ready(one: Command, place: Path, sound: Path) -> Path:
    _place(place)
    shutil.copytree(sound / "kills", place / "in", symlinks=True)
    if one.name == "report":
        shutil.move(place / "in" / "bench", place / "out")
    return place


def _contents(place: Path) -> dict[str, str]:
    """Return a hash of every file of the results, and of what was said, without the minute of a page."""
    found = {}
    for path in [*sorted((place / "out").rglob("*")), place / "said"]:
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".html":
                content = _MINUTE.sub(b"", content)
            name = path.relative_to(place).as_posix()
            found[name] = hashlib.blake2b(content, digest_size=8).hexdigest()
    return found


@dataclass
class Undisturbed:
    """What a command writes that nobody kills: seconds, files whose bytes are always the same, names."""

    seconds: float
    same: dict[str, str]
    names: set[str]
    kept: set[str]


def undisturbed(one: Command, place: Path, sound: Path) -> Undisturbed:
    """Run a command twice: here, to load what it needs, and in a process of its own.

    Raises
    ------
    RuntimeError
        When it fails, or what must be the same is not.
    """
    first = {} if one.jobs > 1 else _here(one, place, sound)
    while True:
        _ready(one, place, sound)
        began = time.perf_counter()
        status = _ended(_start(one, place))
        seconds = time.perf_counter() - began
        if status != 0:
            raise RuntimeError(
                f"{one.name} fails undisturbed: {status} {(place / 'told').read_text()[-2000:]}"
            )
        second = _contents(place)
        if first:
            break
        first = second
    same = {
        name: value
        for name, value in second.items()
        if (first.get(name) == value or name == "said") and not name.startswith(LOGS)
    }
    must = [name for name in second if any(fnmatch.fnmatch(name, pattern) for pattern in MUST_BE_SAME)]
    unlike = [name for name in must if name not in same]
    if unlike:
        raise RuntimeError(f"{one.name} writes other bytes each time: {unlike[:5]}")
    return Undisturbed(seconds, same, set(second), _names(place / "cache"))


def _here(one: Command, place: Path, sound: Path) -> dict[str, str]:
    """Run a command in this very process and return what it wrote."""
    here, cache = os.getcwd(), os.environ.get("PRESTIGE_CACHE", "")
    _ready(one, place, sound)
    os.chdir(place / "in")
    os.environ["PRESTIGE_CACHE"] = str(place / "cache")
    with _quiet(place):
        command(*one.arguments)
    os.chdir(here)
    os.environ["PRESTIGE_CACHE"] = cache
    return _contents(place)


def _names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def _faults(one: Command, place: Path, expected: Undisturbed, before: dict[str, Any]) -> list[str]:
    """List what is not as if nobody had killed the command."""
    found = _contents(place)
    faults = [
        f"other bytes: {name}"
        for name, value in expected.same.items()
        if name in found and found[name] != value
    ]
    faults += [f"missing: {name}" for name in expected.names - found.keys()]
    faults += [f"left: {name}" for name in found.keys() - expected.names if not name.startswith(LOGS)]
    faults += [f"left: cache/{name}" for name in sorted(_names(place / "cache") - expected.kept)]
    faults += [f"left: tmp/{name}" for name in sorted(_names(place / "tmp"))]
    faults += [
        f"left: {path.name}" for path in (place / "out").rglob("*") if path.name.endswith(watched.PARTIAL)
    ]
    faults += ["the inputs were changed"] if watched.state(place / "in") != before else []
    return sorted(set(faults))


def _killed(one: Command, place: Path, expected: Undisturbed, rng: Random) -> dict[str, Any] | None:
    """Start the command and end it at a random moment; None where it was quicker."""
    sent = rng.choice(SIGNALS)
    after = rng.uniform(0.0, expected.seconds)
    pid = _start(one, place)
    status = _wait(pid, after)
    if status is not None:
        return (
            None
            if status == 0
            else {"signal": "none", "after": after, "fault": f"exit {status}: {_told(place)}"}
        )
    group = one.jobs > 1 and rng.random() < 0.5
    os.killpg(pid, sent) if group else os.kill(pid, sent)
    status = _ended(pid, 30.0)
    out: dict[str, Any] = {"signal": sent.name, "after": round(after, 3)}
    if status is None:
        return out | {"fault": "did not end within 30 s"}
    if sent == signal.SIGKILL or (os.WIFSIGNALED(status) and after < BEGINS_SECONDS):
        return out
    code = os.waitstatus_to_exitcode(status)
    if code == 0:
        return out  # it had ended its work
    lines = [line for line in (place / "told").read_text(errors="replace").splitlines() if line.strip()]
    others = [line for line in lines if not watched.OURS.match(line)]
    if code not in PROMISED[sent]:
        return out | {"fault": f"exit code {code} after {sent.name}: {_told(place)}"}
    if others or sum(line.startswith("prestige: ") for line in lines) != 1:
        return out | {"fault": f"not one line after {sent.name}: {(others or lines or ['nothing'])[0][:200]}"}
    return out


def _told(place: Path) -> str:
    return " / ".join((place / "told").read_text(errors="replace").strip().splitlines()[-3:])[:300]


def round_of(
    one: Command, seed: int, place: Path, sound: Path, expected: Undisturbed, most: int
) -> dict[str, Any]:
    """Kill a command some times, let it through, and compare."""
    rng = Random(f"{one.name}-{seed}")
    _ready(one, place, sound)
    before = watched.state(place / "in")
    kills: list[dict[str, Any]] = []
    for _ in range(min(most, rng.randrange(3, 9))):
        killed = _killed(one, place, expected, rng)
        if killed is None:
            break
        kills.append(killed)
    pid = _start(one, place)
    status = _ended(pid)
    alone = _group_ended(pid)
    faults = [kill["fault"] for kill in kills if "fault" in kill]
    faults += [] if alone else ["a worker did not end"]
    if status != 0:
        faults.append(f"the last run ended with {status}: {_told(place)}")
    else:
        faults += _faults(one, place, expected, before)
    return {"command": one.name, "seed": seed, "kills": kills, "faults": faults}


def worker(quotas: dict[str, int], seed: int, place: Path, sound: Path) -> list[dict[str, Any]]:
    """Kill each command as often as its quota says; return the rounds."""
    found: list[dict[str, Any]] = []
    for one in COMMANDS:
        left, number = quotas.get(one.name, 0), 0
        if not left:
            continue
        expected = undisturbed(one, place, sound)
        idle, began = 0, time.monotonic()
        while left > 0 and idle < 40:
            done = round_of(one, seed * 1000 + number, place, sound, expected, left)
            left -= len(done["kills"])
            idle = 0 if done["kills"] else idle + 1
            number += 1
            if done["kills"] or done["faults"]:
                found.append(done)
        print(f"{one.name}: {quotas[one.name] - left} kills, {time.monotonic() - began:.0f} s", flush=True)
    return found


def quotas(kills: int, jobs: int, only: Sequence[str] = ()) -> list[dict[str, int]]:
    """Return for each worker how many kills of each command are its part."""
    chosen = [one for one in COMMANDS if not only or one.name in only]
    total = sum(one.weight for one in chosen)
    out: list[dict[str, int]] = [{} for _ in range(jobs)]
    for one in chosen:
        n = round(kills * one.weight / total)
        for rank in range(jobs):
            out[rank][one.name] = n // jobs + (rank < n % jobs)
    return out
