"""The card says what a user of the model has to know, from what model.json holds."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from prestige.prediction.card import model_card


def manifest(**extra: Any) -> dict[str, Any]:
    return {
        "model": {"encoder": "compact_s", "pretrained": False, "checkpoint": None},
        "patch": {"patch_um": 64.0, "input_px": 128, "visible_um": None},
        "panel": {"genes": [f"GENE{i}" for i in range(20)], "total": 100.0},
        "parameters": 1234567,
        "extra": extra,
    }


def test_front_matter_is_yaml_and_the_rest_says_the_essentials() -> None:
    raw = manifest(data_fingerprints={"UC1": "abc"}, um_per_px=[0.5, 0.425], validation_score=0.21987)
    _, front, body = model_card(raw).split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "prestige-st"
    assert "# compact_s on patches of 64 um" in body
    assert "64 um of tissue in 128 x 128 pixels." in body
    assert "GENE11 and 8 more" in body
    assert "1,234,567 trained parameters" in body
    assert "started from random weights" in body
    assert "- UC1 (`abc`)" in body
    assert "0.5, 0.425" in body
    assert "| validation | 0.2199 |" in body


def test_what_is_not_known_is_said_to_be_so() -> None:
    card = model_card(manifest())
    assert card.count("Not stated here.") == 2  # training data and scores
    assert "Pixel size of the slides (um): not stated" in card


def test_what_was_trained_chosen_and_tested_on_is_told_apart() -> None:
    sides = {
        "train": {"S1": "P1", "S2": "P1", "S3": "P2"},
        "validation": {"S3": "P2"},
        "test": {"S4": "P3"},
    }
    marks = {"S1": "a1", "S2": "a2", "S3": "a3", "S4": "a4"}
    card = model_card(manifest(sides=sides, data_fingerprints=marks, scores={"test": 0.25}))
    _, trained, chosen, tested = card.partition("## Scores")[0].split("### ")
    assert trained.splitlines()[2:4] == [
        "- patient P1: S1 (`a1`); S2 (`a2`)",
        "- patient P2: S3 (`a3`), a part of it",
    ]
    assert chosen.startswith("Chosen on (validation)")
    assert chosen.splitlines()[2] == "- patient P2: S3 (`a3`), a part of it"
    assert tested.startswith("Tested on")
    assert tested.splitlines()[2] == "- patient P3: S4 (`a4`)"
    assert "| test | 0.25 |" in card


def test_names_are_shown_letter_by_letter() -> None:
    name = "---\n# <script>a</script> [x](http://y) `c` **b** | $z$ _i_ a_b\x1b[31m"
    raw = manifest(sides={"train": {name: name}}, data_fingerprints={name: "`|"}, scores={name: 1.0})
    raw["panel"]["genes"] = ["<b>", "A|B"]
    raw["model"]["encoder"] = "timm:vit\n---\nlicense: mine"
    card = model_card(raw)
    assert yaml.safe_load(card.split("---\n")[1]) == yaml.safe_load(model_card(manifest()).split("---\n")[1])
    shown = (
        r"--- \# \<script\>a\</script\> \[x\](http:" + "\N{ZERO WIDTH SPACE}" + r"//y) \`c\` \*\*b\*\* "
        r"\| \$z\$ \_i\_ a_b\\x1b\[31m"
    )
    assert f"- patient {shown}: {shown}\n" in card
    assert f"| {shown} | 1 |" in card
    assert r"\<b\>, A\|B" in card
    assert "# timm:vit --- license: mine on patches" in card


def test_greyed_tissue_and_loaded_weights_are_named() -> None:
    raw = manifest()
    raw["patch"]["visible_um"] = 16.0
    raw["model"]["pretrained"] = True
    card = model_card(raw)
    assert "Tissue outside the middle 16 um is greyed." in card
    assert "started from pretrained weights" in card


@pytest.mark.parametrize(
    ("baseline", "title", "words"),
    [
        ("mean", "# mean on patches of 64 um", "Baseline: mean; 1,234,567 fitted coefficients."),
        (
            {"frozen": {"encoder": "resnet18", "pretrained": True, "checkpoint": None}},
            "# frozen resnet18 on patches",
            "Baseline: frozen, on features of resnet18 with pretrained weights, not trained here",
        ),
        (
            {"hest": {"encoder": "uni", "pretrained": False, "checkpoint": "mine.safetensors"}},
            "# hest uni on patches",
            "on features of uni with mine.safetensors, not trained here",
        ),
    ],
)
def test_a_baseline_says_that_it_is_one(baseline: Any, title: str, words: str) -> None:
    raw = manifest()
    del raw["model"]
    card = model_card({**raw, "baseline": baseline})
    assert title in card
    assert words in card
    assert "Validation chose" not in card
    assert "prestige.read_bundle" in card
