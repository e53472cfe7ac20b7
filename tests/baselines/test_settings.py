"""Baselines as a yaml names them."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.baselines.fitted import Fitted
from prestige.baselines.settings import HEST_CAVEAT, HEST_PATCH, BaselineConfig, baselines
from prestige.data.patches.reader import PatchConfig
from prestige.errors import ConfigError
from prestige.settings import Settings, build

GRID = (PatchConfig(patch_um=8), PatchConfig(patch_um=16))


class Holder(Settings):
    """Settings with baselines in them."""

    baselines: tuple[BaselineConfig, ...]


def one(raw: object) -> BaselineConfig:
    return build(Holder, {"baselines": [raw]}, where="bench.yaml").baselines[0]


@pytest.mark.parametrize("name", list(baselines))
def test_each_says_in_one_line_why(name: str) -> None:
    assert "\n" not in baselines.get(name).why
    assert len(baselines.get(name).why) < 110


@pytest.mark.parametrize(
    ("raw", "label"),
    [
        ("mean", "mean"),
        ("ridge", "ridge"),
        ("coordinates", "coordinates"),
        ("hest", "hest resnet50, pretrained"),
        ({"hest": "vit_tiny"}, "hest vit_tiny, random weights"),
        ({"frozen": "resnet18"}, "frozen resnet18, random weights"),
        ({"frozen": {"encoder": "resnet18", "pretrained": True}}, "frozen resnet18, pretrained"),
        ({"frozen": {"encoder": "stnet", "checkpoint": "a/w.st"}}, "frozen stnet, from w.st"),
        ({"frozen": {"encoder": "stnet", "readout": "whole"}}, "frozen stnet, random weights, readout whole"),
        ({"shuffled": "compact_s"}, "compact_s, shuffled labels"),
        (
            {"shuffled": {"encoder": "resnet18", "pretrained": True, "dropout": 0.5}},
            "resnet18 (pretrained, dropout 0.5), shuffled labels",
        ),
        ("depth", "depth"),
    ],
)  # fmt: skip
def test_a_baseline_is_named_by_what_it_is_and_written_as_it_was_read(raw: object, label: str) -> None:
    found = one(raw)
    assert found.label == label
    written = found.model_dump(mode="json", exclude_none=True)
    assert one(written) == found
    assert written == label or isinstance(written, dict)


def test_where_each_stands_in_a_grid() -> None:
    assert one("mean").patches(GRID) == GRID[:1]
    assert one("coordinates").patches(GRID) == GRID[:1]
    assert one("depth").patches(GRID) == GRID[:1]
    assert one("ridge").patches(GRID) == GRID
    assert one({"frozen": "resnet18"}).patches(GRID) == GRID
    assert one({"shuffled": "resnet18"}).patches(GRID) == GRID
    assert one("hest").patches(GRID) == (HEST_PATCH,)
    assert HEST_PATCH.patch_um / HEST_PATCH.input_px == 0.5


def test_what_hest_may_be_compared_with_is_said_twice() -> None:
    entry = baselines.get("hest")
    assert HEST_CAVEAT == "comparable only on their genes, pseudo-spots and splits"
    assert HEST_CAVEAT in entry.why
    assert entry.note == HEST_CAVEAT


def test_what_needs_more_than_pixels_of_a_slide_is_not_kept() -> None:
    assert [name for name in baselines if not baselines.get(name).kept] == ["coordinates", "depth"]


@pytest.mark.parametrize("name", [name for name in baselines if baselines.get(name).fitted])
def test_each_entry_names_the_class_that_fits_it(name: str) -> None:
    assert issubclass(baselines.get(name).kind(), Fitted)


def test_only_what_uses_test_rna_is_a_diagnostic() -> None:
    assert [name for name in baselines if baselines.get(name).diagnostic] == ["depth"]


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("rigde", "did you mean 'ridge'"),
        ("coordinate", "did you mean 'coordinates'"),
        ({"frozn": {"encoder": "resnet18"}}, "did you mean 'frozen'"),
        ({"hset": {}}, "did you mean 'hest'"),
        ("frozen", "needs an encoder"),
        ("shuffled", "needs an encoder"),
        ({"frozen": None}, "needs an encoder"),
        ({"frozen": {"encoder": "resnet18", "pretraind": True}}, "did you mean 'pretrained'"),
        ({"frozen": {"encoder": "a", "pretrained": True, "checkpoint": "b"}}, "one of the two"),
        ({"frozen": {"encoder": "resnet18", "dropout": 0.3}}, "dropout says nothing"),
        ({"hest": {"encoder": "resnet18", "readout": "whole"}}, "leave readout and norm out"),
        ({"mean": "resnet18"}, "no encoder"),
        ({"frozen": "resnet18", "shuffled": "resnet18"}, "two baselines stand in one entry"),
        (3, "expected a mapping of keys to values"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(raw: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        one(raw)
    assert all("\n" not in str(fault) for fault in caught.value.faults)


def test_a_path_stays_a_path() -> None:
    found = one({"frozen": {"encoder": "resnet18", "checkpoint": "a/w.safetensors"}})
    assert found.model is not None
    assert found.model.checkpoint == Path("a/w.safetensors")
