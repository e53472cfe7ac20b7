"""Changes of what is stored of models and trainings: safetensors, model.json, checkpoints; of .npy files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from campaign.kinds import OUTSIDE, VALUE, Change
from campaign.values import bytes_of, change_value, dumped, json_of, odd, payload, replaced, short

_ARGUMENTS = (
    "checkpoint_path",
    "pretrained",
    "pretrained_cfg",
    "pretrained_cfg_overlay",
    "cache_dir",
    "scriptable",
    "exportable",
    "img_size",
    "in_chans",
    "num_classes",
    "features_only",
    "drop_rate",
    "act_layer",
    "norm_layer",
    "global_pool",
    "block",
    "stem_width",
    "depths",
    "embed_dim",
    "patch_size",
    "file",
    "state_dict",
    "layers",
    "__class__",
    "output_stride",
)
_NAMES = (
    "hf-hub:evil/model",
    "local-dir:{outside}",
    "hf_hub:evil/model",
    "resnet18",
    "resnet50",
    "vit_giant_patch14_dinov2",
    "../x",
    "",
    "resnet10t.c3_in1k",
    "timm/resnet10t",
    "vit_base_patch16_224",
    "convnext_xxlarge",
    "eva_giant_patch14_224",
    "resnet10t ",
    5,
    "https://example.invalid/m",
    "file:{outside}/secret.raw",
    "timm:resnet10t",
    "efficientnet_l2",
    "compact_xs",
)


def _header(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + n]), data[8 + n :]


def _write(path: Path, header: Any, rest: bytes) -> None:
    text = dumped(header).encode("utf-8", errors="surrogatepass")
    path.write_bytes(len(text).to_bytes(8, "little") + text + rest)


def _file(folder: Path, rng: Random, patterns: tuple[str, ...]) -> Path:
    return rng.choice(
        sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})
    )


def header_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the header of a safetensors file."""

    def apply(folder: Path, rng: Random) -> str:
        path = _file(folder, rng, patterns)
        header, rest = _header(path)
        names = [name for name in header if name != "__metadata__"]
        name = rng.choice(names)
        ways: dict[str, Callable[[], object]] = {
            "dtype": lambda: header[name].update(
                dtype=rng.choice(("F64", "I8", "BOOL", "F8_E4M3", "X", 5, "BF16"))
            ),
            "shape": lambda: header[name].update(
                shape=rng.choice(([], [0], [2**62], [-1], [1], "x", [2**32, 2**32], [1.5]))
            ),
            "offsets": lambda: header[name].update(
                data_offsets=rng.choice(([0, 0], [0, 2**62], [8, 4], [-1, 4], [0], "x"))
            ),
            "gone": lambda: header.pop(name),
            "renamed": lambda: header.update({name + ".x": header.pop(name)}),
            "metadata": lambda: header.update(
                __metadata__=rng.choice(({}, {"schema": 5}, [], None, {"schema": "x"}, {"format": "pt"}))
            ),
            "one more": lambda: header.update(
                {"extra": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
            ),
            "odd": lambda: header.update({name: odd(rng)}),
        }
        way = rng.choice(list(ways))
        ways[way]()
        _write(path, header, rest)
        return f"{path.relative_to(folder)}: {name} {way}"

    return apply


def tensors_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the numbers in a safetensors file."""

    def apply(folder: Path, rng: Random) -> str:
        path = _file(folder, rng, patterns)
        header, rest = _header(path)
        name = rng.choice([name for name in header if name != "__metadata__"])
        start, end = header[name]["data_offsets"]
        value = rng.choice((np.nan, np.inf, -np.inf, 1e38, -1e38, 1e-40, 0.0, 3.0))
        if header[name]["dtype"] == "F32" and end > start:
            values = np.frombuffer(rest[start:end], "<f4").copy()
            values[rng.choice((slice(None), 0, rng.randrange(len(values))))] = value
            rest = rest[:start] + values.tobytes() + rest[end:]
        elif end > start:
            rest = rest[:start] + bytes([rng.choice((0, 255, 128))]) * (end - start) + rest[end:]
        _write(path, header, rest)
        return f"{path.relative_to(folder)}: {name} is {value}"

    return apply


def _architecture(folder: Path, rng: Random) -> str:
    path = _file(folder, rng, ("model/model.json",))
    content = json.loads(path.read_text())
    outside = str(Path(os.environ["PRESTIGE_CAMPAIGN"]) / OUTSIDE)
    (path.parent / "README.md").write_bytes(payload())
    if "model" not in content:
        content["model"] = {"encoder": "timm:resnet10t"}
    if not isinstance(content.get("architecture"), dict):
        content["architecture"] = {"name": "resnet10t", "arguments": {}, "mean": [0.5] * 3, "std": [0.5] * 3}
    architecture = content["architecture"]
    way = rng.choice(
        ("argument", "argument", "argument", "name", "name", "encoder", "mean", "checkpoint", "pretrained")
    )
    if way == "argument":
        values = (
            str(path.parent / "README.md"),
            f"{outside}/secret.raw",
            {"file": str(path.parent / "README.md")},
            {"url": "http://example.invalid/w"},
            {"hf_hub_id": "evil/model"},
            True,
            10**9,
            -1,
            odd(rng),
        )
        architecture["arguments"] = {rng.choice(_ARGUMENTS): rng.choice(values)}
    elif way == "name":
        name = rng.choice(_NAMES)
        architecture["name"] = name.format(outside=outside) if isinstance(name, str) else name
    elif way == "encoder":
        content["model"]["encoder"] = rng.choice(
            ("timm:hf-hub:evil/model", f"timm:local-dir:{outside}", "timm:resnet50", "compact_l", "nobody")
        )
    elif way == "mean":
        architecture[rng.choice(("mean", "std"))] = rng.choice(
            ([1], [0, 0, 0], [1, 2, 3, 4], "abc", [None] * 3, [[1], [2], [3]], 1)
        )
    elif way == "checkpoint":
        content["model"]["checkpoint"] = rng.choice(
            (str(path.parent / "README.md"), f"{outside}/secret.raw", "README.md")
        )
    else:
        content["model"]["pretrained"] = True
    path.write_text(dumped(content), errors="surrogatepass")
    return f"{way}: {short(architecture)}"


def _panel(folder: Path, rng: Random) -> str:
    path = _file(folder, rng, ("model/model.json",))
    content = json.loads(path.read_text())
    part = rng.choice(("patch", "panel", "panel", "extra", "model", "fitted"))
    if part not in content:
        part = "panel"
    content[part], words = change_value(content[part], rng)
    path.write_text(dumped(content), errors="surrogatepass")
    return f"{part}: {words}"


def state_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of what a checkpoint says of where a training stands."""

    def apply(folder: Path, rng: Random) -> str:
        path = _file(folder, rng, patterns)
        header, rest = _header(path)
        state = json.loads(header["__metadata__"]["state"])
        state, words = change_value(state, rng)
        header["__metadata__"]["state"] = dumped(state)
        _write(path, header, rest)
        return f"{path.relative_to(folder)}: {words}"

    return apply


def npy_of(*patterns: str) -> Callable[[Path, Random], str]:
    """Return a change of the header of a file of numpy."""

    def apply(folder: Path, rng: Random) -> str:
        path = _file(folder, rng, patterns)
        data = path.read_bytes()
        end = 10 + int.from_bytes(data[8:10], "little")
        head = data[10:end].decode("latin-1")
        ways = {
            "an object": head.replace("|u1", "|O"),
            "signed": head.replace("|u1", "|i1"),
            "wide": head.replace("|u1", "<f8"),
            "Fortran": head.replace("False", "True"),
            "huge": head.replace("(", f"({10 ** rng.choice((6, 12, 18))}, ", 1),
            "negative": head.replace("(", "(-", 1),
            "flat": head.replace(", 3)", ")"),
            "code": "__import__('os').system('touch EXECUTED')".ljust(len(head)),
            "broken": head.replace("}", "(", 1),
            "nested": "[" * len(head),
            "digits": "9" * len(head),
            "a word": head.replace("shape", "shapf"),
        }
        way = rng.choice(list(ways))
        text = ways[way].encode("latin-1")
        body = payload() if way == "an object" else data[end:]
        path.write_bytes(data[:8] + len(text).to_bytes(2, "little") + text + body)
        return f"{path.relative_to(folder)}: {way}"

    return apply


_MODEL, _WEIGHTS = "model/model.json", "model/model.safetensors"
BUNDLE = (
    Change("values", json_of(_MODEL), "another number of the panel, the patch or the genes' order"),
    Change("parts", _panel, "another number of the panel, the patch or the genes' order"),
    Change("architecture", _architecture, "arguments or names of a network of the same shape"),
    Change("header of the weights", header_of(_WEIGHTS), "a tensor that fits"),
    Change("weights", tensors_of(_WEIGHTS), "other finite weights are another model"),
    Change("bytes", bytes_of(_MODEL, _WEIGHTS), "other finite weights are another model"),
    Change("replaced", replaced(_MODEL, _WEIGHTS, "model/README.md")),
)
CHECKPOINT = (
    Change(
        "state", state_of("half/checkpoints/*.safetensors"), "another place from which the training goes on"
    ),
    Change("header", header_of("half/checkpoints/*.safetensors"), VALUE),
    Change(
        "tensors", tensors_of("half/checkpoints/*.safetensors"), "other finite weights train on to others"
    ),
    Change(
        "bytes",
        bytes_of("half/checkpoints/*.safetensors", "half/config.yaml"),
        "other finite weights train on to others",
    ),
    Change(
        "replaced",
        replaced("half/checkpoints/*", "half/config.yaml", "half/log.txt"),
        "begun anew, by its own settings",
    ),
)
