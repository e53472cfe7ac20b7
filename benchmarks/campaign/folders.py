"""Changes of folders that this package wrote: prepared samples, the cache, runs, benches."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd

from campaign import tables
from campaign.kinds import VALUE, Change
from campaign.models import npy_of, tensors_of
from campaign.texts import values_of
from campaign.values import bytes_of, change_bytes, json_of, replaced, text_of


def same_size(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of bytes that leaves the size and the time of the file."""

    def apply(folder: Path, rng: Random) -> str:
        path = rng.choice(
            sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        )
        stat, data = path.stat(), bytearray(path.read_bytes())
        at = rng.randrange(len(data))
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(bytes(data))
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return f"{path.relative_to(folder)}: byte {at}, size and time as before"

    return apply


def gone(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change that takes a file or folder away."""

    def apply(folder: Path, rng: Random) -> str:
        path = rng.choice(sorted({path for pattern in patterns for path in folder.glob(pattern)}))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        return f"{path.relative_to(folder)} gone"

    return apply


def strangers(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change that puts a file of nobody's into a folder."""

    def apply(folder: Path, rng: Random) -> str:
        where = rng.choice(
            sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_dir()})
        )
        name = rng.choice(
            (
                ".DS_Store",
                "._x",
                "notes.txt",
                ".x.0123456789ab.partial",
                "PID-1",
                "x.tmp",
                "1",
                "a b",
                "é.json",
            )
        )
        (where / name).write_bytes(b"\x00x")
        return f"{(where / name).relative_to(folder)} beside"

    return apply


def card_bytes(folder: Path, rng: Random) -> str:
    """Change a file and let sample.json agree with its new size."""
    card = rng.choice(sorted(folder.glob("**/sample.json")))
    name = rng.choice(("slide.npy", "table.h5ad"))
    path = card.parent / name
    data, words = change_bytes(path.read_bytes(), rng)
    path.unlink()  # a slide may be a link
    path.write_bytes(data)
    content = json.loads(card.read_text())
    content["bytes"][name] = len(data)
    card.write_text(json.dumps(content))
    return f"{name}: {words}, with its size"


def parquet_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the columns or values of a parquet file."""

    def apply(folder: Path, rng: Random) -> str:
        path = rng.choice(
            sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        )
        table = pd.read_parquet(path)
        column = rng.choice(list(table.columns))
        way = rng.choice(
            ("gone", "renamed", "as text", "NaN", "odd", "no rows", "rows twice", "infinite", "lists")
        )
        if way == "gone":
            table = table.drop(columns=column)
        elif way == "renamed":
            table = table.rename(columns={column: f"{column} "})
        elif way == "as text":
            table[column] = table[column].astype(str)
        elif way == "NaN":
            table[column] = np.nan
        elif way == "odd":
            table[column] = rng.choice((-1, 10**9, "x", True))
        elif way == "no rows":
            table = table.iloc[:0]
        elif way == "rows twice":
            table = pd.concat([table, table])
        elif way == "infinite":
            table[column] = np.inf
        else:
            table[column] = [[1, 2]] * len(table)
        table.to_parquet(path, index=False)
        return f"{path.relative_to(folder)}: {column} {way}"

    return apply


def npz_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the arrays in an .npz file."""

    def apply(folder: Path, rng: Random) -> str:
        path = rng.choice(
            sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
        )
        with np.load(path) as file:
            parts = {name: file[name] for name in file.files}
        name = rng.choice(sorted(parts))
        array = parts[name]
        way = rng.choice(
            ("gone", "one less", "NaN", "text", "object", "transposed", "scalar", "negative", "renamed")
        )
        made = {
            "one less": lambda: array[:-1] if array.ndim else array,
            "NaN": lambda: np.full(array.shape, np.nan),
            "text": lambda: np.full(array.shape, "x"),
            "object": lambda: np.array([_Touch()], dtype=object),
            "transposed": lambda: array.T,
            "scalar": lambda: np.array(1.0),
            "negative": lambda: -array if array.dtype.kind in "fi" else array,
        }
        if way == "gone":
            del parts[name]
        elif way == "renamed":
            parts[name + "_"] = parts.pop(name)
        else:
            parts[name] = made[way]()
        np.savez(path, allow_pickle=True, **parts)
        return f"{path.relative_to(folder)}: {name} {way}"

    return apply


