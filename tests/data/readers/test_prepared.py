"""``source: prepared`` opens the folder itself and refuses what has no meaning for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from prestige.data.dataset import open_sample
from prestige.data.readers.prepared import read
from prestige.data.spec import SampleSpec
from prestige.errors import ConfigError, DataError


def spec(path: Path, **more: object) -> SampleSpec:
    return SampleSpec.model_validate({"id": "S", "source": "prepared", "path": path, "patient": "P", **more})


@pytest.mark.parametrize(("key", "value"), [("expression", "more.h5ad"), ("table", "counts")])
def test_keys_of_other_sources_are_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"sample 'S': '{key}' has no meaning"):
        open_sample(spec(tmp_path, **{key: value}), cache_dir=tmp_path / "cache")


def test_a_folder_of_something_else_is_refused_and_the_cache_left_alone(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="prepared sample"):
            read(spec(path), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
