"""A model and a dataset -> predicted expression of every observation, measured or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from jaxtyping import Int

from prestige.baselines.settings import baselines
from prestige.compute.outputs import check_folder
from prestige.compute.ownership import files_in
from prestige.compute.progress import say
from prestige.data.dataset import DatasetConfig, open_dataset, read_dataset
from prestige.data.observations import Observations, all_observations
from prestige.data.patches.reader import Patch, PatchReader
from prestige.data.sample import Sample
from prestige.data.slides.mapped import MOST_HELD_BYTES
from prestige.errors import DataError, ModelError, StorageError, raise_all
from prestige.inputs import plain_folder
from prestige.prediction.bundle import read_bundle
from prestige.prediction.description import MANIFEST
from prestige.prediction.files import is_prediction, prediction_file
from prestige.records.run import RunFolder

_MODEL = "a model bundle (model.json, model.safetensors) or a run folder with one in model/"
_MOST_LOOKED_AT = 20  # tables in a folder, for a prediction among them
BAND_PX = 1024
"""Height of the bands of a slide that observations are taken from, one after the other."""


def predict_dataset(
    run_or_model: Path | str, dataset: Path | str, out: Path | str, *, device: str = "auto"
) -> list[Path]:
    """Write ``out/<sample>.h5ad`` for each sample of a dataset, row by row as they are predicted.

    In memory stand a batch of patches and of predictions, the next batch of patches, and names and places of
    the observations: never an array of observations x genes.  A file has its name when it is whole; an older
    prediction of that name is replaced, and nothing else.

    Parameters
    ----------
    run_or_model
        A run folder, or the model bundle inside one (or copied from one).
    dataset
        The dataset's yaml.

    Returns
    -------
    The files written: all observations, expression on the log1p scale of the model's panel.

    Raises
    ------
    ModelError
        When there is no model in the folder.
    DataError
        When a sample is at fault, or its image is smaller than the model's patch.
    StorageError
        When something else than a prediction has the name of one, or one cannot be written.

    Examples
    --------
    >>> import prestige
    >>> files = prestige.predict_dataset("run", "phantom/dataset.yaml", "predicted", device="cpu")
    >>> files[0].name
    'P1_S1.h5ad'
    """
    run_or_model, dataset, out = Path(run_or_model), Path(dataset), Path(out)
    folder = bundle_folder(run_or_model)
    config = read_dataset(dataset)
    inputs = [dataset, folder, RunFolder(run_or_model).predictions, *config.inputs]
    check_folder(out, inputs=inputs, files=[f"{sample.id}.h5ad" for sample in config.samples])
    _check_targets(config, out)
    bundle = read_bundle(folder)
    samples = open_dataset(config, counts="optional").samples
    check_sizes(samples, bundle.patch)
    for words in pixel_notes(samples, bundle.extra.get("um_per_px")):
        say(words)
    slides = [sample.slide for sample in samples]
    reader = PatchReader(slides, bundle.patch, most_mapped_bytes=MOST_HELD_BYTES)
    predict = bundle.in_batches(reader, device=device)
    model = {
        "encoder": bundle.name,
        "patch_um": bundle.patch.patch_um,
        "input_px": bundle.patch.input_px,
        "visible_um": bundle.patch.visible_um,
    }
    observations = all_observations(samples)
    paths = []
    with _empty_handed(out):
        for number, sample in enumerate(samples):
            of_sample = observations.take(np.flatnonzero(observations.slide_index == number))
            order = reading_order(of_sample, band_px=BAND_PX)
            label = f"predicting {sample.id}, {len(of_sample):,} observations"
            paths.append(out / f"{sample.id}.h5ad")
            with prediction_file(paths[-1], sample, of_sample.row, bundle.panel, model) as write:
                for rows, expression in predict(of_sample, order=order, label=label):
                    write(rows, expression)
    return paths


@contextmanager
def _empty_handed(out: Path) -> Iterator[None]:
    """Take away a folder that was made for predictions, where the first of them already failed."""
    there = out.exists()
    try:
        yield
    except BaseException:
        if not there:
            with suppress(OSError):  # it holds a file, or was never made
                out.rmdir()
        raise


def reading_order(observations: Observations, *, band_px: int) -> Int[np.ndarray, " n"]:
    """Return the observations slide by slide, band by band, and along the band: each page is read once."""
    x, y = observations.xy_px.T
    return np.lexsort((x, y // band_px, observations.slide_index))


def pixel_notes(samples: Sequence[Sample], trained_at: float | Sequence[float] | None) -> list[str]:
    """Return a line for each sample whose pixel size makes its predictions doubtful.

    Parameters
    ----------
    trained_at
        Pixel sizes of the training's slides, in micrometres; None where the model does not say.
    """
    notes = []
    sizes = [trained_at] if isinstance(trained_at, int | float) else list(trained_at or [])
    for sample in samples:
        if sample.slide.um_per_px_assumed:
            notes.append(
                f"note: sample '{sample.id}': its pixel size was not stated, "
                f"{sample.um_per_px:g} um was assumed"
            )
        if sizes and sample.um_per_px > 1.2 * max(sizes):
            notes.append(
                f"note: sample '{sample.id}': its pixels are {sample.um_per_px:g} um wide, those of the "
                f"training at most {max(sizes):g} um: the model has seen no patches as blurred as these"
            )
    return notes


def check_sizes(samples: Sequence[Sample], patch: Patch) -> None:
    """Refuse images that are smaller than the patch, by the names of their samples.

    Raises
    ------
    DataError
        One for each such sample.
    """
    faults = []
    for sample in samples:
        width, slide = patch.width_px(sample.um_per_px), sample.slide
        if width > min(slide.width_px, slide.height_px):
            faults.append(
                DataError(
                    f"the model's patch of {patch.patch_um:g} um ({width} px) is larger than the image",
                    where=f"sample '{sample.id}'",
                    expected=f"at most the image's {slide.width_px} x {slide.height_px} px",
                    remedy="take a model with a smaller patch, or leave the sample out",
                )
            )
    raise_all(faults)


def _check_targets(config: DatasetConfig, out: Path) -> None:
    """Refuse to write over anything but predictions, and into a folder of other files."""
    faults = [
        StorageError(
            "is no prediction of prestige and would be overwritten",
            where=path,
            remedy="name another folder with --out, or move the file away",
        )
        for path in (out / f"{sample.id}.h5ad" for sample in config.samples)
        if path.exists() and not is_prediction(path)
    ]
    raise_all(faults)
    there = files_in(out) if out.is_dir() else []
    tables = [out / name for name in there if name.endswith(".h5ad")][:_MOST_LOOKED_AT]
    if there and not any(map(is_prediction, tables)):
        raise StorageError(
            "the folder is not empty and holds no predictions", where=out, remedy="give another folder"
        )


def bundle_folder(folder: Path) -> Path:
    """Return the folder of the model in a run folder, or of the model itself.

    Raises
    ------
    ModelError
        When there is none.
    """
    plain_folder(folder, expected=_MODEL, kind=ModelError)
    for candidate in (folder, RunFolder(folder).model):
        if (candidate / MANIFEST).exists():
            return candidate
    raise ModelError(
        "there is no model in the folder",
        where=folder,
        expected=_MODEL,
        remedy="a run that did not end has no model yet, and of baselines "
        f"{' and '.join(name for name in baselines if not baselines.get(name).kept)} keep none: "
        "they know nothing of other slides; take a run of another",
    )