class _Touch:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch EXECUTED",)


_OTHER = "the folder says another thing of its run, and keeps no check of it"
_RUN = (
    "{0}/manifest.json",
    "{0}/scores.parquet",
    "{0}/moments.npz",
    "{0}/history.csv",
    "{0}/DONE",
    "{0}/config.yaml",
    "{0}/log.txt",
)


def _within(folder: str) -> tuple[str, ...]:
    return tuple(name.format(folder) for name in _RUN)


def of_runs(run: str) -> tuple[Change, ...]:
    """Return the changes of a finished run's folder, or of those that match."""
    return (
        Change("manifest", json_of(f"{run}/manifest.json")),
        Change("scores", parquet_of(f"{run}/scores.parquet")),
        Change("moments", npz_of(f"{run}/moments.npz")),
        Change("history", text_of(f"{run}/history.csv")),
        Change("marker", text_of(f"{run}/DONE")),
        Change("bytes of a run", bytes_of(*_within(run))),
        Change(
            "parts gone",
            gone(*_within(run), f"{run}/predictions", f"{run}/predictions/*", f"{run}/model"),
            _OTHER,
        ),
        Change("parts replaced", replaced(*_within(run))),
        Change("beside", strangers(run, f"{run}/predictions", f"{run}/model")),
        Change("stored model", tensors_of(f"{run}/model/model.safetensors")),
        Change("predictions", bytes_of(f"{run}/predictions/*.h5ad")),
    )


PREPARED = (
    Change("card", json_of("prepared/sample.json"), "another pixel size or note"),
    Change("slide's header", npy_of("prepared/slide.npy"), "the same bytes in another shape"),
    Change("bytes with size", card_bytes, VALUE),
    Change("bytes", bytes_of("prepared/*"), VALUE),
    Change("same size", same_size("prepared/*"), VALUE),
    Change("gone", gone("prepared/*")),
    Change("beside", strangers("prepared")),
    *tables.changes("prepared/table.h5ad"),
)
_KEPT = ("cache/index/*", "cache/samples/*/*", "cache/slides/*")
CACHE = (
    Change("index", json_of("cache/index/*.json")),
    Change("card", json_of("cache/samples/*/sample.json")),
    Change("slide's header", npy_of("cache/slides/*.npy")),
    Change(
        "same size",
        same_size(*_KEPT),
        "a byte in the middle of a large slide: all of it is hashed on demand alone",
    ),
    Change("bytes", bytes_of(*_KEPT)),
    Change("bytes with size", card_bytes, "the card of the cache vouches for the changed file"),
    Change("gone", gone(*_KEPT, "cache/samples/*", "cache/index", "cache/slides")),
    Change("replaced", replaced(*_KEPT)),
    Change("beside", strangers("cache", "cache/samples", "cache/slides", "cache/index", "cache/samples/*")),
)
BENCH = (
    *of_runs("bench/runs/*"),
    Change("record", json_of("bench/bench.json"), _OTHER),
    Change("settings", values_of("bench/bench.yaml")),
    Change("sides", parquet_of("bench/split/*.parquet"), _OTHER),
    Change("ceilings", parquet_of("bench/truth/*/ceilings.parquet"), _OTHER),
    Change("truth", bytes_of("bench/truth/*/*"), VALUE),
    Change("bytes", bytes_of("bench/bench.json", "bench/bench.yaml", "bench/split/*"), VALUE),
    Change(
        "gone",
        gone(
            "bench/bench.json",
            "bench/bench.yaml",
            "bench/split",
            "bench/truth",
            "bench/runs/*",
            "bench/report",
        ),
        _OTHER,
    ),
    Change(
        "replaced",
        replaced("bench/bench.json", "bench/bench.yaml", "bench/split/*", "bench/truth/*/*"),
        _OTHER,
    ),
    Change("strangers", strangers("bench", "bench/runs", "bench/truth", "bench/report")),
)
