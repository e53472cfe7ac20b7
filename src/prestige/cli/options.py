"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Out = Annotated[
    Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write into; made where missing.")
]
Device = Annotated[
    Literal["auto", "cpu", "cuda", "mps"],
    typer.Option(help="Where to compute; auto takes a GPU where there is one."),
]
Predicted = Annotated[Path, typer.Argument(metavar="PRED.h5ad", help="Predictions, of this tool or another.")]
Truth = Annotated[
    Path, typer.Argument(metavar="TRUTH.h5ad", help="Measured counts of the same observations.")
]
Scale = Annotated[
    str | None,
    typer.Option(
        metavar="SCALE",
        help="Scale of another tool's predictions: counts, total:TOTAL, log1p or log1p:TOTAL.",
    ),
]
