"""`penstock promote`: let an alias name a version of a model."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.registry_errors import registry_errors
from penstock.cli.store_option import add_store_option

if TYPE_CHECKING:
    from penstock.pushing import AliasChange


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "promote",
        "Let an alias name a version of a model. The version's files are checked against their\n"
        "manifest first. Servers and models:/NAME@ALIAS take the version that the alias names.",
        [
            "penstock promote taxi 7 --as champion",
            "penstock promote taxi @canary --as champion --dry-run",
            "penstock promote gs://models/taxi 7 --as champion   # without a project",
            "penstock promote taxi --remove canary               # the version stays",
        ],
    )
    parser.add_argument(
        "model", metavar="MODEL", help="its name; or the folder or URL of its versions"
    )
    parser.add_argument(
        "version", metavar="VERSION", nargs="?", help="the version: a number, @ALIAS or latest"
    )
    parser.add_argument("--as", metavar="ALIAS", dest="alias", help="the alias, such as champion")
    parser.add_argument("--remove", metavar="ALIAS", help="remove this alias instead")
    add_change_options(parser)
    return parser


def add_change_options(parser: argparse.ArgumentParser) -> None:
    """Add what verbs that change an alias have in common."""
    parser.add_argument(
        "--by", metavar="NAME", help="who does it, for the history (default: your user name)"
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="check, and only say what would change"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Change the alias, or say what would change."""
    from penstock.registry.changes import promote, withdraw
    from penstock.registry.destinations import find_destination
    from penstock.registry.model_uri import version_named

    if bool(arguments.alias) == bool(arguments.remove):
        raise UsageError("penstock promote: give --as ALIAS, or --remove ALIAS.")
    if bool(arguments.remove) == (arguments.version is not None):
        wrong = "missing: VERSION" if arguments.alias else "--remove takes no version"
        raise UsageError(f"penstock promote: {wrong}. See `penstock promote --help`.")
    with registry_errors("promote"):
        destination = find_destination(arguments.model, store=arguments.store)
        how = {"by": arguments.by, "dry_run": arguments.dry_run}
        if arguments.remove:
            change = withdraw(destination, arguments.remove, **how)
        else:
            version = version_named(destination, arguments.version)
            change = promote(destination, version, arguments.alias, **how)
    print_change(arguments, destination, change)
    return exit_codes.OK


def print_change(arguments: argparse.Namespace, destination: str, change: AliasChange) -> None:
    """Print what changed, or would change."""
    if arguments.json:
        print_json(
            {
                "model": arguments.model,
                "destination": destination,
                "dry_run": arguments.dry_run,
                **change.plain(),
            }
        )
        return
    console = Console()
    name = console.style(f"{arguments.model}@{change.alias}", "name")
    if change.before == change.after:
        console.print(f"{name} names version {change.after} already")
        return
    before = "none" if change.before is None else f"version {change.before}"
    after = "none" if change.after is None else f"version {change.after}"
    would = "would be" if arguments.dry_run else "is now"
    console.print(f"{name} {would} {after} (before: {before})")
