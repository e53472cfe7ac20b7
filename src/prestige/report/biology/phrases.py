"""Phrases that sentences on different findings share: numbers with their intervals, what was left out."""

from __future__ import annotations

from prestige.biology.agreement import Mean

VERSIONS = {
    "predicted": "the prediction as it is",
    "noisy": "the prediction with counting noise",
    "noisy_half": "the prediction with noise at half the depth",
    "halves": "one half of the measured counts",
    "depth": "depth alone",
}
"""Comparison -> the version that stands for the prediction in it."""


def capital(text: str) -> str:
    """Return a text that begins with a capital letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def with_interval(value: float, ends: tuple[float, float] | None) -> str:
    """Return a value in words, with its confidence interval where there is one."""
    return f"{value:.2f}" + ("" if ends is None else f" ({ends[0]:.2f} to {ends[1]:.2f})")


def mean_text(mean: Mean) -> str:
    """Return a mean in words, with its confidence interval where there is one."""
    ends = None if mean.low is None or mean.high is None else (mean.low, mean.high)
    return with_interval(mean.value, ends)


def left_out_sentences(names: tuple[str, ...], least: int, what: str) -> list[str]:
    """Return the sentence that samples were left out of something; none where all were in."""
    if not names:
        return []
    which = f"sample {names[0]}" if len(names) == 1 else f"samples {', '.join(names)}"
    return [f"Left out of {what}, with fewer than {least} observations: {which}."]
