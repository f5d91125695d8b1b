"""The thresholds of a verdict on the terminal: the value, bound, baseline and slice of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from penstock.artifacts import Artifact
from penstock.cli.console import Cell, Console

_OWNERS = ("ModelEvaluation", "ModelBlessing")


def verdict_of(artifacts: Iterable[Artifact]) -> tuple[Mapping[str, Any], int | None] | None:
    """Return the verdict that an evaluation or a blessing holds as data, and the artifact's id."""
    found = {artifact.TYPE_NAME: artifact for artifact in artifacts}
    for name in _OWNERS:
        artifact = found.get(name)
        said = artifact.custom_properties.get("verdict") if artifact else None
        if artifact is not None and isinstance(said, dict) and said.get("checks"):
            return said, artifact.id
    return None


def print_thresholds(
    console: Console, title: str, artifacts: Iterable[Artifact], *, most: int, failed_only: bool
) -> None:
    """Print the threshold checks of a node, those that failed first; nothing if it has none.

    Args:
        console: Where to.
        title: Heads the column of the metrics.
        artifacts: What the node wrote.
        most: How many checks are printed.
        failed_only: Whether those that held are left out.
    """
    found = verdict_of(artifacts)
    if found is None:
        return
    verdict, number = found
    checks = [each for each in verdict["checks"] if not (failed_only and each["passed"])]
    if not checks:
        return
    compares = any(each.get("kind") == "change" for each in checks)
    intervals = any(each.get("interval") for each in checks)
    rows: list[Sequence[Cell]] = [_row(each, compares, intervals) for each in checks[:most]]
    head = [title, "SLICE", "EXAMPLES", "VALUE", *(["BASELINE", "CHANGE"] if compares else [])]
    head += ["95 % INTERVAL"] if intervals else []
    console.print()
    console.table((*head, "BOUND", ""), rows, right=head[2:])
    # A store keeps numbers as floats.
    total = int(verdict["num_failed"] if failed_only else verdict["num_checks"])
    if total > len(rows):
        more = f"{total - len(rows):,} more checks{' that failed' if failed_only else ''}"
        console.print(f"({more}: penstock open {number})")


def _row(check: Mapping[str, Any], compares: bool, intervals: bool) -> list[Cell]:
    change = check.get("kind") == "change"
    cells: list[Cell] = [
        check["metric"],
        check["slice"],
        f"{int(check['num_examples']):,}",
        _number(check["value"]),
    ]
    if compares:
        cells += [_number(check[name]) if change else "" for name in ("baseline", "change")]
    if intervals:
        ends = check.get("interval") or ()
        cells.append(" to ".join(_number(end) for end in ends))
    mark: Cell = "held" if check["passed"] else ("failed", "bad")
    return [*cells, _bound(check["bounds"], check.get("direction", "")), mark]


def _bound(bounds: Mapping[str, float], direction: str) -> str:
    side = "<=" if direction == "lower is better" else ">="
    signs = {
        "lower": ">=",
        "upper": "<=",
        "absolute": f"change {side}",
        "relative": f"change {side}",
    }
    return ", ".join(
        f"{signs[name]} {100 * bound:g} %" if name == "relative" else f"{signs[name]} {bound:g}"
        for name, bound in bounds.items()
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
