"""`penstock schedule`: a pipeline again and again, on this machine."""

from __future__ import annotations

import argparse
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, add_param
from penstock.cli.console import print_json
from penstock.cli.errors import UsageError
from penstock.cli.schedule_options import add_schedule_options
from penstock.cli.store_option import add_store_option

if TYPE_CHECKING:
    from penstock.cli.pipeline_file import PipelineFile
    from penstock.notifications.verdict_filter import VerdictFilter
    from penstock.scheduling import Schedule


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "schedule",
        "Let a pipeline run again and again on this machine: by a cron expression, by an interval, or\n"
        "after another pipeline. `penstock scheduler` is the process that runs what is scheduled.",
        [
            "penstock schedule pipelines/penguin.py --cron '0 3 * * mon-fri'",
            "penstock schedule pipelines/penguin.py --every 6h --name often --param train_steps=50",
            "penstock schedule pipelines/penguin.py --after monitor --if DriftMonitor=drift",
            "penstock schedule pipelines/days.py --cron @daily --param day=[[ScheduledTime]]",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    add_param(
        parser,
        "value of a runtime parameter; [[ScheduledTime]] in it is the time that a run is for, as\n"
        "20261128030000, and [[Index]] its number",
    )
    when = add_schedule_options(parser)
    when.add_argument(
        "--after",
        metavar="PIPELINE",
        help="when a run of this pipeline is complete, whoever began it",
    )
    when.add_argument(
        "--if",
        metavar="NODE[=VERDICT]",
        dest="condition",
        type=_condition,
        help="with --after: only if this node of it came to this verdict, or to any bad news; a verdict\n"
        "from the cache does not count",
    )
    add_store_option(parser)
    return parser


def _condition(text: str) -> VerdictFilter:
    from penstock.notifications.verdict_filter import VerdictFilter

    try:
        return VerdictFilter.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace) -> int:
    """Make the schedule."""
    from penstock.cli.pipeline_file import load_pipeline
    from penstock.scheduling import ScheduleError, ScheduleFolder

    loaded = load_pipeline(arguments.file)
    try:
        schedule = _schedule(arguments, loaded)
        folder = ScheduleFolder(loaded.project_root)
        new = folder.add(schedule, replace=arguments.replace)
        schedule = folder.find(schedule.name)
    except (ScheduleError, ValueError) as error:
        raise UsageError(f"penstock schedule: {error}") from None
    if arguments.json:
        print_json({**schedule.to_json(), "new": new})
        return exit_codes.OK
    done = "scheduled" if new else "is scheduled already:"
    print(f"{done} {schedule.file} as {schedule.name}")
    if not schedule.enabled:
        print(f"it is paused; resume it: penstock schedules --resume {schedule.name}")
    elif schedule.after is not None:
        print(f"next: {schedule.when}")
    else:
        first = schedule.next_after(datetime.now(UTC))
        print(f"next: {first:%Y-%m-%d %H:%M:%S} UTC" if first else "it will never fire")
    if not folder.has_scheduler():
        print("nothing runs it yet; start what does: penstock scheduler")
    return exit_codes.OK


def _schedule(arguments: argparse.Namespace, loaded: PipelineFile) -> Schedule:
    from penstock.scheduling import Schedule

    graph = loaded.compile()
    if len(dict(arguments.param)) < len(arguments.param):
        raise UsageError("penstock schedule: a --param is given twice.")
    store = arguments.store and os.path.abspath(arguments.store)
    if arguments.store and "://" in arguments.store:
        store = arguments.store
    schedule = Schedule(
        name=arguments.name or graph.name,
        file=os.path.relpath(loaded.path, loaded.project_root),
        pipeline=graph.name,
        cron=arguments.cron,
        every=arguments.every,
        after=arguments.after,
        condition=arguments.condition,
        parameters=dict(arguments.param),
        start=arguments.start,
        end=arguments.end,
        catch_up=arguments.catch_up,
        enabled=not arguments.paused,
        store=store or graph.metadata,
    )
    if schedule.after == graph.name and schedule.condition is None:
        raise ValueError(
            f"a pipeline that runs after itself never ends. Received: --after {graph.name}"
        )
    # Wrong parameters are refused now, not at three in the morning.
    graph.values(schedule.values(datetime.now(UTC), 1))
    return schedule
