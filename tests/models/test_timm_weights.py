"""timm's names: what is built, and what is said where weights cannot be had."""

from __future__ import annotations

import pytest

from prestige.errors import ConfigError, ModelError
from prestige.models.encoder import IMAGENET_MEAN, IMAGENET_STD
from prestige.models.timm_weights import Architecture, create_network, find_architecture


def test_a_name_carries_the_normalisation_of_its_weights() -> None:
    assert find_architecture("resnet18", pretrained=False, arguments={}).mean == pytest.approx(IMAGENET_MEAN)
    vit = find_architecture("vit_tiny_patch16_224", pretrained=False, arguments={})
    assert (vit.mean, vit.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert vit.std != IMAGENET_STD


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("resnet81", ConfigError, "did you mean 'timm:resnet18'"),
        ("resnet18.nowhere", ConfigError, "no weights tagged 'nowhere'"),
        ("local-dir:weights", ModelError, "source 'local-dir:' is not read"),
        ("hf-hub:owner/name", ModelError, "nothing is downloaded without 'pretrained'"),
    ],
)
def test_names_that_cannot_be_built(name: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        find_architecture(name, pretrained=False, arguments={})


def test_the_classifier_is_left_out_and_arguments_reach_the_design() -> None:
    net = create_network("resnet10t", Architecture("resnet10t", {"in_chans": 3}), pretrained=False)
    assert net.num_classes == 0
    assert not any(name.startswith("fc") for name, _ in net.named_parameters())


def test_weights_that_cannot_be_had_are_named_with_the_ways_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("401 gated\nand more")

    monkeypatch.setattr(timm, "create_model", fail)
    with pytest.raises(ModelError, match=r"401 gated.*hf auth login.*checkpoint: FILE") as caught:
        create_network("resnet10t", Architecture("resnet10t", {}), pretrained=True)
    assert "timm:resnet10t" in str(caught.value)
    assert "\n" not in str(caught.value)
