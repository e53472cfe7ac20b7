"""Which baselines there are, each with one line of why, and how a yaml names them: no torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import model_serializer, model_validator

from prestige.data.patches.reader import PatchConfig
from prestige.errors import unknown
from prestige.models.settings import ModelConfig, in_words
from prestige.registry import Registry
from prestige.settings import Settings

HEST_CAVEAT = "comparable only on their genes, pseudo-spots and splits"
HEST_PATCH = PatchConfig(patch_um=112.0, input_px=224)
"""The patch of HEST-Bench: 224 px at 0.5 um per pixel."""
_HEST_ENCODER = {"encoder": "resnet50", "pretrained": True}


@dataclass(frozen=True)
class Baseline:
    """An entry of the registry.

    Attributes
    ----------
    why
        What a model that does not beat it has failed to show, in one line.
    reads_patches
        Whether it looks at the slide; one that does not stands in a grid once, not once a patch.
    encoder
        Whether it has an encoder, which the yaml names.
    patch
        The one patch that it looks at, whatever those of the grid; None where it takes the grid's.
    diagnostic
        Whether it uses RNA of the test side: told beside the others, never compared with them.
    note
        What a manifest says of it, or None.
    """

    why: str
    reads_patches: bool
    encoder: bool = False
    patch: PatchConfig | None = None
    diagnostic: bool = False
    note: str | None = None


baselines: Registry[Baseline] = Registry("baseline")
baselines.register("mean")(
    Baseline("each gene's training mean: what is right without looking at the slide", reads_patches=False)
)
baselines.register("ridge")(
    Baseline(
        "ridge on stain and texture: what colour and roughness say without learned features",
        reads_patches=True,
    )
)
baselines.register("coordinates")(
    Baseline("nearest training neighbours in x, y: what smoothness alone gives", reads_patches=False)
)
baselines.register("frozen")(
    Baseline(
        "ridge on a frozen encoder's features: what is right before the encoder is trained",
        reads_patches=True,
        encoder=True,
    )
)
baselines.register("hest")(
    Baseline(
        f"HEST-Bench's recipe (112 um, PCA-256, ridge): {HEST_CAVEAT}",
        reads_patches=True,
        encoder=True,
        patch=HEST_PATCH,
        note=HEST_CAVEAT,
    )
)
baselines.register("shuffled")(
    Baseline(
        "the same network, its labels shuffled within samples: what it scores when the image says nothing",
        reads_patches=True,
        encoder=True,
    )
)
baselines.register("depth")(
    Baseline(
        "a line on the observation's own total counts: what depth alone says; it uses test RNA",
        reads_patches=False,
        diagnostic=True,
        note="a diagnostic: it uses the RNA of the test side, and is compared with nothing",
    )
)


class BaselineConfig(Settings):
    """One baseline: a name, or a name with the encoder that it needs.

    In a yaml ``mean``, ``ridge``, ``coordinates`` and ``hest`` stand for themselves;
    ``{frozen: {encoder: resnet18, pretrained: true}}``, ``{hest: {encoder: ...}}`` and
    ``{shuffled: compact_s}`` give the encoder as any model is given.

    Attributes
    ----------
    name
        As registered.
    model
        The encoder and its start.  ``hest`` by itself is the pretrained ``resnet50``.
    """

    name: str
    model: ModelConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, raw: Any) -> Any:
        if isinstance(raw, str):
            raw = {"name": raw}
        elif isinstance(raw, Mapping) and "name" not in raw and len(raw) == 1:
            ((name, model),) = raw.items()
            raw = {"name": name, "model": model}
        name = raw.get("name") if isinstance(raw, Mapping) else None
        if isinstance(name, str) and name not in baselines:
            raise ValueError(str(unknown("baseline", name, baselines)))
        if name == "hest" and raw.get("model") is None:
            raw = {**raw, "model": _HEST_ENCODER}
        return raw

    @model_validator(mode="after")
    def _of_a_kind(self) -> BaselineConfig:
        if self.entry.encoder and self.model is None:
            raise ValueError(
                f"'{self.name}' needs an encoder: "
                f"write {{{self.name}: {{encoder: resnet18, pretrained: true}}}}"
            )
        if self.model is not None and not self.entry.encoder:
            raise ValueError(f"'{self.name}' has no encoder and no settings: write {self.name} alone")
        usual = ModelConfig(encoder="any")
        if self.name in ("frozen", "hest") and self.model and self.model.dropout != usual.dropout:
            raise ValueError(f"the encoder of '{self.name}' is not trained, so dropout says nothing")
        own = (usual.readout, usual.norm)
        if self.name == "hest" and self.model and (self.model.readout, self.model.norm) != own:
            raise ValueError("'hest' is a recipe of the whole patch's features: leave readout and norm out")
        return self

    @model_serializer(mode="wrap")
    def _as_in_yaml(self, handler: Callable[[Any], dict[str, Any]]) -> Any:
        plain = handler(self)
        return plain["name"] if self.model is None else {plain["name"]: plain.get("model")}

    @property
    def entry(self) -> Baseline:
        """What the registry knows of it."""
        return baselines.get(self.name)

    @property
    def label(self) -> str:
        """Its name in tables: "ridge", "frozen resnet18, pretrained", "compact_s, shuffled labels"."""
        if self.model is None:
            return self.name
        start = ["pretrained"] if self.model.pretrained else []
        if self.name == "shuffled":
            apart = ", ".join([*start, *in_words(self.model.changed)])
            return self.model.encoder + (f" ({apart})" if apart else "") + ", shuffled labels"
        if not start and self.model.checkpoint is None:
            start = ["random weights"]
        return ", ".join([f"{self.name} {self.model.encoder}", *start, *in_words(self.model.changed)])

    def patches(self, grid: Sequence[PatchConfig]) -> tuple[PatchConfig, ...]:
        """Return the patches at which it stands in a grid."""
        if self.entry.patch is not None:
            return (self.entry.patch,)
        return tuple(grid) if self.entry.reads_patches else tuple(grid[:1])
