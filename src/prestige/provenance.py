"""What a result was made with: versions, hardware, threads, memory."""

from __future__ import annotations

import os
import platform
import resource
import sys
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
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


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


def peak_memory_bytes() -> int:
    """Return the most memory that this process has held so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
