"""``prestige challenge ...``: from stores to a dataset.yaml, from models to a submission, to figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from prestige.cli.faults import Group
from prestige.cli.options import Device
from prestige.compute.progress import say

if TYPE_CHECKING:
    from prestige.challenge.scoring import ChallengeScores

group = typer.Typer(
    name="challenge",
    cls=Group,
    no_args_is_help=True,
    help="The Autoimmune Disease ML Challenge: its stores, its submissions, its scores.",
)


@group.command(epilog="Example:  prestige challenge prepare challenge/ --dry-run")
def prepare(
    folder: Annotated[
        Path, typer.Argument(metavar="STORE_DIR", help="The folder of the challenge's stores.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="FILE.yaml",
            help="The yaml to write; STORE_DIR/dataset.yaml when not given.",
        ),
    ] = None,
    um_per_px: Annotated[
        float | None,
        typer.Option(min=1e-3, help="Width of a pixel in um, which the challenge does not state."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the yaml and write nothing.")] = False,
) -> None:
    """Write a dataset.yaml of all stores in a folder, with patients, conditions and what each holds.

    Nothing is overwritten.  A store without expression (DC1) is for prediction only: a bench leaves it out.
    """
    from prestige.challenge.stores import prepare as prepare_stores

    path, text = prepare_stores(folder, out, um_per_px=um_per_px, dry_run=dry_run)
    typer.echo(text.rstrip("\n") if dry_run else path)


@group.command(
    epilog="Example:  prestige challenge submit out/runs/HASH --dataset dataset.yaml --out all.parquet"
)
def submit(
    models: Annotated[
        list[Path], typer.Argument(metavar="MODEL", help="Run or model folders; several are averaged.")
    ],
    dataset: Annotated[
        Path, typer.Option(metavar="DATASET.yaml", help="The challenge's stores, as `prepare` lists them.")
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", help="The file to write: .parquet or .csv.")
    ],
    fill: Annotated[
        Literal["refuse", "mean", "zero"],
        typer.Option(
            help="What stands for genes that no model predicts; mean is that of the training cells."
        ),
    ] = "refuse",
    device: Device = "auto",
) -> None:
    """Predict all validation and test cells and write the long table of Crunch 1: a row a cell and gene.

    Written in blocks, so it takes the memory of some thousand cells; 2 decimals, never below 0.
    """
    from prestige.challenge.submission import submit as write_submission

    found = write_submission(models, dataset, out, fill=fill, device=device)
    for note in found.notes:
        say(f"note: {note}")
    cells = sum(found.cells.values())
    typer.echo(
        f"{found.n_rows:,} rows: {cells:,} cells of {len(found.cells)} samples x {found.n_genes} genes"
    )
    typer.echo(found.path)


@group.command(epilog="Example:  prestige challenge score all.parquet measured/ --group test")
def score(
    submission: Annotated[Path, typer.Argument(metavar="FILE", help="A submission, .parquet or .csv.")],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH_DIR",
            help="Folder of test-SAMPLE.csv (log1p) or .h5ad (counts), and region-cell_id-map.csv.",
        ),
    ],
    of_group: Annotated[
        Literal["validation", "test"] | None,
        typer.Option("--group", help="Which cells; needed where the folder holds both."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Score a submission as the challenge does: per-cell Spearman and squared error, by region and sample."""
    from prestige.challenge.scoring import score as official

    found = official(submission, truth, group=of_group)
    if as_json:
        typer.echo(json.dumps(found.summary(), indent=1))
        return
    for note in found.notes:
        say(f"note: {note}")
    for line in _lines(found):
        typer.echo(line)


def _lines(found: ChallengeScores) -> list[str]:
    from prestige.challenge.rules import MOST_MSE
    from prestige.text import aligned

    regions = [
        (str(row.sample), str(row.region), f"{row.n_cells:,}", f"{row.spearman:.6f}", f"{row.mse:.6f}")
        for row in found.regions.itertuples()
    ]
    samples = [
        (str(row.sample), "mean", f"{row.n_cells:,}", f"{row.spearman:.6f}", f"{row.mse:.6f}")
        for row in found.samples.itertuples()
    ]
    all_cells = f"{int(found.regions['n_cells'].sum()):,}"
    total = ("all", "mean", all_cells, f"{found.spearman:.6f}", f"{found.mse:.6f}")
    head = ("sample", "region", f"{found.group} cells", "Spearman", "MSE")
    verdict = (
        f"below {MOST_MSE:g}" if found.counts else f"not below {MOST_MSE:g}: the challenge does not count it"
    )
    return [*aligned([head, *regions, *samples, total]), f"The squared error is {verdict}"]
