"""JSON files with a schema: what is read with tolerance, what is refused in one line."""

import json
import math
from pathlib import Path

import pytest
from pydantic import Field

from prestige.errors import DataError
from prestige.records.schema import Number, Record, json_text, parse, read_json


class Cost(Record):
    """A record of the tests."""

    seconds: Number = math.nan
    steps: int | None = None
    train_test_um: Number = Field(default=math.nan, alias="train and test")


def read(path: Path, text: str) -> tuple[dict, int]:
    path.write_text(text)
    return read_json(path, "prestige.cost/2", remedy="run it again")


def test_a_record_is_written_and_read_back(tmp_path: Path) -> None:
    text = json_text(Cost(seconds=math.nan, steps=3, train_test_um=8.0), "prestige.cost/2")
    assert json.loads(text) == {
        "schema": "prestige.cost/2", "seconds": None, "steps": 3, "train and test": 8.0,
    }  # fmt: skip
    raw, version = read(tmp_path / "cost.json", text)
    again = parse(Cost, raw, tmp_path / "cost.json", remedy="")
    assert version == 2
    assert (again.steps, again.train_test_um) == (3, 8.0)
    assert math.isnan(again.seconds)


def test_what_was_not_given_is_not_written_and_has_its_default() -> None:
    assert json.loads(json_text(Cost(steps=1), "prestige.cost/2")) == {
        "schema": "prestige.cost/2",
        "steps": 1,
    }
    assert math.isnan(Cost.model_validate({"a newer key": 1}).seconds)


def test_a_file_without_a_schema_is_of_the_first(tmp_path: Path) -> None:
    assert read(tmp_path / "cost.json", '{"steps": 3}') == ({"steps": 3}, 1)
    assert read(tmp_path / "cost.json", '{"schema": "prestige.cost/1"}')[1] == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "prestige.cost/3"}', "newer version of prestige .* install a newer prestige-st"),
        ('{"schema": "prestige.run/1"}', "is of the schema prestige.run/1; expected prestige.cost/2"),
        ('{"schema": "prestige.cost/x"}', "is of the schema prestige.cost/x"),
        ('{"steps": ', "cannot be read .* run it again"),
        ("[1, 2]", "holds no JSON object; .* run it again"),
        ("\udcff", "cannot be read"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cost.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(DataError, match=message) as caught:
        read_json(path, "prestige.cost/2", remedy="run it again")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file"):
        read_json(tmp_path / "cost.json", "prestige.cost/2", remedy="run it again")


def test_a_value_of_another_kind_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'steps': Input should be a valid integer.*; run it again"
    ) as caught:
        parse(Cost, {"steps": "many"}, tmp_path / "cost.json", remedy="run it again")
    assert "\n" not in str(caught.value)
