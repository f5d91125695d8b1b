"""`penstock models`: the models that were pushed, and their versions."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import Console, print_json
from penstock.cli.errors import UsageError
from penstock.cli.registry_errors import registry_errors
from penstock.cli.store_option import add_store_option

if TYPE_CHECKING:
    from penstock.registry import ModelVersion, RegisteredModel


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "models",
        "List the models that were pushed, with their versions and aliases; or a model's versions\n"
        "with metrics, blessing, data and code; or all that is known of one version.\n"
        "They are those that the project's pipelines pushed, and those below the folders or URLs of\n"
        "the environment variable PENSTOCK_MODELS.",
        [
            "penstock models                      # the models",
            "penstock models taxi                 # its versions",
            "penstock models taxi 7               # one version; also @champion, latest",
            "penstock models taxi --history       # how its aliases changed",
            "penstock models taxi --prune 3 --dry-run           # which old versions would go",
            "penstock models taxi 7 --to-mlflow http://mlflow:5000   # into MLflow's registry",
        ],
    )
    parser.add_argument(
        "model", metavar="MODEL", nargs="?", help="its name; or the folder or URL of its versions"
    )
    parser.add_argument(
        "version", metavar="VERSION", nargs="?", help="a number, @ALIAS or `latest`"
    )
    parser.add_argument("--history", action="store_true", help="list how its aliases changed")
    parser.add_argument(
        "--prune",
        metavar="N",
        type=positive_integer,
        help="remove older versions than the newest N; what an alias names or named before, what a "
        "server uses and what other tools pushed stays",
    )
    parser.add_argument(
        "--to-mlflow",
        metavar="URI",
        help="register the version in the MLflow registry at this tracking URI, with its files",
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="with --prune, --to-mlflow: only say what would be done",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print what is asked for."""
    _check(arguments)
    from penstock.registry.destinations import find_destination
    from penstock.registry.model_uri import choose_version
    from penstock.registry.models import list_models, read_model

    with registry_errors("models"):
        if arguments.model is None:
            _print_models(list_models(store=arguments.store), arguments.json)
            return exit_codes.OK
        model = read_model(arguments.model, store=arguments.store)
        if not model.destination and (arguments.history or arguments.prune or arguments.to_mlflow):
            find_destination(model.name, store=arguments.store)  # says that there is none
        if arguments.history:
            _print_history(model, arguments.json)
        elif arguments.prune:
            _prune(model, arguments)
        elif arguments.version is None:
            _print_versions(model, arguments.json)
        else:
            there = [each.version for each in model.versions]
            wanted = choose_version(arguments.version, there, model.aliases, model.name)
            version = next(each for each in model.versions if each.version == wanted)
            if arguments.to_mlflow:
                _export(model, version, arguments)
            else:
                _print_version(model, version, arguments.json)
    return exit_codes.OK


def _check(arguments: argparse.Namespace) -> None:
    given = [
        name
        for name, value in (
            ("--history", arguments.history),
            ("--prune", arguments.prune),
            ("--to-mlflow", arguments.to_mlflow),
        )
        if value
    ]
    if len(given) > 1:
        raise UsageError(f"penstock models: give one of {', '.join(given)}.")
    if given and arguments.model is None:
        raise UsageError(f"penstock models: {given[0]} needs a model.")
    if arguments.to_mlflow and arguments.version is None:
        raise UsageError(
            "penstock models: --to-mlflow needs a version: a number, @ALIAS or latest."
        )
    if given and given != ["--to-mlflow"] and arguments.version is not None:
        raise UsageError(
            f"penstock models: {given[0]} is about the whole model; leave out the version."
        )
    if arguments.dry_run and not (arguments.prune or arguments.to_mlflow):
        raise UsageError("penstock models: --dry-run goes with --prune and --to-mlflow.")


def _print_models(models: list[RegisteredModel], as_json: bool) -> None:
    if as_json:
        print_json([model.to_json() for model in models])
        return
    console = Console()
    if not models:
        console.print("no model was pushed yet")
        return
    from penstock.cli.model_tables import models_table

    models_table(console, models)


def _print_versions(model: RegisteredModel, as_json: bool) -> None:
    if as_json:
        print_json(model.to_json())
        return
    from penstock.cli.model_tables import versions_table

    versions_table(Console(), model)


def _print_version(model: RegisteredModel, version: ModelVersion, as_json: bool) -> None:
    if as_json:
        print_json({"name": model.name, "destination": model.destination, **version.to_json()})
        return
    from penstock.cli.model_tables import version_page

    version_page(Console(), model, version)


def _print_history(model: RegisteredModel, as_json: bool) -> None:
    from penstock.pushing.aliases import alias_history

    changes = alias_history(model.destination)
    if as_json:
        print_json([change.plain() for change in changes])
        return
    from penstock.cli.model_tables import history_table

    history_table(Console(), model, changes)


def _prune(model: RegisteredModel, arguments: argparse.Namespace) -> None:
    from penstock.registry.changes import prune

    done = prune(model.destination, arguments.prune, dry_run=arguments.dry_run)
    if arguments.json:
        print_json(
            {
                "model": model.name,
                "dry_run": arguments.dry_run,
                "removed": list(done.removed),
                "kept": {str(version): why for version, why in done.kept.items()},
            }
        )
        return
    console = Console()
    for version, why in done.kept.items():
        console.print(f"version {version} stays: {why}")
    what = ", ".join(map(str, done.removed)) or "nothing"
    console.print(f"{'would remove' if arguments.dry_run else 'removed'}: {what}")


def _export(model: RegisteredModel, version: ModelVersion, arguments: argparse.Namespace) -> None:
    from penstock.registry.mlflow_export import export_to_mlflow

    exported = export_to_mlflow(model.name, version, arguments.to_mlflow, dry_run=arguments.dry_run)
    if arguments.json:
        print_json({"dry_run": arguments.dry_run, **exported.to_json()})
        return
    aliases = f" with the aliases {', '.join(exported.aliases)}" if exported.aliases else ""
    if arguments.dry_run:
        print(
            f"would register version {version.version} of {model.name}{aliases} at {exported.uri}"
        )
    else:
        print(f"registered models:/{exported.name}/{exported.version} at {exported.uri}{aliases}")
