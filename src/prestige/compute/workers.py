"""Local workers: further processes that do the same work, for as long as this one lasts."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prestige.compute.progress import say
from prestige.compute.signals import for_child
from prestige.errors import storing

_SECONDS_TO_END = 15.0  # less than a cluster gives between SIGTERM and SIGKILL


@contextmanager
def local_workers(n: int, command: Sequence[str], logs: Path) -> Iterator[None]:
    """Run a command in ``n`` processes while the block runs.

    The processes end by themselves when there is nothing left to do; where the block fails they are ended,
    and with this process, whatever ends it.
    One that failed is named, and nothing else happens: what it left undone is for the others.

    Parameters
    ----------
    logs
        The folder of ``1.log``, ``2.log``, ..., which take what the processes say.

    Raises
    ------
    StorageError
        When a log cannot be written.
    """
    running: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(1, n + 1):
            with storing(logs):
                logs.mkdir(parents=True, exist_ok=True)
                file = (logs / f"{number}.log").open("ab")
            with file:
                running.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=file,
                        stderr=subprocess.STDOUT,
                        env=for_child(),
                    )
                )
        yield
    except BaseException:
        for process in running:
            process.terminate()
        for process in running:
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
            process.kill()
        raise
    for number, process in enumerate(running, 1):
        code, log = process.wait(), logs / f"{number}.log"
        if code == -signal.SIGKILL:
            say(f"a worker was killed, by hand or for want of memory (fewer --jobs need less): see {log}")
        elif code:
            say(f"a worker failed: see {log}")
