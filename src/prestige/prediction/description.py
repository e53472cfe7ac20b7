"""``model.json`` as it is read: typed and bounded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import ConfigError, PrestigeError, StorageError
from prestige.inputs import plain_file, read_json_object, real_path
from prestige.models.encoders import MOST_INPUT_PX, encoders
from prestige.prediction.packing import BASELINE_SCHEMA, SCHEMA
from prestige.settings import Settings, build

WEIGHTS, MANIFEST, CARD = "model.safetensors", "model.json", "README.md"

_MOST_BYTES = 1 << 26  # 50 times what a panel of all genes takes
_AGAIN = "copy or train it again"


class _PatchRead(Settings):
    model_config = ConfigDict(strict=True)

    patch_um: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
    input_px: Annotated[int, Field(ge=1, le=MOST_INPUT_PX)]
    visible_um: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, eq=False)
class Description:
    """What ``model.json`` says of a model, apart from how it is built.

    Attributes
    ----------
    raw
        All of it.
    patch, panel, extra
        As of a bundle.
    """

    raw: dict[str, Any]
    patch: Patch
    panel: Panel
    extra: dict[str, Any]


def read_description(folder: Path) -> Description:
    """Read what a bundle says of its model.

    Raises
    ------
    StorageError
        When it is missing, cut off, altered, leads out of the folder, was written by a newer version, or is
        of an encoder that is registered elsewhere and not here.
    """
    where = folder / MANIFEST
    try:
        path = part_of(folder, MANIFEST)
    except StorageError as error:
        if where.exists() or where.is_symlink():
            raise
        raise StorageError(
            "there is no model", where=folder, expected=f"a folder with {MANIFEST} and {WEIGHTS}"
        ) from error
    raw = read_json_object(
        path,
        expected="the description of a model",
        kind=StorageError,
        remedy=f"{_AGAIN} if it was cut off",
        most_bytes=_MOST_BYTES,
    )
    _check_schema(raw, where)
    _check_registered(raw, where)
    with altered(where):
        for key in ("patch", "panel", "extra"):
            if not isinstance(raw.get(key), dict):
                raise ConfigError(f"'{key}' is no object")
        patch = Patch(**dict(build(_PatchRead, raw["patch"], where="patch")))
        return Description(raw, patch, Panel.from_dict(raw["panel"]), _checked_extra(raw["extra"]))


def part_of(folder: Path, name: str) -> Path:
    """Return the path of a file of a bundle, which is a file and lies in its folder.

    Raises
    ------
    StorageError
        When it is missing, no plain file, or a link to somewhere else.
    """
    path = plain_file(
        folder / name, expected="a file of a model", kind=StorageError, remedy="copy the whole model folder"
    )
    if not real_path(path).is_relative_to(real_path(folder)):
        raise StorageError(
            "is a link out of the model's folder",
            where=path,
            expected="the file itself",
            remedy="copy the folder with its links followed: cp -rL",
        )
    return path


@contextmanager
def altered(where: Path) -> Iterator[None]:
    """Tell a fault of what a bundle says as one of its file.

    Raises
    ------
    StorageError
        In place of any other of this family.
    """
    try:
        yield
    except StorageError:
        raise
    except PrestigeError as error:
        faults = "; ".join(str(fault) for fault in error.faults)
        raise StorageError(f"is broken or cut off ({faults})", where=where, remedy=_AGAIN) from error


def _check_schema(raw: dict[str, Any], where: Path) -> None:
    name, _, version = str(raw.get("schema")).partition("/")
    ours, _, known = BASELINE_SCHEMA.partition("/")
    if name != ours or not (version.isascii() and version.isdigit() and len(version) < 10):
        raise StorageError(
            "is not the description of a model", where=where, expected=f"the schema {SCHEMA} or newer"
        )
    if int(version) > int(known):
        raise StorageError(
            f"was written by a newer version of prestige (schema {version})",
            where=where,
            expected=f"schema {known} or older",
            remedy="install a newer prestige-st",
        )


def _check_registered(raw: dict[str, Any], where: Path) -> None:
    model, baseline = raw.get("model"), raw.get("baseline")
    if isinstance(baseline, dict):
        model = next(iter(baseline.values()), None)
    name = model.get("encoder") if isinstance(model, dict) else None
    if isinstance(name, str) and not name.startswith("timm:") and name not in encoders:
        raise StorageError(
            f"the encoder '{name}' is not registered here",
            where=where,
            expected="one of prestige's own, one of timm, or one that a package of yours registers",
            remedy="import the package that registers it, then call prestige.read_bundle or "
            "prestige.predict_dataset: the command line knows prestige's own alone",
        )


def _checked_extra(extra: dict[str, Any]) -> dict[str, Any]:
    """Return what else was written, in which a width of pixels is a width, or several."""
    um_per_px = extra.get("um_per_px")
    sizes = um_per_px if isinstance(um_per_px, list) else [um_per_px]
    if um_per_px is not None and not all(
        isinstance(size, int | float) and not isinstance(size, bool) and 0 < size < math.inf for size in sizes
    ):
        raise ConfigError("'um_per_px' is no width of pixels", expected="micrometres, above 0")
    return extra
