"""Arguments of timm's designs: names from a list, plain values within bounds."""

from __future__ import annotations

import inspect
import json
from typing import Any

import pytest
import timm
from hypothesis import given
from hypothesis import strategies as st

from prestige.errors import ConfigError
from prestige.models.arguments import SAFE, in_words, safe_arguments

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(SAFE)) | st.text(), _VALUES, max_size=3))
def test_what_passes_is_plain_bounded_and_passes_again(raw: dict[str, Any]) -> None:
    safe: dict[str, Any] = {}
    try:
        safe = safe_arguments(raw, where="x")
    except ConfigError as error:
        faults = [str(fault) for fault in error.faults]
    else:
        faults = []
    assert all("\n" not in fault and len(fault) < 3000 for fault in faults)
    if faults:
        return
    assert safe.keys() <= SAFE
    for value in safe.values():
        parts = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(one, str) or abs(one) <= 1e6 for one in parts)
    assert safe_arguments(json.loads(json.dumps(safe)), where="x") == safe


def test_nothing_that_timm_would_open_fetch_or_call_is_on_the_list() -> None:
    assert SAFE.isdisjoint(inspect.signature(timm.create_model).parameters)
    assert SAFE.isdisjoint(
        ("pretrained_strict", "pretrained_filter_fn", "features_only", "feature_cls", "feature_cfg", "device")
    )
    assert SAFE.isdisjoint(("model_cfg", "cfg", "block_fn", "embed_layer", "kwargs_filter", "img_size"))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"init_valus": 1.0}, "did you mean 'init_values'"),
        ({"init_values": "1e-5"}, r"yaml reads where it has a point: 1\.0e-05"),
        ({"depth": 257}, "whole numbers from 0 to 256"),
        ({"depth": True}, "whole numbers"),
        ({"qkv_bias": 1}, "true or false"),
        ({"mlp_layer": "Conv"}, "one of GluMlp, Mlp, SwiGLU, SwiGLUPacked"),
        ({"depths": [1] * 65}, "whole numbers"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        safe_arguments(raw, where="x")


def test_in_words() -> None:
    safe = safe_arguments({"init_values": 1e-5, "depths": [2, 6], "qkv_bias": False, "eps": None}, where="x")
    assert safe == {"init_values": 1e-5, "depths": (2, 6), "qkv_bias": False}
    assert in_words(safe) == "init_values 1e-05, depths 2 6, qkv_bias false"
