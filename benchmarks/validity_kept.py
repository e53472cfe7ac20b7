"""What the trial has found so far, in `validity.json`: a record for each seed, or one for many.

The rows take hours, so what a seed gave stays in the repository and is not done again. ``seeds`` are the
first and the last that a record stands for; of many, ``passed`` is how many passed, sums are sums and means
are means.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

KEPT = Path(__file__).resolve().with_name("validity.json")

Record = dict[str, Any]


def n_seeds(record: Mapping[str, Any]) -> int:
    """Return how many seeds a record stands for."""
    first, last = record["seeds"]
    return last - first + 1


def seeds_of(records: Iterable[Mapping[str, Any]]) -> set[int]:
    """Return the seeds that are done."""
    return {seed for one in records for seed in range(one["seeds"][0], one["seeds"][1] + 1)}


def read(path: Path = KEPT) -> dict[str, list[Record]]:
    """Return the records of every row."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def joined(earlier: Iterable[Record], folder: Path) -> list[Record]:
    """Return a row's records with those of a folder, one file a seed, in the order of the seeds."""
    records = list(earlier)
    done = seeds_of(records)
    for file in folder.glob("*.json"):
        seed = int(file.stem)
        if seed not in done:
            records.append({"seeds": [seed, seed]} | json.loads(file.read_text(encoding="utf-8")))
    return sorted(records, key=lambda one: one["seeds"])


def write(kept: Mapping[str, list[Record]], path: Path = KEPT) -> None:
    """Write the records, one a line."""
    rows = [
        f"{json.dumps(row)}: [\n" + ",\n".join(f"  {json.dumps(one)}" for one in records) + "\n]"
        for row, records in kept.items()
    ]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")
