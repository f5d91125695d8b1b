from __future__ import annotations

import io

import pytest

from penstock.cli.console import Console
from penstock.cli.quantities import duration, moment, parse_duration, size

ROWS = [
    (("Trainer", "name"), ("failed", "FAILED"), "12.0 s"),
    ("A", ("cached", "CACHED"), "-"),
]


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def table(console: Console) -> str:
    console.table(("NODE", "STATE", "TIME"), ROWS, right=("TIME",))
    return console.stream.getvalue()  # type: ignore[attr-defined]


def test_a_pipe_gets_plain_aligned_text():
    assert table(Console(io.StringIO())) == (
        "NODE     STATE     TIME\nTrainer  failed  12.0 s\nA        cached       -\n"
    )


def test_a_terminal_gets_colours(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    console = Console(Terminal(), width=80)
    assert console.style("x", "FAILED") == "\x1b[31mx\x1b[0m"
    assert console.style("", "FAILED") == ""
    assert "\x1b[31mfailed" in table(console)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_can_be_off(monkeypatch, name, value):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv(name, value)
    console = Console(Terminal(), width=80)
    assert console.style("x", "FAILED") == "x"
    text = table(console)
    assert "\x1b" not in text
    assert [line.rstrip() for line in text.splitlines()] == [
        "NODE     STATE     TIME",
        "Trainer  failed  12.0 s",
        "A        cached       -",
    ]


def test_a_narrow_terminal_folds_and_loses_nothing(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console(Terminal(), width=30)
    uri = "/a/long/path/that/does/not/fit/into/the/terminal"
    console.table(("ID", "URI"), [("1", uri)])
    lines = console.stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 30
    assert "".join(line[2:].strip() for line in lines[1:]).replace(" ", "") == uri


def test_ascii_streams_are_known():
    assert Console(io.TextIOWrapper(io.BytesIO(), "ascii")).ascii_only
    assert not Console(io.TextIOWrapper(io.BytesIO(), "utf-8")).ascii_only


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0, "0 ms"), (0.25, "250 ms"), (4.26, "4.3 s"), (83, "1 min 23 s"),
     (7384, "2 h 3 min"), (200_000, "2 d 7 h")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**40, "3.0 TiB"),
     (2**60, "1024.0 PiB")],
)  # fmt: skip
def test_sizes(count, text):
    assert size(count) == text


def test_moments():
    assert moment(None) == "-"
    assert len(moment(1_700_000_000)) == len("2023-11-14 22:13:20")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("45s", 45), ("90m", 5400), ("12h", 43200), ("30d", 2592000), ("1.5w", 907200)],
)
def test_typed_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "d", "-1d", "3 months"])
def test_typed_durations_that_are_none(text):
    with pytest.raises(ValueError, match="such as 30d"):
        parse_duration(text)
