"""The commands: each turns its arguments into calls of the library.

Nothing is computed here, and nothing large is imported at the top.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import prestige
from prestige.cli import challenge, data
from prestige.cli.faults import Commands
from prestige.cli.options import Device, Out, Predicted, Scale, Truth
from prestige.cli.summary import print_summary
from prestige.compute.progress import say
from prestige.errors import DataError

if TYPE_CHECKING:
    from prestige.data.phantom import PhantomConfig

app = typer.Typer(
    name="prestige",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(challenge.group)
app.add_typer(data.group)


def _show_version(wanted: bool) -> bool:
    if wanted:
        typer.echo(f"prestige {prestige.__version__}")
        raise typer.Exit
    return wanted


@app.callback()
def _prestige(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave."),
    ] = False,
) -> None:
    """From H&E histology to spatial gene expression: which encoder, at which patch size, for which genes?"""


@app.command(epilog="Example:  prestige phantom demo/phantom --radius-um 30")
def phantom(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into; made where missing.")],
    config: Annotated[
        Path | None,
        typer.Option(metavar="PHANTOM.yaml", help="Settings of the phantom; what follows replaces them."),
    ] = None,
    radius_um: Annotated[
        float | None, typer.Option(help="How far a cell's surroundings act on its genes.")
    ] = None,
    patients: Annotated[int | None, typer.Option(help="Number of patients.")] = None,
    size_px: Annotated[int | None, typer.Option(help="Side of each image in pixels.")] = None,
    seed: Annotated[int | None, typer.Option(help="Everything random follows from it.")] = None,
) -> None:
    """Write synthetic tissue whose right patch size is known, in the challenge's layout."""
    from prestige.data.phantom import write_phantom

    given = {"radius_um": radius_um, "patients": patients, "size_px": size_px, "seed": seed}
    typer.echo(write_phantom(_phantom_config(config, given), folder))


@app.command(epilog="Example:  prestige init data/sections --dry-run")
def init(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER", help="Folders of images, tables, stores, outputs.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where the two files go.")] = Path(),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print them and write nothing.")] = False,
) -> None:
    """Recognise what lies in folders and write dataset.yaml and bench.yaml for it.

    Kinds are told by content, not by names; nothing is overwritten.  Patients that no file names, and what
    else somebody has to say, are marked in the files.
    """
    from prestige.data.spec import UNFILLED
    from prestige.start.write import begin

    begun = begin(folders, out, dry_run=dry_run)
    for path, text in begun.texts.items():
        typer.echo(f"# {path}\n{text}" if dry_run else path)
    if not dry_run and any(one.patient is None for one in begun.samples):
        dataset = shlex.quote(str(next(iter(begun.texts))))
        typer.echo(f'fill in the patients marked "{UNFILLED}", then: prestige inspect {dataset}')


@app.command(epilog="Example:  prestige inspect datasets/kidney.yaml --out out/kidney-inspection")
def inspect(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.yaml", help="The list of samples.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="DIR", help="Where the pictures go; NAME-inspection when not given."
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read every byte of the cache first; prepare what is damaged anew."),
    ] = False,
) -> None:
    """Read every sample, list all faults, and draw the observations over each image."""
    from prestige.data.cache import default_cache_dir
    from prestige.data.cache import verify as verify_cache
    from prestige.data.dataset import read_dataset
    from prestige.report.dataset.inspection import inspect as inspect_dataset

    settings = read_dataset(dataset)
    if verify:
        for line in verify_cache(default_cache_dir()):
            say(line)
    found = inspect_dataset(settings, out or Path(f"{settings.name}-inspection"))
    typer.echo(found)
    if found.faults:
        raise DataError(
            f"{len(found.faults)} {'fault' if len(found.faults) == 1 else 'faults'}, listed above",
            where=dataset,
            remedy="mend them before a bench",
        )


@app.command(epilog="Example:  prestige split examples/kidney.yaml --out out/kidney-split")
def split(
    config: Annotated[Path, typer.Argument(metavar="BENCH.yaml", help="The bench whose split is looked at.")],
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="Where the maps go; NAME-split when not given."),
    ] = None,
) -> None:
    """Show which tissue trains, validates and tests, and audit it: leaks, distances, unlike folds.

    The exit code is 2 when the audit finds an error that the yaml does not allow by name.
    """
    from prestige.config import read_bench

    name = read_bench(config).name
    from prestige.report.dataset.split import inspect_split

    found = inspect_split(config, out or Path(f"{name}-split"))
    typer.echo(found)
    found.audit.raise_errors()


