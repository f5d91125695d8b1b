"""The page of a run: nodes, the drawn graph, metrics, parameters, code and environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.artifacts import location
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section, tiles, verdict
from penstock.cards.html_page import HtmlPage, data_page
from penstock.cards.learning_curves import learning_curves, points_of_epochs
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import pill, table
from penstock.quantities import duration, moment, size

_NAMESPACE = ' xmlns="http://www.w3.org/2000/svg"'
"""Which an SVG file needs, and one inside of HTML does not."""
_GOOD = ("COMPLETE", "CACHED")
_BAD = ("FAILED", "KILLED", "CANCELED")


def run_page(run: Mapping[str, Any], drawing: str = "") -> HtmlPage:
    """Make the page of a run.

    Args:
        run: What `penstock show RUN --json` prints.
        drawing: Its graph as SVG.

    Example:
        run_page(json.loads(shown), draw_svg(diagram)).write("run.html")
    """
    nodes: Sequence[Mapping[str, Any]] = run["nodes"]
    body: list[Child] = []
    if drawing:
        inline = Markup(drawing.replace(_NAMESPACE, "", 1))
        body.append(section("Graph", tag("div", inline, class_="chart drawing")))
    body.append(section("Nodes", _nodes(nodes)))
    for node in nodes:
        curves = learning_curves(points_of_epochs(node.get("epochs", ())))
        if curves is not None:
            body.append(section(f"Learning curves of {node['id']}", curves))
    artifacts = [
        [
            f"{node['id']}.{key}",
            each["type"],
            _look(each),
            each["uri"].removeprefix(f"{run['root']}/"),
        ]
        for node in nodes
        for key, of in node["outputs"].items()
        for each in of
    ]
    if artifacts:
        body.append(section("Artifacts", row_table(["output", "type", "look", "where"], artifacts)))
    metrics = [
        [node["id"], name, value] for node in nodes for name, value in node["metrics"].items()
    ]
    if metrics:
        body.append(section("Metrics", row_table(["node", "metric", "value"], metrics)))
    if run["parameters"]:
        body.append(section("Parameters", fact_table(run["parameters"])))
    body.append(section("Code and environment", *_surroundings(run)))
    return data_page(
        kind=f"Run of {run['pipeline']}", title=run["run_id"], head=_head(run, nodes), body=body
    )


def _head(run: Mapping[str, Any], nodes: Sequence[Mapping[str, Any]]) -> list[Child]:
    state, sums = run["state"], run["sums"]
    lines = [str(run["error"])] if run.get("error") else []
    bad = [node for node in nodes if node["verdict"] and not node["verdict"]["ok"]]
    lines += [f"{node['id']}: {node['verdict']['text']}" for node in bad]
    ok = None if state == "RUNNING" else state in _GOOD and not bad
    if state in _GOOD and bad:
        ok = None
    counts = [
        (sum(node["state"] == each for node in nodes), each.lower())
        for each in ("COMPLETE", "CACHED", "FAILED", "SKIPPED", "PENDING", "RUNNING")
    ]
    figures: list[tuple[object, str]] = [
        (duration(sums["wall_seconds"]), "from start to end"),
        (duration(sums["cpu_seconds"]), "CPU time"),
        (size(sums["peak_rss_bytes"]), "largest memory of a node"),
        (size(sums["bytes_written"]), "written"),
    ]
    figures += [(count, f"nodes {name}") for count, name in counts if count]
    return [verdict(state.capitalize(), lines, ok=ok), tiles(figures)]


def _nodes(nodes: Sequence[Mapping[str, Any]]) -> Markup:
    rows = []
    for node in nodes:
        used = node["usage"] or {}
        attempts = f"{node['attempts']} attempts; " if node["attempts"] > 1 else ""
        said = node["verdict"]
        remarks: list[Child] = []
        if said:
            remarks.append(tag("div", said["text"], class_=None if said["ok"] else "warned"))
        if node["error"] and node["state"] in _BAD:
            remarks.append(tag("div", node["error"].partition("\n")[0], class_="warned"))
        remarks.append(tag("div", f"{attempts}{_why(node['why'])}", class_="muted"))
        state = node["state"]
        kind = "good" if state in _GOOD else "bad" if state in _BAD else ""
        rows.append(
            tag(
                "tr",
                tag("td", tag("b", node["id"])),
                tag("td", pill(state.lower(), kind)),
                tag("td", duration(used.get("wall_seconds")), class_="num"),
                tag("td", duration(used.get("cpu_seconds")), class_="num"),
                tag("td", size(used.get("peak_rss_bytes")), class_="num"),
                tag("td", size(used.get("bytes_written")), class_="num"),
                tag("td", remarks, class_="wide"),
            )
        )
    titles = ("node", "state", "time", "CPU", "memory", "written", "")
    head = [tag("th", title, class_="num" if title in titles[2:6] else None) for title in titles]
    return tag("div", table(head, rows), class_="rows")


def _counted(packages: Mapping[str, Any]) -> str:
    return f"{len(packages)} package{'' if len(packages) == 1 else 's'}"


def _why(why: Mapping[str, Any]) -> str:
    differences = why["differences"]
    if differences:
        more = f" and {len(differences) - 1} more" if len(differences) > 1 else ""
        return f"{differences[0]['sentence']}{more}"
    return str(why["reasons"][0] if why["reasons"] else "")


def _look(artifact: Mapping[str, Any]) -> Markup:
    if artifact["state"] == "DELETED":
        return pill("deleted", "bad")
    if location.is_local(artifact["uri"]) and not location.exists(artifact["uri"]):
        return pill("missing", "bad")
    return tag("code", f"penstock open {artifact['id']}", class_="command")


def _surroundings(run: Mapping[str, Any]) -> list[Child]:
    environment = run["environment"] or {}
    tree = {True: ", with uncommitted changes", False: ""}.get(run["dirty"], "")
    facts = {
        "started": moment(run["started"]),
        "finished": moment(run["finished"]) if run["finished"] else None,
        "command": run["command"],
        "code": f"{run['commit']}{tree}" if run["commit"] else "not in git",
        "seed": run["seed"],
        "deterministic": "yes" if run["deterministic"] else None,
        "project": run["project"],
        "root": run["root"],
        "environment": run["environment_fingerprint"],
    }
    facts |= {
        name: value
        for name, value in environment.items()
        if not isinstance(value, (dict, list)) and name not in facts
    }
    facts |= dict(run["labels"] or {})
    parts: list[Child] = [fact_table(facts)]
    packages = environment.get("packages") or {}
    if packages:
        rows = [[name, tag("span", str(version))] for name, version in sorted(packages.items())]
        listed = row_table(["package", "version"], rows)
        parts.append(tag("details", tag("summary", _counted(packages)), listed))
    return parts
