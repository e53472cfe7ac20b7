"""The page of an inspection: one section a sample, all in one file that needs no network."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from prestige.compute.files import write_text
from prestige.compute.ownership import MARK
from prestige.data.sample import Sample
from prestige.data.spec import SampleSpec
from prestige.data.together.alignment import Alignment
from prestige.report.dataset.nuclei import most_concentrated
from prestige.report.dataset.overlay import draw_alignment, draw_gene, draw_overlay
from prestige.report.rendering import render
from prestige.report.style import MICRO, drawing, tame_text, with_units
from prestige.text import format_number, written

PAGE = "index.html"
_SHORT = {"fits": "fit", "fits elsewhere": "fit elsewhere", "cannot be told": "not told"}
_HEAD_BYTES, _DPI = 2000, 130
_MARK = f'<meta name="generator" content="{MARK} inspection">'


def section_of(spec: SampleSpec, sample: Sample | None, row: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a sample: facts, figures, the check, notes and faults."""
    shown: dict[str, Any] = {"id": spec.id, "notes": row["notes"], "faults": row["faults"]}
    if sample is None:
        return shown | {"facts": _asked(spec), "figures": [], "check": None, "positions": None}
    alignment: Alignment = row["alignment"]
    gene = most_concentrated(sample)
    with drawing():
        figures = [_figure(draw_overlay(sample), OVERLAY, form="jpeg")]
        if gene is not None:
            figures.append(_figure(draw_gene(sample, gene), GENE.format(gene=gene.gene), form="jpeg"))
        drawn = draw_alignment(alignment)
        check = None if drawn is None else _figure(drawn, _of_check(alignment), form="png")
    return shown | {
        "facts": _facts(spec, sample, row),
        "figures": figures,
        "check": {
            "text": with_units(alignment.text),
            "short": _SHORT[alignment.verdict],
            "flagged": alignment.better is not None,
            "figure": check,
        },
        "positions": _positions(alignment),
    }


OVERLAY = (
    "Centres of the observations over the image. The black square is the next picture; the other squares "
    "show how much tissue patches of usual widths hold around one observation."
)
GENE = (
    "The tissue beside {gene}, the gene whose share of the counts follows the density of nuclei (absorbance "
    "of red) most closely. Where table and image belong together, its map shows the tissue's dense places."
)
FIT = (
    "How closely total counts follow the density of the tissue, as a multiple correlation of ranks with the "
    "absorbance of red, green and blue"
)
DARKNESS = "How much darker the centres are than the tissue around them"


def _of_check(alignment: Alignment) -> str:
    """Return what the figure of the check shows: one panel or two."""
    shown = [
        words
        for name, words in (("fit", FIT), ("darkness", DARKNESS))
        if getattr(alignment.own, name) is not None
    ]
    if len(shown) == 2:
        shown = [
            f"{side}: {words[0].lower()}{words[1:]}"
            for side, words in zip(("Left", "right"), shown, strict=True)
        ]
    return f"{'; '.join(shown)}; with all centres as they stand and moved."


def write_page(out: Path, name: str, sections: Sequence[dict[str, Any]]) -> Path:
    """Write ``index.html`` into a folder.

    Raises
    ------
    StorageError
        When it cannot be written.
    """
    head = [
        "sample",
        "patient",
        "observations",
        "genes",
        "median counts",
        "\u00b5m/px",
        "image and table",
        "",
    ]
    rows = [_line(one) for one in sections]
    context = {
        "name": name,
        "mark": _MARK,
        "head": head,
        "rows": rows,
        "sections": sections,
        "n_faults": sum(len(one["faults"]) for one in sections),
        "flagged": [one["id"] for one in sections if one["check"] and one["check"]["flagged"]],
        "written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }
    write_text(out / PAGE, render("inspection.html.j2", context))
    return out / PAGE


def is_page(path: Path) -> bool:
    """Return whether a file is the page of an inspection."""
    try:
        with path.open("rb") as file:
            return _MARK.encode() in file.read(_HEAD_BYTES)
    except OSError:
        return False


def _line(section: dict[str, Any]) -> list[str]:
    facts = dict(section["facts"])
    check = section["check"]
    said = "-" if check is None else check["short"]
    n = len(section["faults"])
    state = f"{n} fault{'s' * (n > 1)}" if n else ""
    keys = ("patient", "observations", "genes", "median counts", "width of a pixel")
    cells = (str(facts.get(key, "-")).split(" (")[0].removesuffix(f" {MICRO}") for key in keys)
    return [section["id"], *cells, said, state]


def _asked(spec: SampleSpec) -> list[tuple[str, str]]:
    return [("source", spec.source), ("path", str(spec.path)), ("patient", spec.patient)]


def _facts(spec: SampleSpec, sample: Sample, row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the table of a sample as pairs."""
    by = sample.um_per_px_from or ("assumed" if sample.slide.um_per_px_assumed else "the source")
    size = (sample.slide.width_px, sample.slide.height_px)
    mm = " x ".join(format_number(side * sample.um_per_px / 1000) for side in size)
    n_obs, n_measured = sample.n_obs, int(sample.measured.sum())
    facts = [
        ("source", spec.source),
        ("platform", sample.platform or "not stated"),
        ("patient", sample.patient),
        *sorted(sample.covariates.items()),
        ("observations", f"{n_obs:,}" + (f" ({n_measured:,} measured)" if n_measured != n_obs else "")),
        ("genes", f"{len(sample.genes):,}"),
        ("median counts", "-" if row["median_counts"] is None else f"{row['median_counts']:,.0f}"),
        ("image", f"{size[0]:,} x {size[1]:,} px ({mm} mm)"),
        ("width of a pixel", f"{sample.um_per_px:.5g} \u00b5m ({by})"),
    ]
    alignment: Alignment = row["alignment"]
    if alignment.others:
        facts.append(("centres on bare glass", f"{alignment.own.on_glass:.0%}"))
    return facts


def _positions(found: Alignment) -> dict[str, Any] | None:
    """Return the table of the alignment check."""
    if not found.others:
        return None
    cells = found.own.darkness is not None
    rows = [
        [
            with_units(one.way.words),
            written(one.fit, ".2f"),
            written(one.error, ".2f") if one.fit is not None and one is not found.own else "",
            *([written(one.darkness, ".2f")] if cells else []),
            f"{one.on_glass:.0%}",
        ]
        for one in (found.own, *found.others)
    ]
    return {
        "head": ["position", "fit", "error of its difference", *["darkness"] * cells, "on glass"],
        "rows": rows,
    }


def _figure(figure: Figure, caption: str, *, form: str) -> dict[str, str]:
    """Return a drawing as a picture that stands in the page: tissue as JPEG, which is a fifth of the size."""
    tame_text(figure)
    buffer = io.BytesIO()
    options: dict[str, Any] = {"pil_kwargs": {"quality": 88}} if form == "jpeg" else {}
    figure.savefig(buffer, format=form, dpi=_DPI, bbox_inches="tight", pad_inches=0.06, **options)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    return {"caption": caption, "data": f"data:image/{form};base64,{data}"}
