"""A name belongs to one builder; an unknown one is answered with its neighbour."""

from __future__ import annotations

import pytest

from prestige.errors import ConfigError
from prestige.registry import Registry


@pytest.fixture
def shapes() -> Registry[int]:
    registry: Registry[int] = Registry("shape")
    registry.register("triangle")(3)
    registry.register("square")(4)
    return registry


def test_what_is_registered_is_found_in_order(shapes: Registry[int]) -> None:
    assert shapes.get("triangle") == 3
    assert tuple(shapes) == ("triangle", "square")
    assert "square" in shapes
    assert "circle" not in shapes


def test_register_is_a_decorator_that_returns_its_argument() -> None:
    registry: Registry[object] = Registry("builder")

    @registry.register("a")
    def build() -> str:
        return "built"

    assert build() == "built"
    assert registry.get("a") is build


def test_a_name_is_given_once(shapes: Registry[int]) -> None:
    with pytest.raises(ValueError, match="shape 'square' is registered twice"):
        shapes.register("square")
    assert shapes.get("square") == 4


def test_an_unknown_name_is_answered_with_the_nearest(shapes: Registry[int]) -> None:
    with pytest.raises(ConfigError) as caught:
        shapes.get("sqare")
    assert (
        str(caught.value) == "unknown shape 'sqare'; expected one of square, triangle; did you mean 'square'?"
    )
