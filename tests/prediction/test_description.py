"""Bundles of strangers: nothing of theirs runs, nothing outside is reached, no number is taken unseen."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from prestige.baselines.fitted import FittedBaseline
from prestige.baselines.mean import TrainingMean
from prestige.baselines.settings import BaselineConfig
from prestige.data.panel import Panel
from prestige.data.patches.reader import Patch
from prestige.errors import StorageError
from prestige.models.predictor import build_predictor
from prestige.models.settings import ModelConfig
from prestige.prediction.bundle import read_bundle, write_bundle
from prestige.prediction.description import CARD, MANIFEST, WEIGHTS

PANEL = Panel(("A", "B"), 100.0, np.array([0.1, 2.0]), np.array([1.0, 0.7]))


def write(folder: Path, encoder: str) -> None:
    config = ModelConfig(encoder=encoder)
    network = build_predictor(
        config, input_px=32, train_mean=PANEL.train_mean, train_std=PANEL.train_std, seed=1
    )
    extra = {"um_per_px": [0.5]}
    write_bundle(folder, network, model=config, panel=PANEL, patch=Patch(16.0, 32), extra=extra)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles")
    write(folder / "timm", "timm:test_resnet")
    write(folder / "own", "compact_xs")
    config = BaselineConfig(name="mean")
    fitted = FittedBaseline(config, TrainingMean(np.array([0.25, 1.5]), 7), 0.5)
    write_bundle(folder / "mean", fitted, model=config, panel=PANEL, patch=Patch(16.0, 32), extra={})
    return folder


def copy_of(sound: Path, kind: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound / kind, tmp_path / "model"))


def alter(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


def refused(folder: Path, words: str) -> str:
    with pytest.raises(StorageError, match=words) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


ARGUMENTS = [
    {"checkpoint_path": "README.md"},
    {"pretrained_cfg": {"file": "README.md"}},
    {"pretrained_cfg_overlay": {"file": "README.md"}},
    {"pretrained": True},
    {"cache_dir": "/tmp"},
    {"features_only": True},
    {"exportable": True},
    {"scriptable": True},
    {"block": "os.system"},
    {"norm_layer": "os.system"},
    {"act_layer": ["relu"]},
    {"embed_dim": 10**15},
    {"depth": 10**9},
    {"stem_width": 1.5},
    {"stem_width": {"a": 1}},
    {"drop_rate": float("nan")},
    {"": 1},
]


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=lambda one: f"{next(iter(one))}-{type(one).__name__}")
def test_arguments_come_from_a_list(arguments: dict[str, Any], sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "timm", tmp_path)
    alter(folder, lambda raw: raw["architecture"].update(arguments=arguments))
    refused(folder, r"model\.json: is broken.*architecture: '")


NAMES = [
    "hf-hub:a/b",
    "hf_hub:a/b",
    "local-dir:/tmp",
    "a/resnet18",
    "../x",
    "C:\\x",
    "",
    "resnet18\n",
    "x" * 10**5,
    5,
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: str(name)[:12])
def test_an_architecture_is_a_plain_name_of_timm(name: object, sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "timm", tmp_path)
    alter(folder, lambda raw: raw["architecture"].update(name=name))
    assert len(refused(folder, r"unknown timm model|its name is no text")) < 3000
    alter(folder, lambda raw: raw.update(architecture=None, model={"encoder": f"timm:{name}"}))
    assert len(refused(folder, r"model\.json")) < 3000


def test_a_network_of_terabytes_takes_no_memory(sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "timm", tmp_path)
    big = {"name": "vit_tiny_patch16_224", "mean": [0.5] * 3, "std": [0.5] * 3}
    big["arguments"] = {"embed_dim": 16384, "num_heads": 16, "depth": 9}
    alter(folder, lambda raw: raw.update(architecture=big, model={"encoder": "timm:vit_tiny_patch16_224"}))
    refused(folder, "do not fit the description")


WRONG: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
    ("own", lambda raw: raw["patch"].update(patch_um=None)),
    ("own", lambda raw: raw["patch"].update(patch_um="16")),
    ("own", lambda raw: raw["patch"].update(patch_um=-1.0)),
    ("own", lambda raw: raw["patch"].update(patch_um=float("inf"))),
    ("own", lambda raw: raw["patch"].update(input_px=32.5)),
    ("own", lambda raw: raw["patch"].update(input_px=10**6)),
    ("own", lambda raw: raw["patch"].update(input_px=True)),
    ("own", lambda raw: raw.update(patch=[16.0, 32])),
    ("own", lambda raw: raw.update(panel=None)),
    ("own", lambda raw: raw["panel"].update(genes="AB")),
    ("own", lambda raw: raw["panel"].update(genes=["A", "A"])),
    ("own", lambda raw: raw["panel"].update(genes=["A", 1])),
    ("own", lambda raw: raw["panel"].update(total="100")),
    ("own", lambda raw: raw["panel"].update(total=0)),
    ("own", lambda raw: raw["panel"].update(train_mean=[0.1, float("nan")])),
    ("own", lambda raw: raw["panel"].update(train_mean=[0.1, 2.5])),
    ("own", lambda raw: raw["panel"].update(train_std=[1.0, -0.7])),
    ("own", lambda raw: raw["panel"].update(train_std=[1.0, 1e300])),
    ("own", lambda raw: raw["panel"].update(train_std=[[1.0, 0.7]])),
    ("own", lambda raw: raw["panel"].update(notes={"a": 1})),
    ("own", lambda raw: raw.update(extra=[1])),
    ("own", lambda raw: raw["extra"].update(um_per_px="0.5")),
    ("own", lambda raw: raw["extra"].update(um_per_px=[0.5, None])),
    ("own", lambda raw: raw.update(model=5)),
    ("own", lambda raw: raw.update(model={"encoder": ["compact_xs"]})),
    ("own", lambda raw: raw.update(model={"encoder": "compact_xs", "dropout": "much"})),
    ("own", lambda raw: raw.pop("model")),
    ("timm", lambda raw: raw["architecture"].update(mean=[0.5])),
    ("timm", lambda raw: raw["architecture"].update(mean=[0.5, 0.5, "x"])),
    ("timm", lambda raw: raw["architecture"].update(std=[0.5, 0.0, 0.5])),
    ("timm", lambda raw: raw["architecture"].update(arguments=[1])),
    ("timm", lambda raw: raw.update(architecture="test_resnet")),
    ("timm", lambda raw: raw["architecture"].update(name="test_vit")),
    ("mean", lambda raw: raw.update(baseline="shuffled")),
    ("mean", lambda raw: raw.update(baseline="coordinates")),
    ("mean", lambda raw: raw.update(baseline=[])),
    ("mean", lambda raw: raw.update(fitted=None)),
    ("mean", lambda raw: raw["fitted"].update(seconds="long")),
    ("mean", lambda raw: raw["fitted"].update(n_train=None)),
    ("mean", lambda raw: raw["panel"].update(genes=["A"], train_mean=[0.1], train_std=[1.0])),
]


@pytest.mark.parametrize("number", range(len(WRONG)))
def test_values_of_other_types_are_one_line(number: int, sound: Path, tmp_path: Path) -> None:
    kind, change = WRONG[number]
    folder = copy_of(sound, kind, tmp_path)
    alter(folder, change)
    refused(folder, r"model\.json: ")


@pytest.mark.parametrize(
    "text", ["[]", '"x"', "[" * 100_000, "1" * 5000, '{"schema": ["prestige.model/1"]}', "\0", ""]
)
def test_a_description_that_is_none(text: str, sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "own", tmp_path)
    (folder / MANIFEST).write_text(text)
    refused(folder, r"model\.json: ")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e38, -1e20])
@pytest.mark.parametrize("kind", ["own", "mean"])
def test_numbers_that_are_no_weights(value: float, kind: str, sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, kind, tmp_path)
    tensors = load_file(folder / WEIGHTS)
    name = next(name for name, tensor in tensors.items() if tensor.is_floating_point())
    tensors[name].view(-1)[-1] = value
    save_file(tensors, folder / WEIGHTS)
    refused(folder, f"tensor '{name}' are no weights")


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.complex64])
def test_tensors_of_another_kind(dtype: torch.dtype, sound: Path, tmp_path: Path) -> None:
    for kind in ("own", "mean"):
        folder = copy_of(sound, kind, tmp_path / kind)
        tensors = {name: tensor.to(dtype) for name, tensor in load_file(folder / WEIGHTS).items()}
        save_file(tensors, folder / WEIGHTS)
        refused(folder, "do not fit the description|the baseline 'mean'")


def test_a_header_longer_than_any_network_has(sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "own", tmp_path)
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes((1 << 40).to_bytes(8, "little") + content[8:])
    refused(folder, r"model\.safetensors: cannot be read \(its header would be 1,099,511,627,776 bytes\)")


@pytest.mark.parametrize("name", [MANIFEST, WEIGHTS])
def test_links_pipes_and_folders_in_a_bundle(name: str, sound: Path, tmp_path: Path) -> None:
    folder = copy_of(sound, "own", tmp_path)
    outside = tmp_path / "outside"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)
    refused(folder, f"{name}: is a link out of the model's folder.*cp -rL")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder, f"{name}: is a pipe")
    (folder / name).unlink()
    (folder / name).mkdir()
    refused(folder, f"{name}: is a folder")
    (folder / name).rmdir()
    (folder / "inside").write_bytes(outside.read_bytes())
    (folder / name).symlink_to("inside")
    read_bundle(folder)
    (tmp_path / "link").symlink_to(folder)  # the user's own
    read_bundle(tmp_path / "link")


READER = """
    import os, sys, warnings
    from pathlib import Path
    import torch, timm, numpy, prestige
    from prestige.errors import PrestigeError
    root = Path(sys.argv[1]).resolve()
    prestige.read_bundle(root / "sound")  # what is imported at first use is imported now
    package = os.path.dirname(prestige.__file__)
    libraries = {os.path.realpath(p) for p in (*sys.path, sys.prefix, sys.base_prefix, package) if p}
    here, seen, on = None, [], False
    NEVER = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "pickle.", "urllib.")
    FILES = ("open", "os.listdir", "os.scandir", "os.remove", "os.rename", "os.mkdir", "os.symlink")

    def hook(event, arguments):
        if not on:
            return
        if event.startswith(NEVER):
            seen.append((event, repr(arguments)))
        if event in FILES and isinstance(arguments[0], (str, bytes, os.PathLike)):
            path = os.path.realpath(os.fsdecode(arguments[0]))
            if not any(path == one or path.startswith(one + "/") for one in (str(here), *libraries)):
                seen.append((event, path))

    sys.addaudithook(hook)
    for here in sorted(root.iterdir()):
        on = True
        try:
            prestige.read_bundle(here)
        except PrestigeError as error:
            print(here.name, "refused")
        else:
            print(here.name, "read")
        finally:
            on = False
    print("seen", seen)
