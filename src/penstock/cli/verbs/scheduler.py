"""`penstock scheduler`: the process that runs what is scheduled."""

from __future__ import annotations

import argparse
import functools
import signal
import threading
from types import FrameType

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import CommandError, UsageError


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "scheduler",
        "Run what is scheduled in this project, until Ctrl-C or SIGTERM. Each run has a process of its\n"
        "own, and a schedule one run at a time. Whom runs are told to is in notifications.toml. A run\n"
        "that is cut off by the end of the scheduler, or of the machine, is resumed by the next one.",
        [
            "penstock scheduler",
            "penstock scheduler --until-idle    # what is due now, for a timer of the system",
        ],
    )
    parser.add_argument(
        "--until-idle",
        action="store_true",
        help="end when nothing is due and nothing runs",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run until it is stopped."""
    from penstock.notifications import ConfigError, read_targets
    from penstock.notifications.config import FILE
    from penstock.project_root import find_project_root
    from penstock.scheduling import ScheduleError, ScheduleFolder, Scheduler

    folder = ScheduleFolder(find_project_root("."))
    try:
        targets = read_targets(folder.project_root / FILE)
    except ConfigError as error:
        raise UsageError(f"penstock scheduler: {error}") from None
    stop = threading.Event()
    terminated = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if number == signal.SIGTERM:
            terminated.set()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    try:
        with folder.locked():
            schedules = folder.schedules()
            told = ", ".join(each.name for each in targets) or "nobody"
            print(
                f"scheduler of {folder.project_root}: {len(schedules)} scheduled, tells {told} "
                "(Ctrl-C ends it)",
                flush=True,
            )
            Scheduler(folder, functools.partial(print, flush=True)).run(
                stop, until_idle=arguments.until_idle
            )
    except ScheduleError as error:
        raise CommandError(f"penstock scheduler: {error}", exit_codes.ENVIRONMENT) from None
    if terminated.is_set():
        return exit_codes.TERMINATED
    return exit_codes.INTERRUPTED if stop.is_set() else exit_codes.OK
