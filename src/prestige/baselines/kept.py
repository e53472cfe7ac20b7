"""A frozen encoder's features by way of the store: what it has is not computed again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from prestige.baselines.frozen import FrozenEncoder
from prestige.data.cache import default_cache_dir, digest
from prestige.data.eviction import trim
from prestige.data.feature_store import FeatureStore
from prestige.data.observations import Observations
from prestige.data.patches.reader import PatchReader, window_start

_VERSION = "1"


class KeptFeatures:
    """Observations -> features; those that are not in the store are computed and added to it.

    Parameters
    ----------
    reader
        Gives the patches, and says of which slides and which patch they are; of a slide without a
        fingerprint nothing is kept.
    encoder
        Whose features.
    """

    def __init__(self, reader: PatchReader, encoder: FrozenEncoder) -> None:
        self._reader, self._encoder = reader, encoder
        self._added: Path | None = None
        patch = json.dumps([reader.patch.patch_um, reader.patch.input_px, reader.patch.visible_um])
        self._stores = [
            FeatureStore(
                default_cache_dir(),
                digest(_VERSION, slide.fingerprint, f"{slide.um_per_px:.9g}", encoder.fingerprint, patch),
                encoder.n_features,
            )
            if slide.fingerprint
            else None
            for slide in reader.slides
        ]

    def __call__(self, places: Observations) -> Float32[np.ndarray, "n f"]:
        """Return the features of some observations, float32."""
        out = np.empty((len(places), self._encoder.n_features), dtype=np.float32)
        for number in np.unique(places.slide_index):
            rows = np.flatnonzero(places.slide_index == number)
            out[rows] = self._of_slide(int(number), places.take(rows))
        return out

    def _of_slide(self, number: int, places: Observations) -> Float32[np.ndarray, "n f"]:
        store, reader = self._stores[number], self._reader
        if store is None:
            return self._computed(places)
        start = window_start(places.xy_px, reader.patch.width_px(reader.slides[number].um_per_px))
        if reader.patch.visible_um is not None:  # two windows, of an even and an odd width: halves of a pixel
            start = np.floor(places.xy_px * 2).astype(np.int64)
        features, there = store.find(start)
        missing = np.flatnonzero(~there)
        if len(missing):
            features[missing] = self._computed(places.take(missing))
            store.add(start[missing], features[missing])
            self._added = store.folder
        return features

    def _computed(self, places: Observations) -> Float32[np.ndarray, "n f"]:
        step, slides, xy = self._encoder.batch_size, places.slide_index, places.xy_px
        parts = [
            self._encoder(self._reader(slides[at : at + step], xy[at : at + step]))
            for at in range(0, len(places), step)
        ]
        return np.concatenate(parts)

    def close(self) -> None:
        """Bring the cache back within its limit where something was added."""
        if self._added is not None:
            trim(default_cache_dir(), self._added)
            self._added = None
