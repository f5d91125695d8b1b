"""`penstock kubeflow schedule`: a pipeline again and again."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import print_json
from penstock.cli.errors import UsageError
from penstock.cli.kubeflow.options import add_connection_options, add_pipeline_options, connect
from penstock.cli.schedule_options import add_schedule_options


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow schedule",
        "Compile a pipeline, upload it if Kubeflow does not have this version, and let Kubeflow run it\n"
        "again and again.",
        [
            "penstock kubeflow schedule pipelines/penguin.py --cron '0 3 * * mon-fri' --root gs://bucket",
            "penstock kubeflow schedule pipelines/penguin.py --every 6h --root gs://bucket --name often",
            "penstock kubeflow schedule pipelines/penguin.py --cron @daily --root gs://bucket --replace",
        ],
    )
    add_pipeline_options(parser)
    add_schedule_options(parser).add_argument(
        "--max-concurrency",
        metavar="N",
        type=positive_integer,
        default=1,
        help="runs that may go on at once, up to 10 (default: 1)",
    )
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Make the schedule."""
    from penstock.cli.kubeflow.compiled import compiled
    from penstock.cron import Cron
    from penstock.kubeflow import schedules, versions

    try:
        when = schedules.When(
            cron=arguments.cron,
            every=arguments.every,
            start=arguments.start,
            end=arguments.end,
            catch_up=arguments.catch_up,
            max_concurrency=arguments.max_concurrency,
            enabled=not arguments.paused,
        )
    except ValueError as error:
        raise UsageError(f"penstock kubeflow schedule: {error}") from None
    kubeflow = connect(arguments)
    package, given = compiled(arguments)
    values = package.values(given)
    version = versions.upload(kubeflow.server, package)
    schedule, new = schedules.create_schedule(
        kubeflow.server,
        version,
        when,
        name=arguments.name or package.name,
        experiment=arguments.experiment,
        parameters=values,
        service_account=arguments.service_account,
        replace=arguments.replace,
    )
    if arguments.json:
        print_json({**schedule.to_json(), "version": version.name, "new": new})
        return exit_codes.OK
    done = "scheduled" if new else "is scheduled already:"
    print(f"{done} {version.name} as {schedule.name} ({schedule.schedule_id})")
    if not schedule.enabled:
        print(f"it is paused; resume it: penstock kubeflow schedules --resume {schedule.name}")
    elif schedule.cron is not None:
        first = Cron.parse(schedule.cron).next_after(
            max(datetime.now(UTC), when.start or datetime.now(UTC))
        )
        print(f"next: {first:%Y-%m-%d %H:%M:%S} UTC" if first else "it will never fire")
    return exit_codes.OK
