"""What can be known of a baseline before anything is computed: its patch, its weights, whether it applies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from prestige.baselines.frozen import freeze
from prestige.baselines.settings import BaselineConfig
from prestige.data.patches.reader import Patch
from prestige.data.sample import Sample
from prestige.data.split.folds import TEST, TRAIN, Fold
from prestige.errors import ConfigError
from prestige.models.settings import ModelConfig
from prestige.text import shortened

_NAMED = 5


def check_own_patch(
    config: BaselineConfig, patch: Patch, samples: Sequence[Sample], *, buffer_um: float
) -> None:
    """Check that a baseline with a patch of its own sees no tissue of another side, and fits the images.

    The observations are those of the grid's patches, so its patch may still leave an image at the edge;
    there the nearest pixel is repeated.

    Raises
    ------
    ConfigError
        When the buffer is smaller than the patch in whole pixels, or an image is.
    """
    if config.entry.patch is None:
        return
    where = f"baseline '{config.name}'"
    widest = max([patch.patch_um, *(patch.width_px(s.um_per_px) * s.um_per_px for s in samples)])
    if buffer_um < widest * (1 - 1e-9):
        raise ConfigError(
            f"its patch is {widest:.4g} um wide and buffer_um {buffer_um:g}, "
            "so its patches of two sides would overlap",
            where=where,
            expected=f"buffer_um: {math.ceil(widest - 1e-6)} or more",
            remedy=f"leave {config.name} out of the baselines, or widen the buffer for the whole bench",
        )
    for sample in samples:
        width, slide = patch.width_px(sample.um_per_px), sample.slide
        if width > min(slide.width_px, slide.height_px):
            raise ConfigError(
                f"its patch of {patch.patch_um:g} um is larger than the image of sample {sample.id} "
                f"({slide.width_px} x {slide.height_px} px)",
                where=where,
                expected=f"at least {width} px in both directions",
                remedy=f"leave {config.name} out of the baselines, or leave out the sample",
            )


def check_weights(models: Iterable[tuple[ModelConfig, int]]) -> None:
    """Load the weights of each encoder that starts from some, and let go of them again.

    Parameters
    ----------
    models
        Encoders, each with the width of its patches in pixels; each is tried once, at the first width.

    Raises
    ------
    ModelError
        When weights cannot be had.
    """
    seen: set[tuple[str, ...]] = set()
    for model, input_px in models:
        key = (model.encoder, str(model.pretrained), str(model.checkpoint), str(model.arguments))
        if (model.pretrained or model.checkpoint is not None) and key not in seen:
            seen.add(key)
            freeze(model, input_px=input_px, readout="whole", seed=0)


def why_not(config: BaselineConfig | None, fold: Fold) -> str | None:
    """Return why a baseline has no meaning on a fold, or None where it has one (and for a model)."""
    if config is None or not config.entry.same_slide:
        return None
    bare = [
        sample for sample, sides in fold.sides.items() if (sides == TEST).any() and not (sides == TRAIN).any()
    ]
    if not bare:
        return None
    named = shortened(bare, _NAMED)
    return f"no training observation lies on the slide of {named}: places say nothing across slides"
