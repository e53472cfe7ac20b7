"""Features of patches, kept: computed once for a slide, an encoder and a patch, shared by all that read them.

A store is a folder ``CACHE/features/<key>`` of chunks; the key is a hash of what made them.  What an encoder
sees depends on the first column and row of a patch's window alone, so that is what a feature is found by: the
same cell in another split, or another head on the same features, costs a look-up.  A chunk is written under
another name and renamed when whole, and never changed: several processes may add to one store.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Int, Int64

from prestige.compute.files import whole_folder
from prestige.compute.integrity import damage, vouch
from prestige.errors import DataError, PrestigeError, reading
from prestige.inputs import read_json_object

FOLDER = "features"
_PLACES, _VALUES, _SUMS = "places.npy", "values.npy", "sums.json"
_ACROSS = np.int64(1) << 32


class FeatureStore:
    """The features of one slide by one encoder at one patch.

    Parameters
    ----------
    cache_dir
        Where the cache lies.
    key
        Hash of what makes the features: slide, encoder with its weights, patch.
    n_features
        Width f of a feature.
    """

    def __init__(self, cache_dir: Path, key: str, n_features: int) -> None:
        self.folder = Path(cache_dir) / FOLDER / key
        self._width = n_features
        self._chunks: list[np.ndarray] = []  # their features, mapped
        self._read: set[str] = set()
        self._place = np.empty(0, dtype=np.int64)  # sorted, with the chunk and the row where each is found
        self._chunk, self._row = np.empty((2, 0), dtype=np.int64)
        self.refresh()

    def __len__(self) -> int:
        return len(self._place)

    def refresh(self) -> None:
        """Look for chunks that were added since, by whichever process; broken ones are passed over."""
        places, chunks, rows = [self._place], [self._chunk], [self._row]
        for folder in sorted(self.folder.glob("*.chunk")):
            if folder.name in self._read:
                continue
            self._read.add(folder.name)
            # Removed to stay within the limit, cut off, or not as it was written.
            with contextlib.suppress(PrestigeError), reading(folder):
                _refuse_damaged(folder)
                place = np.load(folder / _PLACES, allow_pickle=False)
                value = np.load(folder / _VALUES, allow_pickle=False, mmap_mode="r")
                if value.shape == (len(place), self._width) and place.dtype == np.int64:
                    places.append(place)
                    chunks.append(np.full(len(place), len(self._chunks)))
                    rows.append(np.arange(len(place)))
                    self._chunks.append(value)
        if len(places) > 1:
            self._place, first = np.unique(np.concatenate(places), return_index=True)
            self._chunk, self._row = np.concatenate(chunks)[first], np.concatenate(rows)[first]
        with contextlib.suppress(OSError):
            os.utime(self.folder)  # used now: the cache's limit takes others first

    def find(
        self, start: Int[np.ndarray, "n 2"]
    ) -> tuple[Float32[np.ndarray, "n f"], Bool[np.ndarray, " n"]]:
        """Return the features of windows by their first column and row, and which of them are there.

        What was added since the last :meth:`refresh` is not.  Rows of windows that are not there are 0.
        """
        wanted = _as_one(start)
        out = np.zeros((len(wanted), self._width), dtype=np.float32)
        at = np.minimum(np.searchsorted(self._place, wanted), max(len(self._place) - 1, 0))
        there = self._place[at] == wanted if len(self._place) else np.zeros(len(wanted), dtype=bool)
        known = np.flatnonzero(there)
        for chunk in np.unique(self._chunk[at[known]]):
            some = known[self._chunk[at[known]] == chunk]
            out[some] = self._chunks[chunk][self._row[at[some]]]
        return out, there

    def add(self, start: Int[np.ndarray, "n 2"], features: Float32[np.ndarray, "n f"]) -> None:
        """Keep the features of some windows.

        Raises
        ------
        StorageError
            When they cannot be written; nothing half-written is left.
        """
        if not len(start):
            return
        places = _as_one(start)
        name = f"{uuid.uuid4().hex[:16]}.chunk"
        with whole_folder(self.folder / name) as partial:
            np.save(partial / _PLACES, places)
            np.save(partial / _VALUES, features)
            sums = {name: vouch(partial / name) for name in (_PLACES, _VALUES)}
            (partial / _SUMS).write_text(json.dumps(sums), encoding="utf-8")


def _refuse_damaged(chunk: Path) -> None:
    """Refuse a chunk whose files are not as they were written; older ones keep no checksums."""
    if (chunk / _SUMS).is_file():
        sums = read_json_object(chunk / _SUMS, expected="checksums")
        if any(damage(chunk / name, sums[name]) for name in (_PLACES, _VALUES)):
            raise DataError("holds other bytes than were written", where=chunk)


def _as_one(start: Int[np.ndarray, "n 2"]) -> Int64[np.ndarray, " n"]:
    """Return one number for column and row, either of which may be below 0."""
    return start[:, 1].astype(np.int64) * _ACROSS + start[:, 0].astype(np.int64)
