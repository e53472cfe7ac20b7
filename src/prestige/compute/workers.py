"""Local workers: further processes that do the same work, for as long as this one lasts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from prestige.compute.progress import say
from prestige.errors import storing

_SECONDS_TO_END = 10.0


@contextmanager
def local_workers(n: int, command: Sequence[str], logs: Path) -> Iterator[None]:
    """Run a command in ``n`` processes while the block runs.

    The processes end by themselves when there is nothing left to do; where the block fails they are ended.
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
                    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
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
        if process.wait():
            say(f"a worker failed: see {logs / f'{number}.log'}")