"""


def test_reading_opens_no_connection_and_no_file_outside(sound: Path, tmp_path: Path) -> None:
    """In a process of its own, which is told of every file, connection and program."""
    root = tmp_path / "root"
    for kind in ("timm", "own", "mean"):
        shutil.copytree(sound / kind, root / kind)
    shutil.copytree(sound / "timm", root / "sound")
    hostile: dict[str, Callable[[dict[str, Any]], object]] = {
        "checkpoint": lambda raw: raw["architecture"].update(
            arguments={"checkpoint_path": f"{root}/x/{CARD}"}
        ),
        "hub": lambda raw: raw["architecture"].update(name="hf-hub:somebody/something"),
        "hub-encoder": lambda raw: raw.update(
            architecture=None, model={"encoder": "timm:hf-hub:somebody/something", "pretrained": True}
        ),
        "folder": lambda raw: raw["architecture"].update(name=f"local-dir:{root}/timm"),
        "pretrained": lambda raw: raw["architecture"].update(arguments={"pretrained": True}),
        "overlay": lambda raw: raw["architecture"].update(
            arguments={"pretrained_cfg_overlay": {"file": f"{root}/timm/{CARD}"}}
        ),
        "path": lambda raw: raw.update(
            model={"encoder": "timm:test_resnet", "checkpoint": f"{root}/own/{WEIGHTS}"}
        ),
        "imported": lambda raw: raw.update(model={"encoder": "os.system"}),
    }
    for name, change in hostile.items():
        shutil.copytree(sound / "timm", root / name)
        alter(root / name, change)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(READER), str(root)],
        capture_output=True,
        text=True,
        env={**os.environ, "HF_HUB_OFFLINE": "0"},
        check=False,
    )
    *lines, seen = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert seen == "seen []"
    fine = {
        "timm",
        "own",
        "mean",
        "sound",
        "path",
    }  # whose checkpoint is a name that is shown, and never opened
    assert {line.split()[0] for line in lines if line.endswith("read")} == fine
    assert {line.split()[0] for line in lines if line.endswith("refused")} == set(hostile) - fine
