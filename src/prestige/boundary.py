"""Where the command line meets its surroundings: streams, other libraries' chatter, lack of memory."""

from __future__ import annotations

import errno
import logging
import os
import sys
import traceback
import warnings
from contextlib import suppress
from types import TracebackType

from prestige.compute.progress import say
from prestige.errors import PrestigeError, one_line

_OTHERS = (
    "anndata",
    "filelock",
    "fontTools",
    "h5py",
    "httpx",
    "huggingface_hub",
    "lightning_fabric",
    "matplotlib",
    "numba",
    "numcodecs",
    "PIL",
    "tifffile",
    "timm",
    "torch",
    "zarr",
)
# What libraries say of memory that they do not get; none has a class for it in common with another.
_NO_MEMORY = (
    "out of memory",
    "not enough memory",
    "allocate memory",
    "unable to allocate",
    "failed to allocate",
    "memory allocation failed",
    "bad_alloc",
    "could not create a memory object",
    "alloc_failed",
    "can't start new thread",
    "failed to map segment",
)
_RESERVE: list[bytearray] = []
_RESERVE_BYTES = 1 << 25


def open_streams() -> None:
    """Put something in place of closed standard streams: a file opened later would be taken for one."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - for good


def silence_others() -> None:
    """Let no library warn or log on the terminal, unless Python was asked for warnings."""
    os.environ.setdefault("HF_HUB_DISABLE_SYMLINKS_WARNING", "1")
    os.environ.setdefault("TQDM_DISABLE", "0" if sys.stderr.isatty() else "1")
    logging.raiseExceptions = False  # of a log that cannot be written
    logging.getLogger().addHandler(logging.NullHandler())
    for name in _OTHERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        warnings.showwarning = _unheard  # of libraries that set filters of their own


def _unheard(*_: object, **__: object) -> None:
    """Hear a warning and say nothing."""


def tell_defect(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say that what nobody foresaw is a defect of this package, and where."""
    say(f"prestige: a defect of prestige ({kind.__name__}: {one_line(str(error), 200)}), no fault of yours:")
    say("please report it with the command and with what follows")
    say("".join(traceback.format_exception(kind, error, trace)).rstrip())


def keep_reserve() -> None:
    """Put some memory by, with which a lack of memory can be said."""
    _RESERVE.append(bytearray(_RESERVE_BYTES))


def lack_of_memory(error: Exception) -> PrestigeError | None:
    """Return the one line for memory that does not suffice; None for anything else.

    What a library makes of it may say something else, and have it as its cause.
    """
    _RESERVE.clear()
    first: BaseException | None = error
    while first is not None and not _is_lack(first):
        first = first.__cause__ or first.__context__
    if first is None:
        return None
    text = str(first)
    on_gpu = "CUDA" in text or "CUBLAS" in text.upper()
    return PrestigeError(
        f"the {'memory of the GPU' if on_gpu else 'memory'} does not suffice "
        f"({one_line(text, 120) or type(error).__name__})",
        remedy="a smaller `batch_size`, smaller patches, fewer --jobs or other programs ended; "
        "run the same command to go on",
    )


def _is_lack(error: BaseException) -> bool:
    of_the_system = isinstance(error, OSError) and error.errno == errno.ENOMEM
    said = any(words in str(error).lower() for words in _NO_MEMORY)
    return isinstance(error, MemoryError) or of_the_system or said


def drop_output() -> None:
    """Let what is still to be written to standard output go nowhere: nobody reads it."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def end_output() -> None:
    """Write what standard output still holds, in silence where it cannot be written."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        drop_output()
