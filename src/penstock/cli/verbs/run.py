"""`penstock run`: a pipeline file, on this machine."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from penstock.cli.arguments import Parser, add_param
from penstock.cli.errors import UsageError
from penstock.cli.notify import add_notify_option, targets, tell
from penstock.cli.run_options import add_runner_options, report_end, runner_settings
from penstock.cli.store_option import add_store_option


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "run",
        "Run a pipeline. What has not changed since an earlier run is reused.",
        [
            "penstock run pipelines/penguin.py",
            "penstock run pipelines/penguin.py --param epochs=20 --param push=false",
            "penstock run pipelines/penguin.py --to Trainer        # and everything it needs",
            "penstock run pipelines/penguin.py --only Evaluator    # on its latest inputs",
            "penstock run pipelines/penguin.py --in-process        # under a debugger",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    add_param(parser, "value of a runtime parameter")
    parser.add_argument(
        "--only", metavar="NODE", action="append", help="only this node; may be repeated"
    )
    parser.add_argument(
        "--from",
        metavar="NODE",
        dest="from_",
        action="append",
        help="this node and everything after it",
    )
    parser.add_argument(
        "--to", metavar="NODE", action="append", help="this node and everything it needs"
    )
    parser.add_argument("--no-cache", action="store_true", help="also run what could be reused")
    parser.add_argument("--seed", metavar="N", type=int, help="seed for everything random")
    parser.add_argument(
        "--deterministic", action="store_true", help="equal inputs give bit-equal outputs; slower"
    )
    parser.add_argument("--run-id", metavar="NAME", help="name of the run (default: the time)")
    parser.add_argument(
        "--base-run",
        metavar="RUN",
        help="with --only, --from: run that supplies the other nodes' outputs (default: the latest)",
    )
    add_runner_options(parser)
    add_notify_option(parser)
    add_store_option(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Run the pipeline."""
    from penstock.cli.pipeline_file import load_pipeline, select_nodes
    from penstock.runners.local import LocalDagRunner
    from penstock.runners.result import RunFailed

    if arguments.only and (arguments.from_ or arguments.to):
        raise UsageError("penstock run: --only does not go with --from or --to.")
    parameters: dict[str, Any] = {}
    for name, value in arguments.param:
        if name in parameters:
            raise UsageError(f"penstock run: --param {name} is given twice.")
        parameters[name] = value
    loaded = load_pipeline(arguments.file)
    for each in loaded.unlisted_findings():
        print(f"warning: {each}", file=sys.stderr)
    graph = loaded.compile(
        select_nodes(loaded, {"only": arguments.only, "from": arguments.from_, "to": arguments.to})
    )
    told = targets(arguments, loaded.project_root)
    runner = LocalDagRunner(store=arguments.store, **runner_settings(arguments))
    try:
        result = runner.run(
            graph,
            parameters=parameters,
            project_root=loaded.project_root,
            run_id=arguments.run_id,
            seed=arguments.seed,
            deterministic=arguments.deterministic,
            cache=not arguments.no_cache,
            base_run=arguments.base_run,
            command=arguments.command,
        )
    except RunFailed as failed:
        result = failed.result
    tell(told, result, graph.name, loaded.project_root)
    return report_end(result, arguments)
