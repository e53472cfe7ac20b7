import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from prestige.compute import progress
from prestige.compute.progress import Progress, clock, logged, say
from prestige.errors import StorageError

FULL, EMPTY = "\u2588", "\u2591"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_what_ends_within_two_seconds_is_silent(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 10) as bar:
        for _ in range(10):
            time.now += 0.1
            bar.advance()
    assert capsys.readouterr().err == ""


def test_without_a_label_nothing_is_shown(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("", 2) as bar:
        for _ in range(2):
            time.now += 30
            bar.advance()
    assert capsys.readouterr().err == ""


def test_a_log_file_gets_plain_lines_with_the_time_left(
    time: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("reading", 100) as bar:
        for _ in range(50):
            time.now += 1.0
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "reading: 20%, 0:20 spent, 1:20 left"
    assert len(lines) == 3


def test_the_end_is_said_once(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 2) as bar:
        for _ in range(2):
            time.now += 30
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in lines] == ["reading: 50%", "reading: 100%"]
    assert "\x1b" not in "".join(lines)


def test_a_resumed_count_does_not_shorten_the_time_left(
    time: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("training", 100) as bar:
        bar.start_at(50)
        time.now += 20
        bar.advance(10)
    assert "60%, 0:20 spent, 1:20 left" in capsys.readouterr().err


def test_a_terminal_gets_one_line_that_is_redrawn(
    time: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("reading", 4) as bar:
        for _ in range(4):
            time.now += 3
            bar.advance(note="a note")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "100%" in text
    assert "a note" in text


@given(
    width=st.integers(10, 220),
    label=st.text(max_size=60),
    note=st.text(max_size=60),
    done=st.integers(0, 10),
    spent=st.floats(0, 1e6),
)
def test_a_bar_is_one_line_on_a_terminal_of_any_width(
    width: int, label: str, note: str, done: int, spent: float
) -> None:
    bar = Progress(label, 10)
    bar.done, bar.note = done, note
    line = bar.line(width, bar._start + spent)
    assert cell_len(line) <= width
    assert "\n" not in line
    assert f"{done / 10:.0%}" in line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (90, f"reading {FULL * 6}{EMPTY * 18}  25%  0:10 spent, 0:30 left  a note"),
        (50, f"reading {FULL * 2}{EMPTY * 8}  25%  0:10 spent, 0:30 left"),
        (39, "reading   25%  0:10 spent, 0:30 left"),
        (30, "reading   25%  0:30 left"),
        (14, "reading   25%"),
        (11, " 25% readin"),
    ],
)
def test_what_does_not_fit_is_left_out(width: int, line: str) -> None:
    bar = Progress("reading", 4)
    bar.done, bar.note = 1, "a note"
    assert bar.line(width, bar._start + 10) == line


def test_two_bars_at_once_share_the_last_line(
    time: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Progress("outer", 2) as outer:
        for _ in range(2):
            with Progress("inner", 3) as inner:
                for _ in range(3):
                    time.now += 3
                    inner.advance()
                    say("a word")
            outer.advance()
    shown = [line.split("\x1b[2K")[-1] for line in capsys.readouterr().err.split("\n")]
    assert shown.count("a word") == 6
    bars = [line.split()[0] for line in shown if line not in ("a word", "")]
    assert bars == ["inner", "inner", "outer"]


def test_lines_of_a_log_grow_rarer(time: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("reading", 36_000) as bar:
        for _ in range(36_000):
            time.now += 1.0
            bar.advance()
    assert 30 < len(capsys.readouterr().err.splitlines()) < 80


def test_a_stream_that_takes_nothing_ends_no_work(time: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("sys.stderr.write", refuse)
    with Progress("reading", 2) as bar:
        time.now += 30
        bar.advance()
    say("hello")


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "log.txt").symlink_to(tmp_path / "mine")
    with (
        pytest.raises(StorageError, match=r"log\.txt: cannot be written .*symbolic"),
        logged(tmp_path / "log.txt"),
    ):
        pass
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_log_is_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "unread")
    os.mkfifo(tmp_path / "read")
    reader = os.open(tmp_path / "read", os.O_RDONLY | os.O_NONBLOCK)
    try:
        for name, words in (("unread", "cannot be written"), ("read", "is no file")):
            with pytest.raises(StorageError, match=f"{name}: {words}"), logged(tmp_path / name):
                pass
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0:00"), (61.0, "1:01"), (3601.0, "1:00:01"), (float("nan"), "?")]
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_say_speaks_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
