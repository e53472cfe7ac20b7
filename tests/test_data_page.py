"""Every yaml of docs/data.md is a dataset.yaml that opens.

A block is a whole dataset.yaml.  How it is tried follows from its first line and from its paths:

- ```` ```yaml made=small_sources.py:hest ````: that function, of a file below ``tests``, writes into an empty
  folder what the block names; every sample is opened.
- a path that begins with ``${PRESTIGE_DATA}``: its first sample is opened where the data lie.
- any other block is built as settings: its keys are those of its source.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from prestige.data.dataset import open_dataset, read_dataset
from prestige.data.sources import SOURCES

PAGE = Path(__file__).resolve().parents[1] / "docs" / "data.md"
FENCE = re.compile(r"^```yaml(?P<how>[^\n]*)\n(?P<text>.*?)^```$", flags=re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One yaml of the page: its line, what makes its data, its text."""

    line: int
    made: str | None
    text: str

    @property
    def is_shared(self) -> bool:
        return "${PRESTIGE_DATA" in self.text


def blocks_of(page: str) -> list[Block]:
    """Return every yaml of a page."""
    found = []
    for fence in FENCE.finditer(page):
        word = fence["how"].strip()
        made = word.removeprefix("made=") or None
        assert not word or word.startswith("made="), f"{word}: expected 'made=FILE.py:FUNCTION' or nothing"
        found.append(Block(page[: fence.start()].count("\n") + 1, made, fence["text"]))
    return found


BLOCKS = blocks_of(PAGE.read_text(encoding="utf-8"))


def make(name: str, folder: Path) -> None:
    """Call a function of a file below ``tests``, which writes into a folder."""
    file, _, function = name.partition(":")
    module = importlib.import_module("." + file.removesuffix(".py").replace("/", "."), __package__)
    getattr(module, function)(folder)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"line-{block.line}")
def test_a_block_opens(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "dataset.yaml"
    path.write_text(block.text, encoding="utf-8")
    if block.made is not None:
        make(block.made, tmp_path)
        config = read_dataset(path)
        dataset = open_dataset(config, cache_dir=tmp_path / "cache", counts="optional")
        assert [sample.id for sample in dataset.samples] == [sample.id for sample in config.samples]
        return
    monkeypatch.setenv("PRESTIGE_DATA", str(tmp_path))
    assert all(sample.misfits == [] for sample in read_dataset(path).samples)
    if block.is_shared:
        monkeypatch.undo()
        monkeypatch.setenv("PRESTIGE_DATA", str(request.getfixturevalue("shared_data")))
        config = read_dataset(path)
        one = config.model_copy(update={"samples": config.samples[:1]})
        (sample,) = open_dataset(one, counts="optional").samples
        assert len(sample.obs) > 0


def test_every_source_has_a_section_with_a_block_that_opens() -> None:
    page = PAGE.read_text(encoding="utf-8")
    opened = "".join(block.text for block in BLOCKS if block.made or block.is_shared)
    for source in SOURCES:
        assert f"| `{source}` |" in page, f"no row for source: {source}"
        assert re.search(rf"source: {source}\b", opened), f"no block that opens for source: {source}"


def test_blocks_are_found_with_what_makes_them() -> None:
    page = "a\n```yaml made=x/y.py:z\nname: a\n```\n\n```yaml\nname: ${PRESTIGE_DATA}\n```\n```\nnone\n```\n"
    first, second = blocks_of(page)
    assert (first.line, first.made, first.text, first.is_shared) == (2, "x/y.py:z", "name: a\n", False)
    assert (second.line, second.made, second.is_shared) == (6, None, True)
    with pytest.raises(AssertionError, match="expected 'made="):
        blocks_of("```yaml shown\n```\n")
