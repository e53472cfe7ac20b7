"""The record of a bench: typed, and read from the folders of before."""

import json
import math
from pathlib import Path

import pytest

from prestige.errors import DataError
from prestige.records.bench import SCHEMA, BenchRecord, read_record
from prestige.records.schema import json_text

STORED = Path(__file__).resolve().parents[1] / "stored" / "bench" / "bench.json"


def test_the_stored_record_is_read_with_every_value() -> None:
    raw = json.loads(STORED.read_text())
    assert json.loads(json_text(read_record(STORED), SCHEMA)) == raw


def test_the_stored_record_is_typed() -> None:
    record = read_record(STORED)
    assert (record.name, record.dataset.name) == ("stored", "small")
    assert [sample.patient for sample in record.dataset.samples] == ["P0", "P1", "P2", "P3"]
    (fold,) = record.folds
    assert (fold.index, fold.counts.train, fold.dropped["unmeasured"]) == (0, 252, 64)
    assert fold.gene_sets["immune"].source == "curated list of 179 genes"
    assert not fold.gene_sets["immune"].scored
    assert fold.correlation is not None
    assert fold.correlation.length_um == 0
    assert {finding.name for finding in record.audit.findings} == {"small_side"}
    assert math.isnan(record.audit.distances[0].train_test_um)
    assert record.skipped[0].name == "coordinates"
    assert (record.panel.config.genes, record.panel.config.total) == ("all", 100.0)
    assert record.evaluation.block_um == 20.0
    assert (record.within_section, record.buffer_um) == (False, 16.0)
    assert record.truth is None
    assert record.runs is not None
    assert len(record.runs) == 8
    assert record.finished


def test_what_an_older_record_lacks_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "bench.json").write_text('{"truth": {"oracle": {"64": 0.5}}, "unheard of": 1}')
    record = read_record(tmp_path / "bench.json")
    assert (record.name, record.folds, record.runs, record.finished) == ("", (), None, None)
    assert math.isnan(record.evaluation.block_um)
    assert math.isnan(record.buffer_um)
    assert record.truth is not None
    assert record.truth.oracle == {64.0: 0.5}
    assert record == BenchRecord.model_validate({"truth": {"oracle": {64: 0.5}}})


def test_a_newer_or_broken_record_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"schema": "prestige.bench/2"}')
    with pytest.raises(
        DataError, match=r"newer version of prestige .*; install a newer prestige-st"
    ) as caught:
        read_record(path)
    assert "\n" not in str(caught.value)
    path.write_text('{"folds": [{"name": "P2"}]}')
    with pytest.raises(DataError, match=r"'folds\.0\.index': Field required.*run the bench again"):
        read_record(path)
