"""Which baselines there are: why each is there, what fits it, how a yaml names it.  No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import model_serializer, model_validator

from prestige.data.patches.reader import PatchConfig
from prestige.errors import unknown
from prestige.models.settings import ModelConfig, in_words
from prestige.records.configuration import BASELINE_PREFIX, DIAGNOSTIC_PREFIX
from prestige.registry import Registry
from prestige.settings import Settings

if TYPE_CHECKING:
    from prestige.baselines.fitted import Fitted

HEST_CAVEAT = "comparable only on their genes, pseudo-spots and splits"
HEST_PATCH = PatchConfig(patch_um=112.0, input_px=224)
"""The patch of HEST-Bench: 224 px at 0.5 um per pixel."""


@dataclass(frozen=True)
class Baseline:
    """An entry of the registry: what a baseline is for, and what fits it.

    Attributes
    ----------
    why
        What a model that does not beat it has failed to show, in one line.
    fitted
        "module:Class" of the :class:`~prestige.baselines.fitted.Fitted`, imported when it is needed; None
        where a network is trained.
    reads_patches
        Whether it looks at the slide; one that does not stands in a grid once, not once a patch.
    encoder
        Whether it has an encoder, which the yaml names.
    usual_encoder
        The encoder that it has where the yaml names none.
    patch
        The one patch that it looks at, whatever those of the grid; None where it takes the grid's.
    same_slide
        Whether it predicts only slides that have training observations.
    diagnostic
        Whether it uses RNA of the test side: told beside the others, never compared with them.
    note
        What a manifest says of it, or None.
    """

    why: str
    fitted: str | None
    reads_patches: bool = True
    encoder: bool = False
    usual_encoder: Mapping[str, Any] | None = None
    patch: PatchConfig | None = None
    same_slide: bool = False
    diagnostic: bool = False
    note: str | None = None

    @property
    def kept(self) -> bool:
        """Whether its run keeps it: it predicts slides that it was not fitted on, from pixels alone."""
        return not (self.same_slide or self.diagnostic)

    def kind(self) -> type[Fitted]:
        """Import the class of what is fitted."""
        assert self.fitted is not None
        module, _, name = self.fitted.partition(":")
        return getattr(import_module(module), name)


baselines: Registry[Baseline] = Registry("baseline")
_BASELINES = {
    "mean": Baseline(
        "each gene's training mean: what is right without looking at the slide",
        "prestige.baselines.mean:TrainingMean",
        reads_patches=False,
    ),
    "ridge": Baseline(
        "ridge on stain and texture: what colour and roughness say without learned features",
        "prestige.baselines.on_features:RidgeOnFeatures",
    ),
    "coordinates": Baseline(
        "nearest training neighbours in x, y: what smoothness alone gives",
        "prestige.baselines.coordinates:Neighbours",
        reads_patches=False,
        same_slide=True,
    ),
    "frozen": Baseline(
        "ridge on a frozen encoder's features: what is right before the encoder is trained",
        "prestige.baselines.on_features:RidgeOnFeatures",
        encoder=True,
    ),
    "hest": Baseline(
        f"HEST-Bench's recipe (112 um, PCA-256, ridge): {HEST_CAVEAT}",
        "prestige.baselines.on_features:HestOnFeatures",
        encoder=True,
        usual_encoder={"encoder": "resnet50", "pretrained": True},
        patch=HEST_PATCH,
        note=HEST_CAVEAT,
    ),
    "shuffled": Baseline(
        "the same network, its labels shuffled within samples: what it scores when the image says nothing",
        None,
        encoder=True,
    ),
    "depth": Baseline(
        "a line on the observation's own total counts: what depth alone says; it uses test RNA",
        "prestige.baselines.depth:DepthLines",
        reads_patches=False,
        diagnostic=True,
        note="a diagnostic: it uses the RNA of the test side, and is compared with nothing",
    ),
}
for _name, _entry in _BASELINES.items():
    baselines.register(_name)(_entry)


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
        elif isinstance(raw, Mapping) and len([key for key in raw if key in baselines]) > 1:
            raise ValueError("two baselines stand in one entry: write each as an entry of its own")
        name = raw.get("name") if isinstance(raw, Mapping) else None
        if isinstance(name, str) and name not in baselines:
            raise ValueError(str(unknown("baseline", name, baselines)))
        if isinstance(name, str) and raw.get("model") is None:
            raw = {**raw, "model": baselines.get(name).usual_encoder}
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
        usual, model = ModelConfig(encoder="any"), self.model
        if self.entry.fitted is not None and model and model.dropout != usual.dropout:
            raise ValueError(f"the encoder of '{self.name}' is not trained, so dropout says nothing")
        if self.entry.patch and model and (model.readout, model.norm) != (usual.readout, usual.norm):
            raise ValueError(
                f"'{self.name}' is a recipe of the whole patch's features: leave readout and norm out"
            )
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
        if self.entry.fitted is None:
            apart = ", ".join([*start, *in_words(self.model.changed)])
            return self.model.encoder + (f" ({apart})" if apart else "") + ", shuffled labels"
        if not start and self.model.checkpoint is None:
            start = ["random weights"]
        return ", ".join([f"{self.name} {self.model.encoder}", *start, *in_words(self.model.changed)])

    @property
    def name_in_tables(self) -> str:
        """Its label with the prefix of its kind, as the column of encoders shows it."""
        return (DIAGNOSTIC_PREFIX if self.entry.diagnostic else BASELINE_PREFIX) + self.label

    def patches(self, grid: Sequence[PatchConfig]) -> tuple[PatchConfig, ...]:
        """Return the patches at which it stands in a grid."""
        if self.entry.patch is not None:
            return (self.entry.patch,)
        return tuple(grid) if self.entry.reads_patches else tuple(grid[:1])
