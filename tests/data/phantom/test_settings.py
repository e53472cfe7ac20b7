from __future__ import annotations

from typing import Any

import pytest

from prestige.data.phantom import PhantomConfig
from prestige.errors import ConfigError
from prestige.settings import build


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"radius": 15}, "radius_um"),
        ({"own_share": 0.7, "neighbourhood_share": 0.7}, "more than 1"),
        ({"widths_um": [16, 16]}, "different widths"),
        ({"widths_um": []}, "different widths"),
        ({"widths_um": [16, 512]}, "size_px"),
        ({"depth": 0}, "depth"),
        ({"um_per_px": -0.5}, "um_per_px"),
    ],
)
def test_refuses_what_makes_no_phantom(wrong: dict[str, Any], says: str):
    with pytest.raises(ConfigError, match=says):
        build(PhantomConfig, wrong, where="phantom.yaml")


def test_granules_grow_with_the_radius_within_limits():
    assert PhantomConfig(radius_um=15).spacing_um == 3.75
    assert PhantomConfig(radius_um=2).spacing_um == 1.5  # three pixels
    assert PhantomConfig(radius_um=120).spacing_um == 12.0
    assert PhantomConfig(radius_um=120, granule_um=5).spacing_um == 5.0
