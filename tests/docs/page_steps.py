"""What the script of a page calls between its Python blocks."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

from pages import missing_lines

_place = ""
_out = io.StringIO()


class _Copy(io.TextIOBase):
    def __init__(self, stream: io.TextIOBase) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        _out.write(text)
        return self.stream.write(text)

    def flush(self) -> None:
        self.stream.flush()


contextlib.redirect_stdout(_Copy(sys.stdout)).__enter__()


def at(place: str) -> None:
    """Say where on the page what follows stands."""
    global _place
    _place = place
    print(f"--- {place}", flush=True)


def write(file: str, text: str) -> None:
    """Write a block that is a file, or that belongs at the end of one."""
    name, _, where = file.partition(", ")
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if where == "at the end" else "w") as stream:
        stream.write(text)


def run(commands: list[str], expected: list[str], exit_code: int) -> None:
    """Run the commands of a block and compare what they print."""
    printed_text = ""
    for command in commands:
        if command.startswith("cd "):
            os.chdir(command[3:])
            continue
        done = subprocess.run(
            command,
            shell=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        print(f"$ {command}\n{done.stdout}", flush=True)
        if done.returncode != exit_code:
            sys.exit(f"{_place}: {command!r} ended with {done.returncode}, not {exit_code}")
        printed_text += done.stdout
    _compare(expected, printed_text)


def printed(expected: list[str]) -> None:
    """Compare with what the page's Python has printed since the last comparison."""
    text = _out.getvalue()
    _out.seek(0)
    _out.truncate()
    _compare(expected, text)


def _compare(expected: list[str], text: str) -> None:
    if missing := missing_lines(expected, text):
        sys.exit(f"{_place}: the page says that this is printed:\n" + "\n".join(missing))
