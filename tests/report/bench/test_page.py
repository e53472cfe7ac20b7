"""The page: whole, self-contained, and with the numbers of the runs."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prestige.errors import DataError
from prestige.records.folders import load_bench
from prestige.report import write_report

from ...small_bench import Recipe, build_bench


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A phantom's bench with its report written."""
    truth = {
        "radius_um": 20.0,
        "margin": 0.02,
        "oracle": {"16.0": 0.5, "32.0": 0.7, "64.0": 0.71},
        "right_patch_um": 32.0,
    }
    folder = build_bench(tmp_path_factory.mktemp("reported") / "bench", Recipe(truth=truth))
    assert write_report(folder) == folder / "report" / "index.html"
    return folder


@pytest.fixture(scope="module")
def page(reported: Path) -> str:
    return (reported / "report" / "index.html").read_text(encoding="utf-8")


class _Outline(HTMLParser):
    """Collects addresses and checks that elements are closed in order."""

    VOID = frozenset({"meta", "input", "br", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "action", "poster", "data"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside(page: str) -> None:
    outline = _Outline()
    outline.feed(page)
    assert outline.open == []
    outside = [a for a in outline.addresses if not a.startswith(("#", "data:image/png;base64,"))]
    assert outside == []
    assert not re.search(r"@import|url\(\s*['\"]?(?!#)", page)
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)  # only names of SVG's own vocabulary
    assert "fetch(" not in page
    assert len(page.encode()) < 6_000_000
    inside = {address[1:] for address in outline.addresses if address.startswith("#")}
    assert inside <= set(outline.ids)


def test_the_answer_comes_first(page: str) -> None:
    body = page[page.index("<main>") :]
    first = re.sub(r"<[^>]+>", "", body[: body.index("</header>")])
    assert "compact_s at 64 µm predicts best: mean per-gene Pearson 0.387" in first
    assert "It cannot be told from compact_s at 32 µm" in first
    assert "By the scores alone 32 µm would do" in first  # shown with confidence is but the best itself
    assert "Recommended: compact_s at 64 µm" in first
    assert "This report agrees with it." in first
    assert body.index('class="lead"') < body.index("<nav") < body.index('id="grid"')


def test_the_page_says_how_it_was_measured(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    for said in (
        "equal minutes: 4 a run", "102 k a run", "threads: 2", "32-true", "Example CPU",
        "The pixel size of S1 was assumed",
        "within the buffer", "largest patch leaves the image", "without counts", "0.0003, 0.001, 0.003 tried",
        "torch 2.6.0", "250 µm wide", "39 of them vary", "Uncentred it misleads", "oracle",
    ):  # fmt: skip
        assert said in text, said


def test_what_comes_from_files_is_escaped(page: str) -> None:
    assert "<b>a note</b>" not in page
    assert "&lt;b&gt;a note&lt;/b&gt;" in page


def test_the_heat_map_marks_best_and_tied(page: str) -> None:
    cells = re.findall(
        r'<td class="cell (\w*)" style="background-color:(#\w+);color:#\w+"><b>([\d.]+)</b>', page
    )
    assert len(cells) == 12
    assert [value for mark, _, value in cells if mark == "best"] == ["0.387"]
    assert [value for mark, _, value in cells if mark == "tied"] == ["0.381"]
    best = next(colour for mark, colour, _ in cells if mark == "best")
    assert len({colour for _, colour, value in cells if value == "0.000"} | {best}) == 2


def test_the_gene_table_carries_every_gene(page: str, reported: Path) -> None:
    data = json.loads(re.search(r'id="gene-data">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert [column["label"] for column in data["columns"]] == [
        "detected",
        "compact_s",
        "resnet18",
        "ridge",
        "R²",
        "MSE",
    ]
    rows = {row[0]: row[1:] for row in data["rows"]}
    assert len(rows) == 40
    assert rows["GENE38"][1] is None
    assert rows["GENE38"][0] == 0.0
    genes = pd.read_csv(reported / "report" / "tables" / "genes.csv")
    best = genes[(genes["encoder"] == "compact_s") & (genes["patch_um"] == 64.0)].set_index("gene")
    assert rows["GENE03"][1] == pytest.approx(best.at["GENE03", "pearson"], abs=1e-4)
    assert rows["GENE03"][5] == pytest.approx(best.at["GENE03", "mse"], abs=1e-4)
    assert best.at["GENE03", "detection"] == pytest.approx(rows["GENE03"][0] / 100, abs=1e-4)


def test_the_tables_hold_the_numbers_of_the_runs(reported: Path) -> None:
    tables = {
        name: pd.read_csv(reported / "report" / "tables" / f"{name}.csv")
        for name in ("runs", "summary", "genes", "per_observation")
    }
    bench = load_bench(reported)
    run = next(run for run in bench.runs if run.folder.name == "resnet18-32-1")
    row = tables["runs"].set_index("folder").loc["resnet18-32-1"]
    own = run.scores.query("level == 'genes' and metric == 'pearson'")["value"].item()
    assert row["pearson"] == pytest.approx(own, rel=1e-5)
    assert row["learning_rates_tried"] == "0.0003 0.001 0.003"
    assert len(tables["runs"]) == 24
    summary = tables["summary"]
    assert len(summary) == 12
    best = summary[summary["best"]].squeeze()
    assert (best["encoder"], best["patch_um"]) == ("compact_s", 64.0)
    assert best["pearson_low"] < best["pearson"] < best["pearson_high"]
    assert list(summary[summary["tied"].astype(bool)]["patch_um"]) == [32.0, 64.0]
    assert len(tables["genes"]) == 12 * 40
    gene = (
        tables["genes"]
        .query("gene == 'GENE05' and encoder == 'resnet18' and patch_um == 32")["pearson"]
        .item()
    )
    by_hand = [
        one.scores.query("level == 'gene' and metric == 'pearson' and name == 'GENE05'")["value"].item()
        for one in bench.runs
        if one.folder.name.startswith("resnet18-32-")
    ]
    assert gene == pytest.approx(np.mean(by_hand), rel=1e-4)
    centred = tables["per_observation"].query("encoder == 'baseline:mean' and metric == 'pearson_centred'")
    np.testing.assert_allclose(centred["value"], 0.0, atol=1e-9)


def test_the_figures_lie_beside_the_page(reported: Path) -> None:
    from PIL import Image

    folder = reported / "report" / "figures"
    stems = {path.stem for path in folder.iterdir()}
    assert stems == {"heatmap", "cost", "curves", "maps-S1-fold-0", "maps-S2-fold-1"}
    for stem in stems:
        with Image.open(folder / f"{stem}.png") as image:
            assert image.info["dpi"][0] == pytest.approx(200, abs=1)
        assert (folder / f"{stem}.svg").read_text().rstrip().endswith("</svg>")
    assert not list((reported / "report").rglob("*.partial"))


def test_the_answer_is_kept_for_programs(reported: Path) -> None:
    (found,) = json.loads((reported / "report" / "answer.json").read_text())
    assert found["best"] == "compact_s at 64 µm"
    assert found["patch_um"] == found["right_patch_um"] == 32.0
    assert found["agrees"] is True


def test_a_single_run_has_a_report_that_compares_nothing(tiny_bench: Path, tmp_path: Path) -> None:
    run = Path(shutil.copytree(tiny_bench / "runs" / "compact_s-32-0", tmp_path / "run"))
    text = write_report(run).read_text(encoding="utf-8")
    assert "A single run compares nothing" in text
    assert "<strong>compact_s at 32 µm</strong> reaches" in text
    assert "the measured counts of fold 0 are not kept" in text


def test_a_bench_without_a_finished_run_says_so(tiny_bench: Path) -> None:
    for marker in (tiny_bench / "runs").glob("*/DONE"):
        marker.unlink()
    text = write_report(tiny_bench).read_text(encoding="utf-8")
    assert "No run has finished yet" in text
    assert "0 of 24 runs are finished" in text
    runs = pd.read_csv(tiny_bench / "report" / "tables" / "runs.csv")
    assert set(runs["state"]) == {
        "not finished: main at step 400",
        "not finished",
    }


def test_a_folder_that_is_no_bench_gets_no_report(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
