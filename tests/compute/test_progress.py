import pytest

from prestige.compute import progress
from prestige.compute.progress import Progress, clock, say


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


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "0:00"), (61.0, "1:01"), (3601.0, "1:00:01"), (float("nan"), "?")]
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


def test_say_speaks_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    say("hello")
    assert capsys.readouterr() == ("", "hello\n")
