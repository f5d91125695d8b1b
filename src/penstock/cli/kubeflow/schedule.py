"""`penstock kubeflow schedule`: a pipeline again and again."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, positive_integer
from penstock.cli.console import print_json
from penstock.cli.errors import UsageError
from penstock.cli.kubeflow.options import add_connection_options, add_pipeline_options, connect
from penstock.cli.quantities import parse_duration


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
    parser.add_argument("--name", metavar="NAME", help="name of the schedule (the pipeline's)")
    when = parser.add_argument_group("when")
    when.add_argument(
        "--cron",
        metavar="EXPRESSION",
        help="minute, hour, day of month, month, day of week, in UTC; with a sixth field for seconds\n"
        "in front; or @hourly, @daily, @weekly, @monthly, @yearly",
    )
    when.add_argument("--every", metavar="TIME", type=_span, help="an interval: 90s, 15m, 6h, 1d")
    when.add_argument(
        "--start", metavar="TIME", type=_moment, help="not before, as 2026-12-01T00:00Z"
    )
    when.add_argument("--end", metavar="TIME", type=_moment, help="not after")
    when.add_argument(
        "--catch-up",
        action="store_true",
        help="make up for times that passed while it could not fire, one run each",
    )
    when.add_argument(
        "--max-concurrency",
        metavar="N",
        type=positive_integer,
        default=1,
        help="runs that may go on at once, up to 10 (default: 1)",
    )
    when.add_argument("--paused", action="store_true", help="make it, but do not let it fire yet")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace a schedule of that name that does something else",
    )
    parser.add_argument("--json", action="store_true", help="print the schedule as JSON")
    add_connection_options(parser)
    return parser


def _span(text: str) -> int:
    try:
        return int(parse_duration(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"takes a time, as 2026-12-01T00:00Z. Received: {text!r}"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def run(arguments: argparse.Namespace) -> int:
    """Make the schedule."""
    from penstock.cli.kubeflow.compiled import compiled
    from penstock.kubeflow import schedules, versions
    from penstock.kubeflow.cron import Cron

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
