"""The page "Biology": whole, self-contained, and with the numbers of the study."""

from __future__ import annotations

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from prestige.analysis.gene_sets.of_pair import pair_set_scores
from prestige.biology import study as biology_study
from prestige.biology.agreement import Mean, mean_agreement
from prestige.errors import StorageError
from prestige.genesets import GeneSetConfig
from prestige.report.biology.page import write_biology
from prestige.report.biology.words import sentences
from prestige.report.style import with_units

from ...small_study import bare_study, blurred_study, flat_study, full_study
from ..bench.test_page import _Outline


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything on it."""
    folder = tmp_path_factory.mktemp("biology") / "page"
    study = full_study()
    found = write_biology(
        study,
        folder,
        title="Biology: <kidney>",
        subtitle="compact_s at 32 µm",
        notes=["a note", "a note"],
        genes=["NPHS1", "G00"],
        sets=pair_set_scores(study, GeneSetConfig(draws=100)),
    )
    assert found == folder / "index.html"
    return folder


@pytest.fixture(scope="module")
def page(written: Path) -> str:
    return (written / "index.html").read_text(encoding="utf-8")


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    outline = _Outline()
    outline.feed(page)
    assert outline.open == []
    assert [a for a in outline.addresses if not a.startswith(("#", "data:image/png;base64,"))] == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)
    assert len(set(outline.ids)) == len(outline.ids)
    assert {a[1:] for a in outline.addresses if a.startswith("#")} <= set(outline.ids)
    assert len(page.encode()) < 4_000_000


def test_what_it_is_of_comes_first_then_the_findings(page: str) -> None:
    head = re.sub(r"<[^>]+>", " ", page[page.index("<main>") : page.index("</header>")])
    for said in ("compact_s at 32 µm", "1,800 of 2 sections: S 0 (900), S 1 (900)", "30", "a note"):
        assert said in head
    assert head.count("a note") == 1
    order = [
        page.index(part) for part in ("<h1", 'class="limits"', 'class="tiles"', 'class="findings"', "<nav")
    ]
    assert order == sorted(order)
    sections = re.findall(r'<h2 id="([a-z_]+)"', page)
    assert sections == [
        "sets", "activity", "maps", "structure", "correlations", "domains", "enrichment", "cell_types",
        "conditions", "gradients",
    ]  # fmt: skip


def test_every_sentence_is_on_the_page(page: str) -> None:
    paragraphs = {html.unescape(text) for text in re.findall(r"<p>(.*?)</p>", page, re.DOTALL)}
    for part, told in sentences(full_study()).items():
        for sentence in told:
            assert with_units(sentence) in paragraphs, (part, sentence)


def test_what_comes_from_files_is_escaped(page: str) -> None:
    assert "<kidney>" not in page
    assert "<DAPI>" not in page
    assert "<set>" not in page
    assert "&lt;DAPI&gt;" in page


def test_what_at_half_the_depth_means_is_said_where_it_matters(page: str) -> None:
    bodies = {body[0]: body[1] for body in re.findall(r'<h2 id="(\w+)">(.*?)</section>', page, re.DOTALL)}
    for key in ("activity", "structure", "correlations", "domains", "cell_types", "conditions"):
        assert "what a perfect prediction would reach" in bodies[key].replace("\n", " "), key


def test_figures_and_tables_lie_beside_the_page(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"index.html", "biology.json", "figures", "tables"}
    stems = {path.stem for path in (written / "figures").iterdir()}
    assert {"activity", "structure", "genes-0-S_0", "domains-1-S_1"} <= stems
    for stem in stems:
        assert (written / "figures" / f"{stem}.png").stat().st_size > 1000
        assert (written / "figures" / f"{stem}.svg").read_text().rstrip().endswith("</svg>")
    named = set(re.findall(r"<code>(tables/\w+\.csv)</code>", (written / "index.html").read_text()))
    assert named
    for path in named:
        assert len(pd.read_csv(written / path)) > 0
    assert list(written.parent.iterdir()) == [written]


def test_the_record_is_for_programs(written: Path) -> None:
    found = json.loads((written / "biology.json").read_text(encoding="utf-8"))
    study = full_study()
    assert found["schema"] == "prestige.biology/1"
    assert found["verdict"] == study.structure.verdict
    assert found["notes"] == ["a note", *study.pair.notes]
    assert found["samples"] == ["S 0", "S 1"]
    assert found["sentences"]["domains"] == sentences(study)["domains"]
    assert found["sentences"]["sets"][0].startswith("Beside each set stand 100 random sets")
    assert found["numbers"]["domains"]["ari_half"] == study.domains.ari_half


def test_over_smoothing_is_said_prominently(tmp_path: Path, page: str) -> None:
    text = write_biology(blurred_study(), tmp_path / "out", title="t", subtitle="s").read_text("utf-8")
    said = '<p class="verdict"><strong>Over-smoothed</strong>: the prediction is as smooth as the measured'
    assert text.index(said) < text.index('class="tiles"')
    assert "<b>structure in space</b>" not in text  # not said twice at the head
    assert 'class="verdict"' not in page
    assert page.index("<b>structure in space</b>") < page.index("<b>scores</b>")


def test_a_prediction_without_structure_is_said_prominently(tmp_path: Path) -> None:
    text = write_biology(flat_study(), tmp_path / "out", title="t", subtitle="s").read_text("utf-8")
    assert (
        '<p class="verdict"><strong>No structure predicted</strong>: no gene&#39;s prediction has any pattern'
        in text
    )
    assert "nan" not in re.sub(r"<(svg|style).*?</\1>", "", text, flags=re.DOTALL)


def test_a_study_of_little_has_a_page_that_says_why(tmp_path: Path) -> None:
    text = write_biology(bare_study(), tmp_path / "out", title="t", subtitle="").read_text("utf-8")
    assert "Nothing is said of structure in space: " in text
    assert "1 section, S 0" in text
    assert '<p class="rest">' not in text
    assert 'id="sets"' not in text


def test_a_page_is_replaced_and_other_files_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for title in ("first", "second"):
        write_biology(bare_study(), folder, title=title, subtitle="")
    assert "second" in (folder / "index.html").read_text("utf-8")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(StorageError, match=r"notes\.txt"):
        write_biology(bare_study(), folder, title="third", subtitle="")
    assert (folder / "notes.txt").read_text() == "mine"
    assert "second" in (folder / "index.html").read_text("utf-8")


def test_what_intervals_rest_on_is_said_once(page: str) -> None:
    text = re.sub(r"<(svg|style).*?</\1>", "", page, flags=re.DOTALL)
    assert text.count("spatial blocks of 2 sections resampled") == 1


def test_the_mean_score_is_bootstrapped_once_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: Any, **named: Any) -> Mean:
        calls.append(given)
        return mean_agreement(*given, **named)

    monkeypatch.setattr(biology_study, "mean_agreement", counted)
    study = replace(bare_study())  # another study, of which nothing is known yet
    write_biology(study, tmp_path / "out", title="t", subtitle="s")
    assert len(calls) == 1


def test_the_region_is_called_by_its_name(tmp_path: Path) -> None:
    study = replace(full_study(), region_name="the glomeruli")
    text = write_biology(study, tmp_path / "out", title="t", subtitle="s").read_text("utf-8")
    assert '<h2 id="gradients">Around the glomeruli</h2>' in text
    assert "<b>around the glomeruli</b>" in text
