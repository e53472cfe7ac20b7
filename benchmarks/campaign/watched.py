"""One input in a process of its own: bounded, watched, and told by class how it ended."""

from __future__ import annotations

import ctypes
import faulthandler
import json
import os
import re
import resource
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campaign.doors import Ended
from campaign.values import MARK

SECONDS = 10
"""Of one core; a sound input takes a fraction of one."""
MEMORY = 3 << 30
"""More than the process has at its start."""
LONGEST_LINE = 2000
PARTIAL = ".partial"
"""So ends the name of what is being written."""
CLASSES = (
    "line",
    "line with chatter",
    "same result",
    "another result",
    "traceback",
    "memory",
    "endless",
    "crash",
    "reached",
    "files left",
)
OURS = re.compile(r"prestige: |  |audit: |note: |run [^:]+: |\[\d+/\d+\] |\d+ faults:$")
_CALLS = {
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.sendto",
    "urllib.Request",
    "ftplib.connect",
    "smtplib.connect",
    "ctypes.dlopen.outside",
}
_WRITES = {
    "os.mkdir",
    "os.rename",
    "os.remove",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "shutil.rmtree",
}
_SYSTEM = ("/usr", "/lib", "/lib64", "/proc", "/sys", "/dev/null", "/dev/urandom", "/dev/shm", "/etc", "/opt")
_SAFE_PICKLES = (
    "numba",
    "llvmlite",
    "numpy",
    "prestige",
    "builtins.set",
    "builtins.frozenset",
    "collections",
    "copyreg",
    "types",
)


class _Watch:
    """Notes every call that leaves the folder of the input, as Python's own audit tells of it."""

    def __init__(self, folder: Path, sound: Path) -> None:
        self.seen: list[str] = []
        self._inside, self._outside = str(folder), str(sound)
        named = [sys.prefix, sys.base_prefix, *sys.path, os.environ.get("NUMBA_CACHE_DIR", "/usr")]
        named += [os.path.expanduser(f"~/.{part}/matplotlib") for part in ("cache", "config")]
        self._system = tuple({os.path.realpath(part) for part in named if part} | {*_SYSTEM, sys.prefix})

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._opened(*arguments)
        elif event in _CALLS:
            self.seen.append(f"{event} {arguments!r}"[:200])
        elif event == "subprocess.Popen":
            program = os.path.realpath(os.fsdecode(arguments[0]))
            if program != os.path.realpath(sys.executable):
                self.seen.append(f"{event} {arguments!r}"[:200])
        elif event in _WRITES:
            self._written(event, arguments[0])
        elif event == "pickle.find_class" and not ".".join(map(str, arguments)).startswith(_SAFE_PICKLES):
            self.seen.append(f"{event} {'.'.join(map(str, arguments))}")

    def _opened(self, path: Any, mode: str | None, flags: int | None) -> None:
        if not isinstance(path, str | bytes):
            return
        path = os.path.abspath(os.fsdecode(path))
        wants = bool((flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) or set(mode or "") & set("wax+"))
        if path.startswith(self._inside) or (wants and path.startswith(("/dev/null", "/proc/self"))):
            return
        if path.startswith(self._outside) or not path.startswith(self._system):
            self.seen.append(f"{'writes' if wants else 'reads'} {path}")

    def _written(self, event: str, path: Any) -> None:
        if isinstance(path, str | bytes) and not os.path.abspath(os.fsdecode(path)).startswith(self._inside):
            self.seen.append(f"{event} {path!r}")


def child(door: Callable[[Path, Path], object], place: Path, sound: Path) -> dict[str, Any]:
    """Open the door; what is said goes to the file ``said``."""
    folder, watch = place / "in", _Watch(place, sound)
    os.chdir(folder)
    os.environ.update(
        PRESTIGE_CACHE=str(folder / "cache") if (folder / "cache").is_dir() else str(place / "cache"),
        TMPDIR=str(place / "tmp"),
    )
    import tempfile

    tempfile.tempdir = str(place / "tmp")
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    memory = _size() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    sys.addaudithook(watch)
    from prestige.errors import PrestigeError

    outcome: dict[str, Any]
    try:
        outcome = {"class": "result", "value": door(folder, place / "out")}
    except PrestigeError as error:
        outcome = {"class": "line"}
        print(f"prestige: {error}", file=sys.stderr)
    except Ended as error:
        outcome = {"class": "line" if error.code == 2 else "traceback", "value": f"exit code {error.code}"}
    except MemoryError as error:
        outcome = {"class": "memory", "value": _last(error)}
    except BaseException as error:  # noqa: BLE001 - that is what is looked for
        outcome = {"class": "traceback", "value": _last(error)}
    outcome["seen"] = list(watch.seen)
    return outcome


