"""`penstock rollback`: let an alias name the version that it named before."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.registry_errors import registry_errors
from penstock.cli.verbs.promote import add_change_options, print_change


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "rollback",
        "Let an alias name the version that it named before. Repeated, it goes back further.\n"
        "`penstock models NAME --history` lists the changes.",
        [
            "penstock rollback taxi --as champion --dry-run",
            "penstock rollback taxi --as champion",
        ],
    )
    parser.add_argument(
        "model", metavar="MODEL", help="its name; or the folder or URL of its versions"
    )
    parser.add_argument("--as", metavar="ALIAS", dest="alias", required=True, help="the alias")
    add_change_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Change the alias, or say what would change."""
    from penstock.registry.changes import rollback
    from penstock.registry.destinations import find_destination

    with registry_errors("rollback"):
        destination = find_destination(arguments.model, store=arguments.store)
        change = rollback(destination, arguments.alias, by=arguments.by, dry_run=arguments.dry_run)
    print_change(arguments, destination, change)
    return exit_codes.OK
