"""Writes `reference/command.md` from the parser of each verb, so that the page cannot fall behind."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from mkdocs.structure.files import File, Files

from penstock.cli.catalogue import GROUPS

PAGE = "reference/command.md"


def on_files(files: Files, config: Any) -> Files:
    """Add the page."""
    files.append(File.generated(config, PAGE, content=command_reference()))
    return files


def command_reference() -> str:
    """Return the page: each verb with what it does, its examples and all of its options."""
    lines = [
        "# All verbs and options",
        "",
        "This page is made from the command's own parser; `penstock VERB --help` says the same. What the "
        "verbs have in common, such as exit codes and `--json`, is in [The command](../cli.md).",
        "",
    ]
    for group, verbs in GROUPS:
        lines += [f"## {group}", ""]
        for verb in verbs:
            module = importlib.import_module(f"penstock.cli.verbs.{verb.name}")
            lines += [f"### penstock {verb.name}", ""]
            if not hasattr(module, "VERBS"):
                lines += [*_verb(module.parser()), ""]
                continue
            for name in module.VERBS:  # it has verbs of its own
                own = importlib.import_module(f"penstock.cli.{verb.name}.{name}")
                lines += [f"#### penstock {verb.name} {name}", "", *_verb(own.parser()), ""]
    return "\n".join(lines)


def _verb(parser: argparse.ArgumentParser) -> list[str]:
    usage = " ".join(parser.format_usage().removeprefix("usage: ").split())
    lines = [" ".join((parser.description or "").split()), "", "```text", usage, "```", ""]
    rows = [_row(parser, action) for action in parser._actions if action.dest != "help"]
    if rows:
        lines += ["| argument | meaning |", "| --- | --- |", *rows, ""]
    if parser.epilog:
        examples = [line.strip() for line in parser.epilog.splitlines()[1:]]
        lines += ["```console", *(f"$ {line}" for line in examples), "```"]
    return lines


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    formatter = parser._get_formatter()
    name = formatter._format_action_invocation(action).replace("|", "\\|")
    text = formatter._expand_help(action) if action.help else ""
    return f"| `{name}` | {text.replace('|', chr(92) + '|')} |"
