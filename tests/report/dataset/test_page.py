"""The page of an inspection: what it shows, and that it stands alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from prestige.compute.files import write_text
from prestige.data.spec import SampleSpec
from prestige.data.together.alignment import Alignment, Position, alignment_of
from prestige.data.together.ways import OWN, shift_by
from prestige.report.dataset.page import PAGE, is_page, section_of, write_page

SPEC = SampleSpec(id="S0", source="prepared", path=Path("nowhere"), patient="P0")


def row_of(sample: Any, **more: Any) -> dict[str, Any]:
    return {
        "notes": ("one <note>",),
        "faults": (),
        "median_counts": 12.0,
        "alignment": alignment_of(sample),
        **more,
    }


def test_a_sample_is_shown_with_where_its_numbers_come_from(small_samples: Any, tmp_path: Path) -> None:
    sample = replace(small_samples[0], platform="Xenium, analysis 3.0", um_per_px_from="the alignment")
    page = write_page(tmp_path, "d", [section_of(SPEC, sample, row_of(sample))]).read_text(encoding="utf-8")
    assert is_page(tmp_path / PAGE)
    for words in (
        "Xenium, analysis 3.0",
        "0.5 \u00b5m (the alignment)",
        "160 (144 measured)",
        "one &lt;note&gt;",
    ):
        assert words in page
    assert ">0.5</td>" in page  # below \u00b5m/px
    assert page.count("data:image/jpeg;base64,") == 2  # overlay and gene
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page)  # it needs no network
    verdict = "Whether image and table fit cannot be told: counts follow the tissue here no better than"
    assert f'<p class="verdict">{verdict} elsewhere.</p>' in page


def test_what_is_flagged_stands_at_the_head(small_samples: Any, tmp_path: Path) -> None:
    sample = small_samples[1]
    better = Position(shift_by(40, 0, 0.5), 1.0, 0.0, fit=0.6, gain=0.5, error=0.05)
    flagged = Alignment(Position(OWN, 1.0, 0.0, fit=0.1), (better,), "fits elsewhere", better)
    section = section_of(SPEC, sample, row_of(sample, alignment=flagged, faults=("a fault",)))
    page = write_page(tmp_path, "d", [section]).read_text(encoding="utf-8")
    assert "Image and table do not fit as they stand: S0." in page
    assert "Image and table fit better shifted by 20 \u00b5m right (correlation of counts" in page
    assert "1 fault: to be mended before a bench" in page
    assert ">1 fault<" in page  # of the sample, in the table
    assert "1 faults" not in page
    assert "data:image/png;base64," in page  # the figure of the check


def test_a_sample_that_could_not_be_opened_is_a_section_too(tmp_path: Path) -> None:
    section = section_of(SPEC, None, {"notes": (), "faults": ("no such file",), "alignment": None})
    page = write_page(tmp_path, "d", [section]).read_text(encoding="utf-8")
    assert "no such file" in page
    assert "nowhere" in page


def test_another_page_is_not_ours(tmp_path: Path) -> None:
    write_text(tmp_path / PAGE, "<html>mine</html>")
    assert not is_page(tmp_path / PAGE)
    assert not is_page(tmp_path / "none.html")


def test_one_observation_is_drawn(small_samples: Any) -> None:
    sample = small_samples[2]
    one = replace(sample, obs=sample.obs.iloc[1:2], xy_px=np.array([[191.0, 0.0]]), counts=sample.counts[1:2])
    assert section_of(SPEC, one, row_of(one))["positions"] is None
