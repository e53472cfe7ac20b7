"""The card of a model, in the form that the model hubs show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from prestige.text import shortened

_GENES_SHOWN = 12
_CHOSEN = "Validation chose the state of the model, so its score there is not one on unseen tissue."
_FITTED = "It was fitted on the training side alone; what it scores on unseen tissue stands with its run."


def model_card(manifest: Mapping[str, Any]) -> str:
    """Return the card: yaml front matter, intended use, training data, scores, limitations.

    Parameters
    ----------
    manifest
        What ``model.json`` holds.
    """
    patch, panel, extra = (manifest[key] for key in ("patch", "panel", "extra"))
    name, method = _baseline(manifest) if "baseline" in manifest else _network(manifest)
    shown = f" Tissue outside the middle {patch['visible_um']:g} um is greyed." if patch["visible_um"] else ""
    px = patch["input_px"]
    genes = shortened(panel["genes"], _GENES_SHOWN)
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

# {name} on patches of {patch["patch_um"]:g} um

Predicts the expression of {len(panel["genes"])} genes at a point of an H&E image, from the square of tissue
around it.

## Intended use

Research: expression maps of sections of the same tissue, stain and scanner as the training data.
Not for diagnosis.

```python
import prestige

bundle = prestige.read_bundle("path/to/this/folder")
# image: (h, w, 3) uint8; xy_px: (n, 2) places in it, x before y; um_per_px: the width of its pixels
y = bundle.predict(image, xy_px, um_per_px=0.5)  # (n, {len(panel["genes"])}), columns as bundle.panel.genes
```

- Input: {patch["patch_um"]:g} um of tissue in {px} x {px} pixels.{shown}
- Output: log1p of counts scaled to a total of {panel["total"]:g} per observation, no less than 0.
- Genes: {genes} (all of them in `model.json`)
- {method}

## Training data

{samples}

Pixel size of the slides (um): {pixel_sizes or "not stated"}

## Scores

{scores}

{_CHOSEN if "model" in manifest else _FITTED}

## Limitations

- Other tissues, stains, scanners or pixel sizes than those of the training data were not tried.
- Predictions carry no counting noise: they vary less than measurements do, and are smoother over the tissue.
- A gene without a visible correlate is predicted near its training mean, however it varies.
"""


def _network(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of a network and what it is."""
    model = manifest["model"]
    size = f"{manifest['parameters']:,} trained parameters."
    return model["encoder"], f"Encoder: {model['encoder']}, started from {_start(model)}; {size}"


def _baseline(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of a baseline and what it is."""
    written, size = manifest["baseline"], f"{manifest['parameters']:,} fitted coefficients."
    if isinstance(written, str):
        return written, f"Baseline: {written}; {size}"
    ((name, model),) = written.items()
    return f"{name} {model['encoder']}", (
        f"Baseline: {name}, on features of {model['encoder']} with {_start(model)}, not trained here; {size}"
    )


def _start(model: Mapping[str, Any]) -> str:
    return "pretrained weights" if model["pretrained"] else model["checkpoint"] or "random weights"


def _scores(extra: Mapping[str, Any]) -> str:
    given = {"validation": extra.get("validation_score"), **(extra.get("scores") or {})}
    rows = [f"| {name} | {value:.4g} |" for name, value in given.items() if value is not None]
    return _lines(["| score | value |", "|---|---|", *rows] if rows else [])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or "Not stated here."
