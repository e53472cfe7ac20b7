"""``prestige data ...``: public data by name."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill, indent
from typing import Annotated

import typer

from prestige.cli.faults import Group
from prestige.compute.progress import say

group = typer.Typer(
    name="data", cls=Group, no_args_is_help=True, help="Public data by name: list it, fetch it."
)
_COLUMNS = 80


@group.command("list", epilog="Example:  prestige data list")
def list_sets() -> None:
    """List the public data that `fetch` knows: platform, size, licence, and where a copy lies."""
    from prestige.data.public.entries import public_sets
    from prestige.data.public.fetch import copy_of
    from prestige.text import aligned

    sets = public_sets()
    rows = [
        (
            name,
            one.source,
            "any" if one.any_sample else str(len(one.samples)),
            f"{one.gigabytes:g} GB" if one.gigabytes else "-",
            one.licence,
            "PRESTIGE_DATA" if copy_of(name) else "network",
        )
        for name, one in sets.items()
    ]
    for line in aligned([("name", "source", "samples", "about", "licence", "from"), *rows]):
        typer.echo(line)
    for name, one in sets.items():
        paragraphs = (fill(f"{name}: {one.what}", _COLUMNS), fill(one.citation, _COLUMNS - 2))
        typer.echo("\n" + "\n".join((paragraphs[0], indent(paragraphs[1], "  "), f"  {one.page}")))


@group.command(epilog="Example:  prestige data fetch her2st")
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name of `list`, or NAME/SAMPLE.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="FILE.yaml", help="The yaml to write; beside the files when not given."
        ),
    ] = None,
) -> None:
    """Download a public data set, check it, and write the dataset.yaml that names its samples.

    Cut off, the same command goes on where it was.  A copy in $PRESTIGE_DATA/NAME is taken as it is, without
    any connection.  No other command opens one, but for pretrained weights.
    """
    from prestige.data.public.fetch import fetch as fetch_set

    found = fetch_set(name, out)
    for note in found.notes:
        say(f"note: {note}")
    typer.echo(found.path)
