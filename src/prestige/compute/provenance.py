"""What a result was made with: versions, hardware, threads, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "prestige-st",
    "torch",
    "timm",
    "lightning-fabric",
    "numpy",
    "scipy",
    "pandas",
    "anndata",
    "scikit-learn",
)


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on."""
    by_package = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            by_package[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            by_package[name] = "not installed"
    return by_package


def hardware(device: str) -> dict[str, str | int]:
    """Return the processor, the cores and threads in use, and the device that was computed on."""
    import torch

    name = torch.cuda.get_device_name() if device == "cuda" else device
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "device": name,
        "platform": platform.platform(),
    }


def forget_peak_memory() -> None:
    """Let :func:`peak_memory_bytes` count from here on, where the system can (Linux)."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held, in bytes, since it was last asked to forget."""
    with suppress(OSError, StopIteration, ValueError, IndexError):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def working_seconds() -> float:
    """Return a clock that stands still while other work on the machine holds this thread's processor.

    It is the wall clock less the time that this thread was ready to run and had to wait (Linux keeps
    count of it; elsewhere it is the wall clock).  Differences of it are what something takes on an
    otherwise idle machine, so a budget of minutes buys as much on a busy one.
    """
    try:
        waited = int(Path("/proc/thread-self/schedstat").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        waited = 0
    return time.perf_counter() - waited * 1e-9


def _cpu_name() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
