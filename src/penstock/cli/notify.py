"""`--notify` of `run` and `resume`: telling people how a run ended, as a scheduler does."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from penstock.cli.arguments import Parser
from penstock.cli.errors import UsageError

if TYPE_CHECKING:
    from penstock.notifications import RunEvent, Target
    from penstock.runners.result import RunResult


def add_notify_option(parser: Parser) -> None:
    """Add `--notify`."""
    parser.add_argument(
        "--notify",
        action="store_true",
        help="tell those in the project's notifications.toml how the run ended",
    )


def targets(arguments: argparse.Namespace, project_root: str) -> list[Target]:
    """Return who is told of a run; nobody without `--notify`.

    Raises:
        UsageError: If the file is wrong or not there: better before the run than after it.
    """
    if not arguments.notify:
        return []
    from penstock.notifications import ConfigError, read_targets
    from penstock.notifications.config import FILE

    file = os.path.join(project_root, FILE)
    try:
        found = read_targets(file)
    except ConfigError as error:
        raise UsageError(f"penstock: --notify: {error}") from None
    if not found:
        raise UsageError(f"penstock: --notify: {file} names nobody. Write a table [targets.NAME].")
    return found


def tell(targets: list[Target], result: RunResult, pipeline: str, project_root: str) -> None:
    """Tell people how a run ended; who cannot be told is named on the standard error."""
    if not targets:
        return
    from penstock.notifications import deliver

    for each in deliver(event_of(result, pipeline, project_root), targets):
        if each.error:
            print(f"warning: {each.target} was not told: {each.error}", file=sys.stderr)


def event_of(result: RunResult, pipeline: str, project_root: str) -> RunEvent:
    """Return the end of a run as an event; what came from the cache was told before."""
    import time

    from penstock.notifications.event import RunEvent, verdict_words
    from penstock.runners.result import NodeState

    ran = [node for node in result.nodes.values() if node.state is not NodeState.CACHED]
    return RunEvent(
        pipeline=pipeline,
        run_id=result.run_id,
        state=result.state,
        error=result.error or "",
        verdicts={node.id: node.verdict for node in ran if node.verdict is not None},
        words=verdict_words({node.id: node.outputs for node in ran}),
        project=project_root,
        started=time.time() - result.seconds,
        seconds=result.seconds,
        resume_command="" if result.state == "COMPLETE" else result.resume_command,
    )
