"""What an audit of a split can find, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FINDINGS = {
    "patient_on_two_sides": "one patient trains and tests",
    "same_image": "two samples show one image",
    "similar_image": "two samples show nearly one image",
    "same_counts": "observations of two samples, or of two sides, have the very same counts",
    "patches_overlap": "patches of one side hold tissue of another",
    "too_near": "sides are nearer than the buffer",
    "on_bare_glass": "many centres lie on bare glass: places and image may not belong together",
    "fits_elsewhere": "counts fit the tissue better swapped, mirrored, turned or shifted than as they stand",
    "unlike_depth": "the sides were measured to very different depth",
    "unlike_condition": "a condition is tested that was hardly trained on",
    "small_side": "a side is too small to say much",
}
"""What an audit can find, by the names that ``allow:`` takes."""


@dataclass(frozen=True)
class Finding:
    """One thing that an audit found.

    Attributes
    ----------
    name
        One of :data:`FINDINGS`.
    severity
        "error" stops a bench unless it is allowed by name; "warning" is told.
    text
        A sentence with its numbers.
    samples, fold
        Where; the fold is None for what concerns the data whatever the split.
    accepted
        By what it was accepted, or None.
    """

    name: str
    severity: Literal["error", "warning"]
    text: str
    samples: tuple[str, ...]
    fold: int | None = None
    accepted: str | None = None
