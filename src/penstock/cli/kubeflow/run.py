"""`penstock kubeflow run`: a pipeline on the cluster."""

from __future__ import annotations

import argparse
import sys

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import print_json
from penstock.cli.kubeflow.options import add_connection_options, add_pipeline_options, connect


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow run",
        "Compile a pipeline, upload it if Kubeflow does not have this version, run it, and follow the\n"
        "run until it has ended. Ctrl-C ends the following; the run goes on.",
        [
            "penstock kubeflow run pipelines/penguin.py --image REGISTRY/penguin:TAG --root gs://bucket",
            "penstock kubeflow run pipelines/penguin.py --root gs://bucket --param train_steps=500",
            "penstock kubeflow run pipelines/penguin.py --root gs://bucket --name nightly-2026-11-28",
            "penstock kubeflow run penguin.yaml --root gs://bucket --detach   # compiled before",
        ],
    )
    add_pipeline_options(parser)
    parser.add_argument(
        "--name",
        metavar="NAME",
        help="name of the run; if a run of that name has the same version and parameters, it is\n"
        "followed instead of a second one being made (default: a new name)",
    )
    parser.add_argument("--detach", action="store_true", help="do not follow the run")
    add_progress_options(parser)
    add_connection_options(parser)
    return parser


def add_progress_options(parser: Parser) -> None:
    """Add how a run that is followed is shown."""
    parser.add_argument(
        "--progress",
        choices=("auto", "live", "plain", "none"),
        default="auto",
        help="how to show progress (default: live on a terminal, else plain)",
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Make the run, and follow it."""
    from penstock.cli.kubeflow.compiled import compiled
    from penstock.kubeflow import runs, versions

    kubeflow = connect(arguments)
    package, given = compiled(arguments)
    values = package.values(given)
    version = versions.upload(kubeflow.server, package)
    made, new = runs.create_run(
        kubeflow.server,
        version,
        name=arguments.name or runs.run_name(package.name),
        experiment=arguments.experiment,
        parameters=values,
        service_account=arguments.service_account,
    )
    if not new:
        print(f"run {made.name} was made before: it is not made again", file=sys.stderr)
    if arguments.detach:
        if arguments.json:
            print_json({**made.to_json(), "version": version.name, "new": new})
            return exit_codes.OK
        print(f"run {made.run_id} ({made.name}) of {version.name}")
        print(f"follow it: penstock kubeflow status {made.run_id} --follow", file=sys.stderr)
        return exit_codes.OK
    return follow(arguments, made.run_id)


def follow(arguments: argparse.Namespace, run_id: str) -> int:
    """Follow a run until it has ended, and return the exit code."""
    from penstock.cli.run_options import result_json
    from penstock.runners.result import failure_lines

    progress = arguments.progress
    if arguments.json and progress == "auto":
        progress = "none"
    try:
        result = connect(arguments).wait(run_id, progress=progress, check=False)
    except KeyboardInterrupt:
        print(
            f"\nno longer followed; run {run_id} goes on. To end it: penstock kubeflow cancel {run_id}",
            file=sys.stderr,
        )
        return exit_codes.INTERRUPTED
    if arguments.json:
        print_json(result_json(result))
    elif progress == "none":
        print(f"run {run_id} {result.state.lower()}")
        print(*failure_lines(result), sep="\n", end="\n" if result.failed else "", file=sys.stderr)
    return exit_codes.OK if result.state == "COMPLETE" else exit_codes.FAILED
