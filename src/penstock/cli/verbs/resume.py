"""`penstock resume`: finish a run."""

from __future__ import annotations

import argparse
import os

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import print_json
from penstock.cli.notify import add_notify_option, targets, tell
from penstock.cli.run_options import add_runner_options, report_end, runner_settings
from penstock.cli.store_option import add_store_option, open_store, store_location


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "resume",
        "Finish a run that failed, was stopped or was killed. It keeps its compiled pipeline,\n"
        "parameters, seed and options. Nodes that are complete do not run again, unless an external file\n"
        "that they read has changed. The code is read again, so a corrected module takes effect.",
        ["penstock resume latest", "penstock resume 20261121-0930"],
    )
    parser.add_argument("run", metavar="RUN", help="a run's id, the start of one, or `latest`")
    add_runner_options(parser)
    add_notify_option(parser)
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Resume the run."""
    from penstock.cli.run_report import find_run
    from penstock.store import RunState

    with open_store(arguments.store) as store:
        record = find_run(store, arguments.run)
    if record.state is RunState.COMPLETE:
        text = f"run {record.run_id} is complete: nothing is missing"
        if arguments.json:
            print_json({"run_id": record.run_id, "state": record.state.value, "text": text})
        else:
            print(text)
        return exit_codes.OK

    from penstock.launch.project import Project
    from penstock.runners.local import LocalDagRunner
    from penstock.runners.result import RunFailed

    project = Project.find(record.project if os.path.isdir(record.project) else ".")
    location = store_location(arguments.store)
    # The project's own store needs no mention in the command that resumes again.
    store_option = None if location == project.store else location
    runner = LocalDagRunner(store=store_option, **runner_settings(arguments))
    told = targets(arguments, project.root)
    try:
        result = runner.resume(record.run_id, project_root=project.root)
    except RunFailed as failed:
        result = failed.result
    tell(told, result, record.pipeline, project.root)
    return report_end(result, arguments)
