"""What a model carries: its weights, its genes with their normalisation, its patch, where it comes from.

A model is a trained network or a fitted baseline.  A bundle is a folder of three files:
``model.safetensors``, ``model.json`` and ``README.md``, the card that the model hubs show.  Nothing in it is
pickled, and it is read without any connection.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors.torch import save_file

from prestige.baselines.fitted import FittedBaseline
from prestige.baselines.frozen import FrozenEncoder
from prestige.baselines.on_features import features_of
from prestige.baselines.settings import BaselineConfig
from prestige.compute.devices import make_fabric
from prestige.compute.files import whole_folder
from prestige.compute.tensors import read_tensors
from prestige.data.observations import Observations
from prestige.data.panel import Panel
from prestige.data.patches.on_device import on_device
from prestige.data.patches.reader import Patch, PatchReader
from prestige.data.slides.slide import Slide, checked_image
from prestige.errors import ConfigError, DataError, StorageError
from prestige.models.predictor import Predictor
from prestige.models.settings import ModelConfig
from prestige.prediction.card import model_card
from prestige.prediction.description import CARD, MANIFEST, WEIGHTS, altered, part_of, read_description
from prestige.prediction.files import refuse_not_finite
from prestige.prediction.infer import Batch, in_spans, predict_batches, predict_observations
from prestige.prediction.packing import pack, unpack


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model as it was read back.

    Attributes
    ----------
    predictor
        Ready to predict: a network in evaluation mode, or a fitted baseline; on the CPU.
    model, panel, patch
        How it was built, its genes and normalisation, what it looks at.
    extra
        All else that was written: data fingerprints, pixel sizes, scores.
    """

    predictor: Predictor | FittedBaseline
    model: ModelConfig | BaselineConfig
    panel: Panel
    patch: Patch
    extra: dict[str, Any]

    @property
    def name(self) -> str:
        """The name that tables show: of the encoder, or of the baseline with its prefix."""
        return self.model.encoder if isinstance(self.model, ModelConfig) else self.model.name_in_tables

    def predict(
        self, image: np.ndarray, xy_px: np.ndarray, *, um_per_px: float | None = None, device: str = "auto"
    ) -> Float32[np.ndarray, "n g"]:
        """Return the expression at some places of an image, on the log1p scale, never below 0.

        Parameters
        ----------
        image
            (h, w, 3) uint8, red green blue.
        xy_px
            (n, 2) x, y in its pixels, pixel centres at integers.
        um_per_px
            Width of its pixels in micrometres; left out, that of the training's slides where they share one.
        device
            Where it is computed: "auto", "cpu", "cuda", ...

        Returns
        -------
        Array of shape (n, g), float32, its columns in the order of ``panel.genes``.

        Raises
        ------
        ConfigError
            When the width of the pixels is not known, or this machine has no such device.
        DataError
            When the image is no RGB image of 8 bit or smaller than the patch, or a place lies outside it.
        ModelError
            When the model predicts a number that is not finite.

        Examples
        --------
        >>> import prestige
        >>> bundle = prestige.read_bundle("run/model")
        >>> image = np.full((60, 80, 3), 200, np.uint8)
        >>> bundle.predict(image, np.array([[40, 30], [0, 59]]), um_per_px=0.5, device="cpu").shape
        (2, 4)
        """
        reader, observations = self._on(image, xy_px, um_per_px)
        expression = self.predicting(reader, device=device)(observations)
        refuse_not_finite(expression, where="image")
        return expression

    def embed(
        self, image: np.ndarray, xy_px: np.ndarray, *, um_per_px: float | None = None, device: str = "auto"
    ) -> Float32[np.ndarray, "n f"]:
        """Return the features at some places of an image, as they leave the encoder.

        Those of the patch's centre come before those of the whole, where the model reads both.  A network's
        head normalises each of the two (layer norm), a baseline's regression each feature.

        Parameters
        ----------
        image, xy_px, um_per_px, device
            As of :meth:`predict`.

        Raises
        ------
        ConfigError, DataError
            As :meth:`predict`.
        ModelError
            When the model has no features, as the training mean.

        Examples
        --------
        >>> import prestige
        >>> bundle = prestige.read_bundle("run/model")
        >>> image = np.full((60, 80, 3), 200, np.uint8)
        >>> bundle.embed(image, np.array([[40, 30]]), um_per_px=0.5, device="cpu").shape
        (1, 160)
        """
        reader, observations = self._on(image, xy_px, um_per_px)
        where = make_fabric("32-true", device).device
        if isinstance(self.predictor, FittedBaseline):
            self.predictor.fitted.to(where)
            return self.predictor.fitted.features(reader, observations)
        assert isinstance(self.model, ModelConfig)
        encoder = self.predictor.to(where).encoder
        frozen = FrozenEncoder(encoder, self.model, self.patch.input_px, self.model.readout)
        return features_of(frozen, reader, observations)

    def predicting(
        self, reader: PatchReader, *, device: str = "auto"
    ) -> Callable[..., Float32[np.ndarray, "n g"]]:
        """Return what predicts observations of the reader's slides, computed on one device.

        Called with observations it returns their expression on the log1p scale; ``label`` shows a progress
        bar of that name.

        Raises
        ------
        ConfigError
            When this machine has no such device.
        """
        if isinstance(self.predictor, FittedBaseline):
            self.predictor.fitted.to(make_fabric("32-true", device).device)
            return partial(self.predictor.predict, reader)
        return self._placed(predict_observations, reader, device)

    def in_batches(self, reader: PatchReader, *, device: str = "auto") -> Callable[..., Iterator[Batch]]:
        """Return what :meth:`predicting` does, as a generator of batches: for more than the memory holds.

        Called with observations and the ``order`` in which they are gone through it yields (b,) positions and
        the (b, g) expression there.
        """
        if isinstance(self.predictor, FittedBaseline):
            return partial(in_spans, self.predicting(reader, device=device), len(self.panel.genes))
        return self._placed(predict_batches, reader, device)

    def _placed(self, predict: Callable[..., Any], reader: PatchReader, device: str) -> Callable[..., Any]:
        """Return a way of predicting with the network and the slides on a device."""
        assert isinstance(self.predictor, Predictor)
        fabric = make_fabric("32-true", device)
        # A slide that lies on a device is found there by its fingerprint, which an array has not.
        named = all(slide.fingerprint for slide in reader.slides)
        near = on_device(reader, fabric.device) if named else reader
        return partial(predict, self.predictor, near, forward=fabric.setup_module(self.predictor))

    def _on(
        self, image: np.ndarray, xy_px: np.ndarray, um_per_px: float | None
    ) -> tuple[PatchReader, Observations]:
        """Return the reader of one image's patches, and the places in it."""
        image, xy_px = np.asarray(image), np.asarray(xy_px, np.float64)
        if image.ndim != 3:
            raise DataError(f"has the shape {image.shape}", where="image", expected="(h, w, 3) uint8")
        height, width = checked_image(image.shape, image.dtype, where="image")
        if xy_px.ndim != 2 or xy_px.shape[1] != 2:
            raise DataError(f"has the shape {xy_px.shape}", where="xy_px", expected="(n, 2): x, y in pixels")
        outside = ~((xy_px >= 0) & (xy_px <= [width - 1, height - 1])).all(axis=1)
        if outside.any():
            raise DataError(
                f"{outside.sum()} of {len(xy_px)} places lie outside the image, the first is "
                f"{xy_px[outside][0].tolist()}",
                where="xy_px",
                expected=f"x in 0..{width - 1}, y in 0..{height - 1}",
                remedy="give x before y, in pixels of this image",
            )
        known = self.extra.get("um_per_px")
        known = known if isinstance(known, list) else [known]
        um_per_px = known[0] if um_per_px is None and len(known) == 1 else um_per_px
        if um_per_px is None or not um_per_px > 0:
            raise ConfigError(
                f"the width of the image's pixels is {um_per_px}",
                where="um_per_px",
                expected="micrometres, above 0",
                remedy="give um_per_px=...",
            )
        reader = PatchReader([Slide(image, float(um_per_px), False, fingerprint="")], self.patch)
        return reader, Observations(np.zeros(len(xy_px), np.int64), np.arange(len(xy_px)), xy_px)


