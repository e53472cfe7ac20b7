"""dataset.yaml and bench.yaml as texts: what is written is what is read."""

from __future__ import annotations

from pathlib import Path

import yaml
from hypothesis import given
from hypothesis import strategies as st

from prestige.config import BenchConfig
from prestige.settings import parse
from prestige.start.found import Found
from prestige.start.texts import bench_text, dataset_text

TEXT = st.text(st.characters(exclude_categories=("C",)), min_size=1, max_size=30)


@given(TEXT, TEXT, TEXT)
def test_any_text_comes_back(patient: str, value: str, what: str) -> None:
    one = Found("a", "hest", Path("/d/x"), what, patient, {"table": value}, {"condition": value})
    left = {Path("/d/y"): what, Path("/d/a\nb: c"): what}
    text = dataset_text("n", [one], left, Path("/d"))
    (sample,) = yaml.safe_load(text)["samples"]
    assert parse(text, where="d.yaml")["samples"][0] == sample
    assert sample["patient"] == patient
    assert sample["table"] == value
    assert sample["covariates"] == {"condition": value}
    assert sample["path"] == "x"


def test_a_bench_follows_from_patients_and_kinds() -> None:
    cells = [Found(name, "xenium", Path(name), "", patient) for name, patient in (("a", "P"), ("b", "Q"))]
    spots = [Found("c", "visium", Path("c"), "", None, coarse=True)]
    made = {}
    for name, found in {"cells": cells, "spots": spots, "one": cells[:1], "unfilled": cells + spots}.items():
        text = bench_text(name, found)
        assert text is not None
        made[name] = BenchConfig.model_validate(yaml.safe_load(text))
    assert [(one.split.by, one.split.folds, one.patches[-1].patch_um) for one in made.values()] == [
        ("patient", 2, 128), ("blocks", 4, 256), ("blocks", 4, 128), ("patient", 2, 128),
    ]  # fmt: skip
    assert all(one.split.buffer_um >= one.patches[-1].patch_um for one in made.values())
    assert bench_text("n", [Found("a", "slide", Path("a"), "", has_counts=False)]) is None
