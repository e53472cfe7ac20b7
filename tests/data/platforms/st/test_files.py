"""The files of a section in a folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from prestige.data.platforms.st.files import files_of
from prestige.data.spec import SampleSpec
from prestige.errors import PrestigeError

from .... import small_sources


def test_files_are_found_by_the_name_of_the_sample_or_of_its_folder(tmp_path: Path) -> None:
    small_sources.st(tmp_path)
    root = tmp_path / "tumours"
    spec = SampleSpec.model_validate({"id": "A1", "source": "st", "path": root, "patient": "A"})
    found = files_of(spec)
    names = [path.relative_to(root).as_posix() for path in (found.counts, found.spots, found.image)]
    assert names == ["counts/A1.tsv.gz", "spots/A1_selection.tsv", "images/A1.tif"]
    (root / "images" / "A" / "A1").mkdir(parents=True)
    shutil.move(found.image, root / "images" / "A" / "A1" / "scan.tif")
    assert files_of(spec).image.name == "scan.tif"
    with pytest.raises(PrestigeError, match="no such folder"):
        files_of(spec.model_copy(update={"path": tmp_path / "absent"}))
