"""Options that say when a schedule fires, on this machine and on Kubeflow."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime

from penstock.cli.arguments import Parser
from penstock.cli.quantities import parse_duration


def add_schedule_options(parser: Parser) -> argparse._ArgumentGroup:
    """Add the name of a schedule and when it fires; return the group of the latter."""
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
    when.add_argument("--paused", action="store_true", help="make it, but do not let it fire yet")
    parser.add_argument(
        "--replace",
        action="store_true",
        help="replace a schedule of that name that does something else",
    )
    parser.add_argument("--json", action="store_true", help="print the schedule as JSON")
    return when


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
