"""What may be asked, and what is refused before anything is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from prestige.biology.settings import BiologyConfig
from prestige.errors import ConfigError
from prestige.settings import build


def made(**values: Any) -> BiologyConfig:
    return build(BiologyConfig, values, where="biology")


def test_nothing_is_asked_by_default() -> None:
    config = made()
    assert (config.sets, config.tissue, config.condition, config.region) == ((), None, None, None)


def test_paths_are_against_the_yaml() -> None:
    config = made(sets=["a.gmt", {"path": "/b.gmt", "only": ["X"]}], tissue="gut", markers="m.yaml")
    found = config.resolved(Path("/base"))
    assert [one.path for one in found.sets] == [Path("/base/a.gmt"), Path("/b.gmt")]
    assert (found.sets[0].only, found.sets[1].only) == (None, ("X",))
    assert found.markers == Path("/base/m.yaml")
    assert made().resolved(Path("/base")) == made()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"region": {"genes": ["A"], "column": "c", "value": "v"}}, "give either `genes`, or `column`"),
        ({"region": {}}, "give either `genes`, or `column`"),
        ({"region": {"column": "c"}}, "give either `genes`, or `column`"),
        ({"region": {"column": "c", "value": "v", "above": 1}}, "give either `genes`, or `column`"),
        ({"region": {"column": "c", "above": "otzu"}}, "otsu"),
        ({"region": {"genes": ["A"], "within_um": 0}}, "within_um"),
        ({"condition": {"column": "c", "first": "a", "second": "a"}}, "both values are 'a'"),
        ({"markers": "m.yaml"}, "needs `tissue`"),
        ({"domains": 1}, "domains"),
        ({"tisue": "kidney"}, "tissue"),
    ],
)
def test_what_makes_no_sense_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(**values)