def write_bundle(
    folder: Path,
    predictor: Predictor | FittedBaseline,
    *,
    model: ModelConfig | BaselineConfig,
    panel: Panel,
    patch: Patch,
    extra: Mapping[str, Any],
) -> None:
    """Write a model into ``folder``, wholly or not at all; a bundle that was there is replaced.

    Parameters
    ----------
    folder
        Where to; its parent is made.
    predictor
        Its weights are stored as they are, to the last bit.
    model, panel, patch
        How it was built, its genes and normalisation, what it looks at.
    extra
        What else to keep, as JSON holds it (numbers that are not finite become null).  The card shows
        ``um_per_px`` (one or several), ``data_fingerprints`` (sample -> fingerprint), ``validation_score``
        and ``scores`` (name -> number) where they are given.

    Raises
    ------
    StorageError
        When something else than a bundle is in the way, or the disk is full or cannot be written.
    """
    tensors, described = pack(predictor, model)
    manifest = {
        **described,
        "patch": asdict(patch),
        "panel": {**panel.to_dict(), "normalisation": {"total": panel.total, "log1p": True}},
        "extra": _finite(extra),
    }
    try:
        text = json.dumps(manifest, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise StorageError(
            f"what goes with the model is no JSON ({error})", where=folder, expected="plain values"
        ) from error
    with whole_folder(Path(folder), ours=(WEIGHTS, MANIFEST, CARD)) as temporary:
        save_file(tensors, temporary / WEIGHTS, metadata={"schema": manifest["schema"]})
        (temporary / CARD).write_text(model_card(manifest), encoding="utf-8")
        (temporary / MANIFEST).write_text(text, encoding="utf-8")


def read_bundle(folder: Path | str) -> Bundle:
    """Read what :func:`write_bundle` wrote.

    A bundle may be a stranger's: it builds an encoder that is registered here or a plain design of timm, with
    arguments from a list, opens no connection, and reads no file outside its folder.

    Raises
    ------
    StorageError
        When it is missing, cut off, altered, written by a newer version, or of an encoder that is not
        registered here; also when one of its numbers is not finite.

    Examples
    --------
    >>> import prestige
    >>> bundle = prestige.read_bundle("run/model")
    >>> bundle.panel.genes
    ('G0', 'G1', 'G2', 'G3')
    """
    folder = Path(folder)
    described = read_description(folder)
    tensors, _ = read_tensors(
        part_of(folder, WEIGHTS), kind=StorageError, remedy="copy or train it again if it was cut off"
    )
    with altered(folder / MANIFEST):
        predictor, model = unpack(described.raw, tensors, described.panel, described.patch)
    return Bundle(predictor, model, described.panel, described.patch, described.extra)


def _finite(value: Any) -> Any:
    """Return the value with null for numbers that are not finite, which JSON does not have."""
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