@app.command(epilog="Example:  prestige bench examples/phantom.yaml --out out/phantom")
def bench(
    config: Annotated[
        Path, typer.Argument(metavar="BENCH.yaml", help="Data, split, patches, encoders, training.")
    ],
    out: Out,
    device: Device = "auto",
    jobs: Annotated[
        int, typer.Option("--jobs", "-j", min=1, help="Runs at a time, each with its share of the cores.")
    ] = 1,
) -> None:
    """Train and score every encoder at every patch size under the same rules, and write the report.

    Interrupted, it goes on where it was when the same command is run again.  Run several times at once,
    in two terminals or by two jobs of a cluster, the processes share the runs, as with --jobs.  The last
    line is the path of the report.
    """
    _share_cores(jobs)
    from prestige.config import read_bench

    read_bench(config)  # a wrong key is answered before torch is loaded
    from prestige.runs.bench import run_bench

    typer.echo(run_bench(config, out, device=device, jobs=jobs))


def _share_cores(jobs: int) -> None:
    """Give each process its share, before the libraries that read these are loaded; who set them decides."""
    from prestige.compute.threads import n_threads

    if jobs > 1:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ.setdefault(name, str(max(1, n_threads(None) // jobs)))


@app.command(epilog="Example:  prestige report out/phantom")
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A folder that `bench` or `train` has written.")
    ],
) -> None:
    """Write the report of a bench anew, from what is finished by now."""
    from prestige.report import write_report

    typer.echo(write_report(folder))


@app.command(epilog="Example:  prestige train run.yaml --out out/compact-64um")
def train(
    config: Annotated[
        Path, typer.Argument(metavar="RUN.yaml", help="Data, split, one patch, one model, training.")
    ],
    out: Out,
    device: Device = "auto",
) -> None:
    """Train one model and score it on the test side; DIR becomes the run folder."""
    from prestige.config import read_run

    read_run(config)  # a wrong key is answered before torch is loaded
    from prestige.runs.run import train_from_yaml

    typer.echo(train_from_yaml(config, out, device=device))


@app.command(epilog="Example:  prestige predict out/compact-64um new-slides.yaml --out out/new-slides")
def predict(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_MODEL", help="A run folder, or a model folder.")],
    dataset: Annotated[Path, typer.Argument(metavar="DATASET.yaml", help="The samples to predict.")],
    out: Out,
    device: Device = "auto",
) -> None:
    """Predict the expression of all observations, measured or not, into DIR/<sample>.h5ad."""
    from prestige.prediction.predict import predict_dataset

    for path in predict_dataset(model, dataset, out, device=device):
        typer.echo(path)


@app.command(epilog="Example:  prestige evaluate out/new-slides/S1.h5ad measured/S1.h5ad --json")
def evaluate(
    predicted: Predicted,
    truth: Truth,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scores as JSON.")] = False,
    scale: Scale = None,
) -> None:
    """Score predictions against the measurement, gene by gene and observation by observation."""
    from prestige.evaluate import evaluate_files

    summary = evaluate_files(predicted, truth, scale=scale).summary()
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        print_summary(summary)


@app.command(
    epilog="Example:  prestige biology predicted/S1.h5ad measured/S1.h5ad --sets mine.gmt --out out/biology"
)
def biology(
    predicted: Predicted,
    truth: Truth,
    out: Out,
    sets: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE.gmt", help="Gene sets to judge by, besides the shipped ones; repeatable."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="BIOLOGY.yaml", help="What else is asked: tissue, genes, condition, region."),
    ] = None,
    scale: Scale = None,
) -> None:
    """Ask whether the biology survived: gene sets, pathways, structure in space, cell types, regions."""
    from prestige.report.biology.of_bench import read_biology, write_file_biology
    from prestige.report.biology.words import sentences

    asked = read_biology(config) if config is not None else None
    page, found = write_file_biology(predicted, truth, out, sets=tuple(sets or ()), scale=scale, config=asked)
    for lines in sentences(found).values():
        for line in lines:
            typer.echo(line)
    typer.echo(str(page))


def _phantom_config(path: Path | None, given: dict[str, Any]) -> PhantomConfig:
    from prestige.data.phantom import PhantomConfig
    from prestige.settings import build, read_yaml

    raw = read_yaml(path) if path else {}
    raw.update({key: value for key, value in given.items() if value is not None})
    return build(PhantomConfig, raw, where=path or "prestige phantom")
