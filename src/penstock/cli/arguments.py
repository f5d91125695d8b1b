"""Reading the command line: argparse, with one-line errors that suggest the nearest word."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from penstock.cli.errors import UsageError
from penstock.spelling import nearest


class Parser(argparse.ArgumentParser):
    """The arguments of one verb.

    Args:
        verb: What is typed after `penstock`.
        description: What it does, in sentences.
        examples: Lines of `penstock ...` with a comment each.
    """

    def __init__(self, verb: str, description: str, examples: Sequence[str] = ()) -> None:
        shown = "\n".join(f"  {line}" for line in examples)
        super().__init__(
            prog=f"penstock {verb}",
            description=description,
            epilog=f"examples:\n{shown}" if examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self._names: list[str] = []

    def add_argument(self, *names: Any, **settings: Any) -> argparse.Action:
        """Add an argument; as argparse's."""
        action = super().add_argument(*names, **settings)
        if hasattr(self, "_names"):
            self._names += [name for name in action.option_strings if name.startswith("--")]
        return action

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        """Return the parsed arguments.

        Raises:
            UsageError: If it is wrong, in one line.
        """
        known, unknown = self.parse_known_args(arguments)
        for word in unknown:
            if word.startswith("-"):
                option = word.partition("=")[0]
                near = nearest(option, [*self._names, "--help"])
                self.error(f"unknown option {option!r}.{near}")
            self.error(f"unexpected argument: {word!r}.")
        return known

    def error(self, message: str) -> NoReturn:
        """Raise argparse's error as one line."""
        text = message.replace("the following arguments are required: ", "missing: ")
        text = text if text.endswith((".", "?")) else f"{text}."
        raise UsageError(f"{self.prog}: {text} See `{self.prog} --help`.")


def key_value(text: str) -> tuple[str, str]:
    """Return (key, value) of `key=value`.

    Raises:
        argparse.ArgumentTypeError: If there is no `=` or no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise argparse.ArgumentTypeError(f"takes name=value. Received: {text!r}")
    return key.strip(), value


def add_param(parser: argparse.ArgumentParser, meaning: str) -> None:
    """Add `--param NAME=VALUE`, which may be repeated; `param` becomes a list of pairs."""
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=key_value,
        action="append",
        default=[],
        help=f"{meaning}; may be repeated",
    )


def positive_integer(text: str) -> int:
    """Return a whole number from 1.

    Raises:
        argparse.ArgumentTypeError: If it is something else.
    """
    if not text.isascii() or not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"takes a whole number of 1 or more. Received: {text!r}")
    return int(text)
