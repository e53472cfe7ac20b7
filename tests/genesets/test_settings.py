"""What a yaml may say of gene sets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from prestige.errors import ConfigError
from prestige.genesets import SHIPPED, GeneSetConfig, GmtFile
from prestige.settings import build


def test_defaults_take_all_shipped_sets_and_three_chosen_ones() -> None:
    config = build(GeneSetConfig, {}, where="bench.yaml")
    assert config.shipped == SHIPPED
    assert config.files == ()
    assert (config.most_expressed, config.most_variable, config.most_spatially_variable) == (50, 50, 50)
    assert (config.min_genes, config.draws) == (5, 1000)


def test_a_path_alone_stands_for_all_sets_of_a_file(tmp_path: Path) -> None:
    raw = {"files": ["a.gmt", {"path": "/b.gmt", "only": ["T cells"]}], "shipped": [], "most_variable": None}
    config = build(GeneSetConfig, raw, where="bench.yaml").resolved(tmp_path)
    assert config.files == (GmtFile(path=tmp_path / "a.gmt"), GmtFile(path=Path("/b.gmt"), only=("T cells",)))
    assert config.shipped == ()
    assert config.most_variable is None


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"shipped": ["imune"]}, "did you mean 'immune'"),
        ({"shipped": ["immune", "immune"]}, "named twice"),
        ({"file": ["a.gmt"]}, "did you mean 'files'"),
        ({"files": "a.gmt"}, "files"),
        ({"files": [{"path": "a.gmt", "ony": ["x"]}]}, "did you mean 'only'"),
        ({"files": [{"path": "a.gmt", "only": []}]}, "only"),
        ({"files": [3]}, r"files\.0"),
        ({"most_expressed": 0}, "most_expressed"),
        ({"min_genes": 1}, "min_genes"),
        ({"draws": 10}, "draws"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(raw: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as told:
        build(GeneSetConfig, raw, where="bench.yaml")
    assert str(told.value).startswith("bench.yaml")
    assert "\n" not in str(told.value)


def test_the_settings_load_nothing_large() -> None:
    code = (
        "import sys, prestige.genesets\n"
        "print([name for name in ('torch', 'scipy', 'pandas', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "[]", answer.stderr
