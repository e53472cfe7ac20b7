"""A configuration: one point of the grid, what sets its model apart, and how a reader should see it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prestige.models.settings import in_words
from prestige.text import format_number

BASELINE_PREFIX, DIAGNOSTIC_PREFIX = "baseline:", "diagnostic:"
MEAN_BASELINE = f"{BASELINE_PREFIX}mean"


@dataclass(frozen=True)
class Changed(Mapping[str, Any]):
    """Settings of a model that differ from their defaults, by name: a mapping that can be a key.

    It is sorted by its words, in which it is shown.
    """

    pairs: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Changed:
        """Return these settings, lists as tuples."""
        return cls(tuple((k, tuple(v) if isinstance(v, list) else v) for k, v in settings.items()))

    def without(self, name: str) -> Changed:
        """Return the others."""
        return Changed(tuple(pair for pair in self.pairs if pair[0] != name))

    def __getitem__(self, name: str) -> Any:
        return dict(self.pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __str__(self) -> str:
        return ", ".join(in_words(self))

    def __lt__(self, other: Changed) -> bool:
        return str(self) < str(other)


@dataclass(frozen=True, order=True)
class Configuration:
    """One point of the grid: what was trained, and at which patch.

    ``visible_um`` is the width left visible of a patch whose rest was greyed out (the control of
    field of view against computing), infinite where the whole patch was seen.  ``patch_um`` is
    infinite for a baseline that looks at no patch.  ``changed`` sets it apart from others of the same
    encoder: another readout, dropout, start, or learning rates of its own.  A ``diagnostic`` is a baseline
    that uses RNA of the test side: it has a score, and is compared with nothing.
    """

    pretrained: bool
    baseline: bool
    encoder: str
    patch_um: float
    input_px: int
    visible_um: float = math.inf
    changed: Changed = Changed()
    diagnostic: bool = False

    @property
    def control(self) -> bool:
        """Whether a part of the patch was greyed out."""
        return math.isfinite(self.visible_um)

    @property
    def variant(self) -> str:
        """What sets it apart in words, as tables have it."""
        return str(self.changed)

    @property
    def own_rates(self) -> bool:
        """Whether other learning rates were tried than for the rest: not on equal terms with it."""
        return "learning_rates" in self.changed

    @property
    def name(self) -> str:
        """The encoder's or baseline's name as a reader should see it."""
        if self.diagnostic:
            return f"{self.encoder.removeprefix(DIAGNOSTIC_PREFIX)} (diagnostic)"
        if self.baseline:
            short = self.encoder.removeprefix(BASELINE_PREFIX)
            return {"mean": "training mean"}.get(short, short)
        words = ", ".join(filter(None, ("pretrained" if self.pretrained else "", self.variant)))
        return f"{self.encoder} ({words})" if words else self.encoder

    @property
    def patch_label(self) -> str:
        """The patch as a reader should see it: ``64 um``, or ``32 of 64 um`` where greyed out."""
        if not math.isfinite(self.patch_um):
            return "no patch"
        width = f"{format_number(self.patch_um)} \N{MICRO SIGN}m"
        return f"{format_number(self.visible_um)} of {width}" if self.control else width

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """Encoder at patch; the training mean looks at none."""
        blind = self.encoder == MEAN_BASELINE or not math.isfinite(self.patch_um)
        return self.name if blind else f"{self.name} at {self.patch_label}"
