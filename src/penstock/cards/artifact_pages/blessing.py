"""The page of a blessing: the verdict, its reasons, and which model."""

from __future__ import annotations

from typing import Any

from penstock.artifacts import Artifact, location
from penstock.artifacts.standard import Blessing
from penstock.cards.artifact_pages.blocks import fact_table, section, verdict
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.thresholds_section import thresholds_section


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Blessing)
    files = {path for path, _ in location.list_files(artifact.uri)}
    blessed = artifact.blessed
    if files.isdisjoint((artifact.BLESSED_FILE, artifact.NOT_BLESSED_FILE)):
        raise FileNotFoundError(
            f"{artifact.uri} has neither a file {artifact.BLESSED_FILE} nor {artifact.NOT_BLESSED_FILE}"
        )
    said = artifact.custom_properties
    reasons = said.get("reasons")
    lines = [str(each) for each in reasons] if isinstance(reasons, list) else []
    head: list[Child] = [verdict("Blessed" if blessed else "Not blessed", lines, ok=blessed)]
    body: list[Child] = []
    models = {
        "model": _model(said, "current_model"),
        "baseline": _model(said, "baseline_model"),
        "second baseline": _model(said, "second_baseline_model"),
        "third baseline": _model(said, "third_baseline_model"),
    }
    if any(models.values()):
        body.append(section("What was judged", fact_table(models)))
    if measured := _measured(said):
        body.append(section("What was measured", fact_table(measured)))
    checks = _checks(said.get("verdict"))
    if checks:
        found = thresholds_section({"evaluation": {"checks": checks, "slices": [{"metrics": {}}]}})
        if found is not None:
            body.append(section(found[1], found[2]))
    return PageContent(head=head, body=body)


def _measured(said: dict[str, Any]) -> dict[str, str]:
    """Return what the InfraValidator measured."""
    found = {
        "requests answered": str(said["requests"]) if said.get("requests") else "",
        "time until it was loaded": _number(said.get("loading_seconds"), "s"),
        "median of the answers": _number(said.get("latency_p50_ms"), "ms"),
        "99 % of the answers": _number(said.get("latency_p99_ms"), "ms"),
        "memory of the server": _number(said.get("memory_mb"), "MiB"),
    }
    return {name: text for name, text in found.items() if text}


def _number(value: Any, unit: str) -> str:
    return f"{value:.1f} {unit}" if isinstance(value, int | float) else ""


def _model(said: dict[str, Any], key: str) -> Markup | None:
    uri, number = said.get(key), said.get(f"{key}_id")
    if not uri:
        return None
    command = tag("code", f"penstock open {number}", class_="command") if number else None
    return tag("span", tag("code", str(uri)), " ", command)


def _checks(said: Any) -> list[Any]:
    return list(said.get("checks") or []) if isinstance(said, dict) else []
