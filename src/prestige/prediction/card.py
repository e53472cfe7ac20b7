"""The card of a model, in the form that the model hubs show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

_GENES_SHOWN = 12


def model_card(manifest: Mapping[str, Any]) -> str:
    """Return the card: yaml front matter, intended use, training data, scores, limitations.

    Parameters
    ----------
    manifest
        What ``model.json`` holds.
    """
    model, patch, panel, extra = (manifest[key] for key in ("model", "patch", "panel", "extra"))
    start = "pretrained weights" if model["pretrained"] else model["checkpoint"] or "random weights"
    shown = f" Tissue outside the middle {patch['visible_um']:g} um is greyed." if patch["visible_um"] else ""
    px = patch["input_px"]
    genes = ", ".join(panel["genes"][:_GENES_SHOWN])
    if len(panel["genes"]) > _GENES_SHOWN:
        genes += f" and {len(panel['genes']) - _GENES_SHOWN} more"
    samples = _lines(f"- {name} (`{mark}`)" for name, mark in (extra.get("data_fingerprints") or {}).items())
    sizes = extra.get("um_per_px") or []
    pixel_sizes = ", ".join(f"{size:g}" for size in (sizes if isinstance(sizes, list) else [sizes]))
    scores = _scores(extra)
    return f"""---
library_name: prestige-st
tags:
- histology
- spatial-transcriptomics
- gene-expression
- regression
- pytorch
metrics:
- pearsonr
---

# {model["encoder"]} on patches of {patch["patch_um"]:g} um

Predicts the expression of {len(panel["genes"])} genes at a point of an H&E image, from the square of tissue
around it.

## Intended use

Research: expression maps of sections of the same tissue, stain and scanner as the training data.
Not for diagnosis.

```python
from prestige.prediction.bundle import read_bundle

bundle = read_bundle("path/to/this/folder")
# patches: a tensor (b, 3, {px}, {px}) of pixels in 0..1
y = bundle.predictor.expression(patches)
```

- Input: {patch["patch_um"]:g} um of tissue in {px} x {px} pixels.{shown}
- Output: log1p of counts scaled to a total of {panel["total"]:g} per observation, no less than 0.
- Genes: {genes} (all of them in `model.json`)
- Encoder: {model["encoder"]}, started from {start}; {manifest["parameters"]:,} trained parameters.

## Training data

{samples}

Pixel size of the slides (um): {pixel_sizes or "not stated"}

## Scores

{scores}

Validation chose the state of the model, so its score there is not one on unseen tissue.

## Limitations

- Other tissues, stains, scanners or pixel sizes than those of the training data were not tried.
- Predictions carry no counting noise: they vary less than measurements do, and are smoother over the tissue.
- A gene without a visible correlate is predicted near its training mean, however it varies.
"""


def _scores(extra: Mapping[str, Any]) -> str:
    given = {"validation": extra.get("validation_score"), **(extra.get("scores") or {})}
    rows = [f"| {name} | {value:.4g} |" for name, value in given.items() if value is not None]
    return _lines(["| score | value |", "|---|---|", *rows] if rows else [])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or "Not stated here."