def _last(error: BaseException) -> str:
    """Return an exception with the last places in this package, innermost first."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [
        f"{frame.filename.partition('/prestige/')[2]}:{frame.lineno}"
        for frame in frames
        if "/prestige/" in frame.filename
    ]
    words = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}: {words} at {', '.join(reversed(ours[-3:]))}"


def _size() -> int:
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


class Reached:
    """Whether anything in a folder is opened, by whomever: the kernel tells."""

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._file = self._libc.inotify_init1(os.O_NONBLOCK)
        opened = 0x20
        if self._file < 0 or self._libc.inotify_add_watch(self._file, os.fsencode(folder), opened) < 0:
            raise OSError(ctypes.get_errno(), "inotify")

    def names(self) -> list[str]:
        """Return the files that were opened since the last call."""
        found: list[str] = []
        while select.select([self._file], [], [], 0)[0]:
            data = os.read(self._file, 1 << 16)
            at = 0
            while at < len(data):
                length = struct.unpack_from("iIII", data, at)[3]
                found.append(data[at + 16 : at + 16 + length].rstrip(b"\0").decode())
                at += 16 + length
        return sorted({name for name in found if name})


def run_apart(act: Callable[[], Any], place: Path, seconds: float) -> tuple[int | None, Any]:
    """Run something in a forked process; return its wait status (None: out of time) and what it gave."""
    answer = place / "answer.json"
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            faulthandler.disable()
            with (place / "said").open("wb") as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            value = act()
            sys.stdout.flush()
            sys.stderr.flush()
            answer.write_text(json.dumps(value, default=str), encoding="utf-8", errors="surrogatepass")
        except BaseException:  # noqa: BLE001 - told by the missing answer
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(0)
    end = time.monotonic() + seconds
    pause = 0.002
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() > end:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None, None
        time.sleep(pause)
        pause = min(0.02, pause * 1.2)
    return status, json.loads(
        answer.read_text(encoding="utf-8", errors="surrogatepass")
    ) if answer.is_file() else None


def state(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return what lies in a folder, with kinds, sizes and times."""
    found = {}
    for root, dirs, files in os.walk(folder):
        for name in (*dirs, *files):
            path = os.path.join(root, name)
            stat = os.lstat(path)
            is_file = (stat.st_mode & 0o170000) == 0o100000
            found[os.path.relpath(path, folder)] = (
                stat.st_mode,
                stat.st_size if is_file else 0,
                stat.st_mtime_ns if is_file else 0,
            )
    return found


def judge(status: int | None, answer: Any, said: str) -> tuple[str, str]:
    """Return the class of an outcome before it is compared, and words on it."""
    if status is None:
        return "endless", said[-300:]
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU or (number == signal.SIGKILL and answer is None):
            return "endless", said[-300:]
        return "crash", f"{signal.Signals(number).name} {said[-300:]}"
    if answer is None:
        return ("memory" if "MemoryError" in said else "crash"), said[-300:]
    if answer["seen"]:
        return "reached", "; ".join(answer["seen"][:3])
    if answer["class"] != "line":
        return answer["class"], str(answer.get("value", ""))
    lines = [line for line in said.splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("prestige: ")]
    if len(ours) != 1:
        return "line with chatter", f"{len(ours)} lines of ours: {said[:300]}"
    others = [line for line in lines if not OURS.match(line)]
    long = [line for line in lines if len(line) > LONGEST_LINE + 200]
    if "listed above" in ours[0]:
        others = []
    if others or long:
        return "line with chatter", (others or long)[0][:300]
    told = said[said.index("prestige: ") :].strip()
    return "line", told


def leftovers(place: Path, before: dict[str, Any], writes: tuple[str, ...], refused: bool) -> list[str]:
    """List what an input left that it must not leave."""
    found = [f"tmp/{name}" for name in state(place / "tmp")]
    after = state(place / "in")
    mine = ("cache", *writes)
    found += [
        f"in/{name}"
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name) and name.split("/")[0] not in mine
    ]
    made = [path for part in ("out", "cache", "in") for path in (place / part).rglob("*")]
    old = {place / "in" / name for name in before}
    found += [
        str(path.relative_to(place)) for path in made if path.name.endswith(PARTIAL) and path not in old
    ]
    if refused and (place / "out").exists():
        found += [
            f"out/{name}"
            for name in state(place / "out")
            if name not in ("inspection.csv", "index.html", "bench", "split")
        ]
    return found


def marked(place: Path) -> bool:
    """Whether code that was smuggled in was executed."""
    return any(path.name == MARK for path in place.rglob(MARK))
