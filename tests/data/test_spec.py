"""dataset.yaml: what is read, and what is refused before any data is touched."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from prestige.data.dataset import read_dataset
from prestige.data.spec import DatasetConfig, SampleSpec, Title
from prestige.errors import ConfigError

SOUND = (
    "name: d\nsamples:\n  - {id: 1, source: hest, path: a/b, patient: 7, covariates: {condition: inflamed}}\n"
)


SPEC = SampleSpec(id="S", source="hest", path=Path("p"), patient="P")


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "dataset.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    text = SOUND + "  - {id: S2, source: challenge, path: /x, patient: p, expression: ../v.h5ad}\n"
    config = read_dataset(written(tmp_path, text))
    one, two = config.samples
    assert (one.id, one.patient, one.path) == ("1", "7", tmp_path / "a" / "b")
    assert dict(one.covariates) == {"condition": "inflamed"}
    assert (two.path, two.expression) == (Path("/x"), tmp_path.parent / "v.h5ad")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("patient: 7", "patiant: 7", r"unknown key 'samples.0.patiant'.*did you mean 'patient'"),
        ("patient: 7", "um_per_px: 1", r"the key 'samples.0.patient' is missing"),
        ("source: hest", "source: hset", r"sample '1': unknown source 'hset'.*did you mean 'hest'"),
        ("patient: 7", "patient: 7, um_per_px: 0", r"um_per_px' is 0"),
        ("patient: 7", "patient: 7, um_per_px: .nan", r"um_per_px"),
        (
            "patient: 7",
            "patient: 7, expression: x.h5ad",
            r"line 3: 'samples.0.expression'.* has no meaning for "
            "source: hest, only for challenge; take the line away",
        ),
        ("id: 1", "id: a/b", r"samples.0.id' is 'a/b'"),
        ("  - {", "  - {id: 1, source: hest, path: c, patient: 8}\n  - {", r"id '1' is given more than once"),
        ("id: 1", "id: 'a b'", r"line 3: 'samples.0.id' is 'a b': expected letters, digits"),
        ("id: 1", "id: " + "a" * 201, r"200 at most"),
        ("patient: 7", "patient: ' '", r"'samples.0.patient' is ' ': expected 1 to 200 characters"),
        ("patient: 7", "patient: ~", r"'samples.0.patient' is empty; expected text"),
        ("patient: 7", 'patient: "a\\nb"', r"characters that can be printed"),
        (
            "patient: 7",
            "patient: 7, table: ../x.h5ad",
            r"'samples.0.table' is '../x.h5ad': expected a name below",
        ),
        ("patient: 7", "patient: 7, table: /x.h5ad", r"below the sample's path"),
        ("name: d", "name: ../d", r"line 1: 'name' is '../d': expected letters, digits"),
        (SOUND, "name: d\nsamples: []\n", r"'samples' is \[\]"),
    ],
)
def test_bad_settings_are_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_dataset(written(tmp_path, SOUND.replace(before, after)))


@pytest.mark.parametrize("name", ["kidney", "pancreas"])
def test_the_shipped_data_sets(repository: Path, name: str) -> None:
    config = read_dataset(repository / "examples" / "datasets" / f"{name}.yaml")
    assert config.name == name
    assert all(sample.path.is_absolute() for sample in config.samples)


@pytest.mark.parametrize("name", ["1_1", "010", "1.0", "NO", "yes", "2024-01-02", "12:30", "1e3", "Müller 2"])
def test_a_patient_is_called_what_is_written(tmp_path: Path, name: str) -> None:
    text = SOUND.replace("patient: 7", f"patient: {name}").replace("inflamed", name)
    (sample,) = read_dataset(written(tmp_path, text)).samples
    assert (sample.patient, sample.covariates["condition"]) == (name, name)


def test_1_and_1_0_are_two_patients(tmp_path: Path) -> None:
    text = SOUND + "  - {id: S2, source: hest, path: a, patient: 7.0}\n"
    assert [one.patient for one in read_dataset(written(tmp_path, text)).samples] == ["7", "7.0"]


@pytest.mark.parametrize(
    ("key", "first", "second"),
    [("patient", "P1", "p1"), ("patient", "P1", "'P1 '"), ("patient", "a b", "a  b"), ("id", "S1", "s1")],
)
def test_names_that_look_alike_are_refused(tmp_path: Path, key: str, first: str, second: str) -> None:
    rows = [{"id": f"T{i}", "patient": f"Q{i}"} | {key: name} for i, name in enumerate((first, "x", second))]
    listed = [f"  - {{id: {row['id']}, source: hest, path: p, patient: {row['patient']}}}" for row in rows]
    said = rf"line 5: 'samples.2.{key}': '.*' differs from '{first}' by blanks or case only"
    with pytest.raises(ConfigError, match=said):
        read_dataset(written(tmp_path, "name: d\nsamples:\n" + "\n".join(listed).replace("a  b", "'a  b'")))


def test_an_id_that_is_given_twice_is_told_with_its_line(tmp_path: Path) -> None:
    text = SOUND + "  - {id: 1, source: hest, path: c, patient: 8}\n"
    with pytest.raises(ConfigError, match=r"dataset.yaml, line 4: 'samples.1.id': the sample id '1'"):
        read_dataset(written(tmp_path, text))


def test_many_samples_are_read_at_once(tmp_path: Path) -> None:
    rows = [f"  - {{id: S{i}, source: hest, path: p, patient: P{i}}}" for i in range(2000)]
    started = time.perf_counter()
    assert len(read_dataset(written(tmp_path, "name: d\nsamples:\n" + "\n".join(rows))).samples) == 2000
    assert time.perf_counter() - started < 20


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True))
def test_a_name_of_files_stays_in_its_folder(name: str) -> None:
    assert (Path("/a") / f"{name}.h5ad").resolve().parent == Path("/a")
    assert DatasetConfig(name=name, samples=(SPEC,)).name == name


@given(st.text(max_size=20))
def test_a_title_never_leads_elsewhere(name: str) -> None:
    try:
        title = TypeAdapter(Title).validate_python(name)
    except ValidationError:
        return
    assert Path(f"{title}-split").name == f"{title}-split"
