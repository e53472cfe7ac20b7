"""A scanner's slide of unknown origin, opened and read in part by a process that may be lost over it.

openslide is written in C, and what it claims memory with ends the process when a file asks for too much.

This module is run as a program (``tried.py`` starts it) and imports nothing large but
openslide.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from typing import Any

_SQUARE_PX, _SQUARES = 32, 5
_MEMORY = 3 << 29  # bytes
_SECONDS = 20.0  # of the processor


def serve() -> None:
    """Answer a line of JSON (the path of a file) with a line of JSON, until there is none."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # these are for the parent, which then ends this process
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)  # what C libraries say of a damaged file
    for line in sys.stdin:
        path = json.loads(line)
        _limit()
        answer = trial(path)
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _limit() -> None:
    """Let the system end this process when it takes longer or more memory than a sound slide asks for."""
    import resource

    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    with suppress(OSError, ValueError):  # not every system knows these
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as statm:
            used = int(statm.read().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, hard))


def trial(path: str) -> dict[str, Any]:
    """Open a slide, and read squares on a grid over each of its levels.

    What cannot be read is passed over: it is told when it is asked for.
    """
    import openslide

    read = 0
    with suppress(openslide.OpenSlideError), openslide.OpenSlide(path) as slide:
        dict(slide.properties)
        for level, (width, height) in enumerate(slide.level_dimensions):
            down = slide.level_downsamples[level]
            for row in range(_SQUARES):
                for column in range(_SQUARES):
                    share = down * (2 * column + 1) / (2 * _SQUARES), down * (2 * row + 1) / (2 * _SQUARES)
                    place = int(width * share[0]), int(height * share[1])
                    slide.read_region(place, level, (_SQUARE_PX, _SQUARE_PX))
                    read += 1
    return {"read": read}


if __name__ == "__main__":
    serve()
