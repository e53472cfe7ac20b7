"""The settings of a model: no torch here, so that a yaml is checked at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_serializer, model_validator

from prestige.errors import ConfigError
from prestige.models.arguments import in_words as arguments_in_words
from prestige.models.arguments import safe_arguments
from prestige.settings import Settings


class ModelConfig(Settings):
    """Which network predicts the expression.

    Attributes
    ----------
    encoder
        A registered name ("compact_s", "resnet18", ...), "timm:NAME" or "timm:hf-hub:OWNER/NAME".
    pretrained
        Start from downloaded weights.  Without it nothing ever touches the network.
    checkpoint
        A local safetensors file to start from in place of a download.
    readout
        "centre_whole": the head sees the features of the centre and of the whole patch, for every encoder
        alike.  "whole": those of the whole patch alone, as the published designs do.
    norm
        "own": the normalisation layers of the design.  "group": group normalisation in the place of every
        batch normalisation, to see whether an answer hangs on it.
    dropout
        Share of the features set to zero at random before the head, in training only.
    arguments
        Of a design of timm, where weights need another than the usual one: "init_values", "reg_tokens", ...
        with plain numbers (the list is in `models/arguments.py`).
    learning_rates
        Tried in the place of those of `train`, for this entry of a grid alone: to see whether an answer
        hangs on them.  It is compared with the same entry without them and with nothing else.
    """

    encoder: Annotated[str, Field(min_length=1)]
    pretrained: bool = False
    checkpoint: Path | None = None
    readout: Literal["centre_whole", "whole"] = "centre_whole"
    norm: Literal["own", "group"] = "own"
    dropout: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1
    arguments: dict[str, Any] | None = None
    learning_rates: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_name(cls, raw: Any) -> Any:
        """Let a bare string stand for the encoder of that name."""
        return {"encoder": raw} if isinstance(raw, str) else raw

    @field_validator("arguments")
    @classmethod
    def _safe(cls, raw: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            return safe_arguments(raw or {}, where="arguments") or None
        except ConfigError as error:
            raise ValueError("; ".join(str(fault) for fault in error.faults)) from error

    @model_validator(mode="after")
    def _of_timm(self) -> ModelConfig:
        if self.arguments and not self.encoder.startswith("timm:"):
            raise ValueError(
                f"'{self.encoder}' takes no `arguments`: only designs of timm do, such as "
                "encoder: timm:vit_large_patch16_224"
            )
        return self

    @model_validator(mode="after")
    def _one_start(self) -> ModelConfig:
        if self.pretrained and self.checkpoint is not None:
            raise ValueError("'pretrained' downloads weights, 'checkpoint' reads a file: give one of the two")
        if self.norm == "group" and (self.pretrained or self.checkpoint is not None):
            raise ValueError(
                "stored weights belong to the design's own normalisation: leave 'norm: group' out"
            )
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Leave out what came later where it is not given: hashes and files stay those of older runs."""
        plain = handler(self)
        for later in ("arguments", "learning_rates"):
            if plain.get(later, ()) is None:
                del plain[later]
        return plain

    @property
    def changed(self) -> dict[str, Any]:
        """Settings that differ from their defaults, as JSON has them; of a checkpoint the file's name."""
        usual = type(self).model_fields
        names = ("readout", "norm", "dropout", "learning_rates")
        changed = {name: getattr(self, name) for name in names}
        changed = {name: value for name, value in changed.items() if value != usual[name].default}
        if self.arguments:
            changed["arguments"] = arguments_in_words(self.arguments)
        return changed if self.checkpoint is None else {**changed, "checkpoint": self.checkpoint.name}


def in_words(changed: Mapping[str, Any]) -> tuple[str, ...]:
    """Return words for each of some settings that were changed: "readout whole", "from mine.safetensors"."""
    words = []
    for name, value in changed.items():
        if name == "arguments":  # which are words already
            words.append(str(value))
            continue
        shown = " / ".join(f"{one:g}" for one in value) if isinstance(value, list | tuple) else value
        words.append(f"{'from' if name == 'checkpoint' else name.replace('_', ' ')} {shown}")
    return tuple(words)
