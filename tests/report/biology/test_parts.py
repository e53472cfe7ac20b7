"""Sections of the page: in order, each with its sentences, and one sentence where nothing can be said."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from matplotlib.figure import Figure

from prestige.analysis.gene_sets.of_pair import pair_set_scores
from prestige.biology.space.domains import domains
from prestige.genesets import GeneSetConfig
from prestige.report.biology import parts as parts_module
from prestige.report.biology.maps import sections_of
from prestige.report.biology.parts import CAPTIONS, ORDER, Maker, parts_of, set_part
from prestige.report.biology.words import sentences
from prestige.report.gene_sets.tables import score_facts
from prestige.report.style import drawing

from ...small_study import bare_study, full_study


def maker(study, saved: dict[str, Figure]) -> Maker:
    def save(name: str, figure: Figure | None) -> str | None:
        if figure is None:
            return None
        saved[name] = figure
        return f"<svg>{name}</svg>"

    return Maker(study, sections_of(study.pair), save)


def test_a_sample_without_domains_is_drawn_in_grey() -> None:
    saved: dict[str, Figure] = {}
    whole = full_study()
    of = whole.pair.sample_of.copy()
    of[:15] = "small"
    pair = replace(whole.pair, sample_of=of)
    study = replace(whole, pair=pair, domains=domains(pair, n_domains=4))
    with drawing():
        parts_of(maker(study, saved), [])
    drawn = [figure for name, figure in saved.items() if name.startswith("domains-")]
    legends = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert legends == [*(f"domain {number}" for number in range(1, 5)), "too few observations"]


def test_sections_in_the_order_of_the_page() -> None:
    saved: dict[str, Figure] = {}
    study = full_study()
    with drawing():
        parts = parts_of(maker(study, saved), ["NPHS1", "NPHS1", "NOT_HERE"])
    assert [part.key for part in parts] == [ORDER[0], "maps", *ORDER[1:]]
    by_key = {part.key: part for part in parts}
    for key in ORDER:
        assert [text.replace("µm", "um") for text in by_key[key].sentences] == sentences(study)[key]
        assert by_key[key].blocks, key
    assert set(saved) == {
        "activity", "structure", "correlations", "confusion", "conditions", "gradients",
        *(f"{name}-0-S_0" for name in ("activity", "genes", "domains", "cell-types", "region")),
        *(f"{name}-1-S_1" for name in ("activity", "genes", "domains", "cell-types", "region")),
    }  # fmt: skip
    assert by_key["maps"].blocks[-1]["text"] == "Not among the genes measured and predicted here: NOT_HERE."
    assert len(saved["genes-0-S_0"].subfigs) == 1  # a gene asked for twice is drawn once


def test_where_halves_matter_the_reader_is_told() -> None:
    with drawing():
        parts = parts_of(maker(full_study(), {}), [])
    assert {part.key for part in parts if not part.half} == {"enrichment", "gradients"}


def test_long_parts_are_folded() -> None:
    with drawing():
        parts = parts_of(maker(full_study(), {}), [])
    for part in parts:
        assert part.first + part.more == part.sentences
        assert len(part.first) <= 3


def test_a_part_that_was_skipped_is_its_one_sentence() -> None:
    saved: dict[str, Figure] = {}
    study = bare_study()
    with drawing():
        parts = {part.key: part for part in parts_of(maker(study, saved), ["NPHS1"])}
    assert set(study.skipped) >= {"structure", "domains"}
    for key in study.skipped:
        assert len(parts[key].sentences) == 1
        assert parts[key].sentences[0].startswith("Nothing is said of ")
        assert parts[key].blocks == []
    assert parts["maps"].blocks == [{"kind": "note", "text": "There are no places, so there are no maps."}]
    assert not [name for name in saved if "-0-" in name]


def test_sets_beside_random_sets() -> None:
    study = full_study()
    sets = pair_set_scores(study, GeneSetConfig(draws=100))
    facts = score_facts(*sets)
    with drawing():
        part = set_part(maker(study, {}), sets, facts)
    assert part.sentences == [facts["text"]]
    (table,) = (block["shown"] for block in part.blocks if block["kind"] == "table")
    assert {row[0] for row in table.rows} == {"podocyte <set>", "others"}
    assert [block["text"] for block in part.blocks if block["kind"] == "note"] == facts["notes"]


def test_every_caption_is_used_and_every_figure_has_one() -> None:
    code = Path(str(parts_module.__file__)).read_text(encoding="utf-8")
    used = set(re.findall(r'CAPTIONS\["([a-z-]+)"\]', code))
    used |= set(re.findall(r'maker\.maps\(part, .*, "([a-z-]+)"\)', code))
    assert used == set(CAPTIONS)


def test_captions_are_sentences() -> None:
    for text in CAPTIONS.values():
        assert text[0].isupper() or text[0] == "{", text
        assert text.endswith("."), text
        assert "  " not in text, text
    assert CAPTIONS["correlations"].format(n=7).startswith("The 7 genes")
