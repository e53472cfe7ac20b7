"""The card of a model, in the form that the model hubs show."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from prestige.errors import one_line
from prestige.text import shortened

_GENES_SHOWN = 12
_CHOSEN = "Validation chose the state of the model, so its score there is not one on unseen tissue."
_SIDES = {
    "train": "Trained on",
    "validation": "Chosen on (validation)",
    "test": "Tested on (no part of training or choice)",
}
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
    genes = shortened([_plain(gene) for gene in panel["genes"]], _GENES_SHOWN)
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

{_tissue(extra)}

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
    name = _plain(model["encoder"])
    return name, f"Encoder: {name}, started from {_start(model)}; {size}"


def _baseline(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name of a baseline and what it is."""
    written, size = manifest["baseline"], f"{manifest['parameters']:,} fitted coefficients."
    if isinstance(written, str):
        return _plain(written), f"Baseline: {_plain(written)}; {size}"
    ((name, model),) = written.items()
    encoder = _plain(model["encoder"])
    return f"{name} {encoder}", (
        f"Baseline: {name}, on features of {encoder} with {_start(model)}, not trained here; {size}"
    )


def _start(model: Mapping[str, Any]) -> str:
    return "pretrained weights" if model["pretrained"] else _plain(model["checkpoint"] or "random weights")


def _tissue(extra: Mapping[str, Any]) -> str:
    """Return what was trained, chosen and tested on: three lists, patient by patient."""
    marks = extra.get("data_fingerprints") or {}
    sides = extra.get("sides")
    if not sides:
        listed = _lines(f"- {_sample(name, marks)}" for name in marks)
        return f"{listed}\n\nWhich of them were trained on is not stated." if marks else listed
    parts = []
    for side, title in _SIDES.items():
        patients: dict[str, list[str]] = {}
        for name, patient in sides.get(side, {}).items():
            elsewhere = any(name in others for other, others in sides.items() if other != side)
            patients.setdefault(patient, []).append(
                _sample(name, marks) + (", a part of it" if elsewhere else "")
            )
        lines = (f"- patient {_plain(patient)}: {'; '.join(names)}" for patient, names in patients.items())
        parts.append(f"### {title}\n\n{chr(10).join(lines) or 'None.'}")
    return "\n\n".join(parts)


def _sample(name: str, marks: Mapping[str, Any]) -> str:
    mark = re.sub(r"\W", "", str(marks.get(name, "")))
    return f"{_plain(name)} (`{mark}`)" if mark else _plain(name)


def _plain(text: Any) -> str:
    """Return a name as Markdown shows it letter by letter: no markup, link, HTML, or line of its own."""
    words = one_line(str(text), 200).replace("://", ":\N{ZERO WIDTH SPACE}//")
    return re.sub(r"([\\`*\[\]<>&|#~$!]|(?<![^\W_])_|_(?![^\W_]))", r"\\\1", words)


def _scores(extra: Mapping[str, Any]) -> str:
    given = {"validation": extra.get("validation_score"), **(extra.get("scores") or {})}
    rows = [f"| {_plain(name)} | {value:.4g} |" for name, value in given.items() if value is not None]
    return _lines(["| score | value |", "|---|---|", *rows] if rows else [])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) or "Not stated here."
