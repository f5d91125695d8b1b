"""ExampleValidator: checks data against a schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from penstock.artifacts import ExampleAnomalies, ExampleStatistics, Schema, split_uri
from penstock.dsl import Component, ExecutionContext, Input, Output, Rejected, output

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2

ANOMALIES_FILE = "SchemaDiff.pb"

_ACCEPT = "Correct the data, or accept it by changing the schema (penstock.data_validation.update_schema)."
_LISTED = 10
_SHOWN = 320


class AnomaliesFound(Rejected):
    """The data has anomalies of the severity in `fail_on`, or of a higher one."""


class ExampleValidator(Component):
    """Checks the statistics of every split against a schema.

    Args:
        statistics: Statistics of the data.
        schema: The schema that the data should match.
        exclude_splits: Splits to leave out.
        fail_on: The lowest severity of anomalies on which the component fails, naming features and
            reasons: "ERROR" or "WARNING"; None only reports them. If set, the component is a gate:
            all other nodes that read the statistics, or the examples that they describe, wait for
            it and do not run if it fails. The anomalies are published in any case.

    Outputs:
        anomalies: `Split-<name>/SchemaDiff.pb`, serialized Anomalies; the custom property `blessed`
            holds, for each split, whether it had none.

    Example:
        ExampleValidator(statistics=stats.outputs["statistics"], schema=schema.outputs["schema"],
                         fail_on="ERROR")
    """

    TYPE_NAME: ClassVar = "tfx.components.example_validator.component.ExampleValidator"
    LIBRARIES: ClassVar = ("tensorflow-metadata",)
    USES_SEED: ClassVar = False
    READS_URLS: ClassVar = True
    JUDGES: ClassVar = ("statistics",)

    statistics: Input[ExampleStatistics]
    schema: Input[Schema]
    exclude_splits: Sequence[str] = ()
    fail_on: Literal["ERROR", "WARNING"] | None = None
    anomalies: Output[ExampleAnomalies] = output()

    def can_reject(self) -> bool:
        """Return whether it fails on anomalies."""
        return self.fail_on is not None

    def run(self, context: ExecutionContext) -> None:
        """Validate each split, write its anomalies, and fail if `fail_on` says so."""
        from penstock.data_validation import (
            load_schema_text,
            load_stats_binary,
            validate_statistics,
            write_anomalies_binary,
        )
        from penstock.data_validation.personal_values import (
            hide_personal_anomalies,
            without_personal_domains,
        )
        from penstock.io import personal_features

        schema = load_schema_text(self.schema.file)
        personal = personal_features(schema)
        schema = without_personal_domains(schema, personal)
        splits = self.statistics.splits_without(self.exclude_splits)
        blessed: dict[str, int] = {}
        fatal: list[str] = []
        reports: list[anomalies_pb2.Anomalies] = []
        for split in splits:
            folder = self.statistics.split_uri(split)
            statistics = load_stats_binary(f"{folder}/FeatureStats.pb")
            found = validate_statistics(statistics, schema)
            hide_personal_anomalies(found, personal)
            target = f"{split_uri(self.anomalies.uri, split)}/{ANOMALIES_FILE}"
            write_anomalies_binary(found, target)
            reports.append(found)
            lines = describe_anomalies(found)
            for severity, line in lines:
                context.log.warning("Split %s, %s: %s", split, severity, line)
                if self.fail_on == "WARNING" or (self.fail_on and severity == "ERROR"):
                    fatal.append(f"split {split}, {severity}: {line}")
            blessed[split] = 0 if lines else 1
        self.anomalies.splits = splits
        self.anomalies.properties["span"] = self.statistics.properties.get("span") or 0
        self.anomalies.custom_properties["blessed"] = blessed
        text = summarize_anomalies(reports)
        context.report_verdict(text or f"no anomalies in {', '.join(splits)}", ok=not text)
        if fatal:
            raise anomalies_found(fatal, self.fail_on, _ACCEPT)


def anomalies_found(fatal: Sequence[str], fail_on: str | None, advice: str) -> AnomaliesFound:
    """Return the error of a failing validator: how many anomalies, the first ones, and what to do.

    Args:
        fatal: A description of each anomaly; the log has all of them.
        fail_on: The lowest severity on which the validator fails.
        advice: What to do.
    """
    listed = [text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..." for text in fatal[:_LISTED]]
    if len(fatal) > _LISTED:
        listed.append(f"and {len(fatal) - _LISTED} more, in the log and in {ANOMALIES_FILE}")
    noun = "anomaly" if len(fatal) == 1 else "anomalies"
    lines = "\n  ".join(listed)
    return AnomaliesFound(
        f"{len(fatal)} {noun} of severity {fail_on} or worse (fail_on={fail_on!r}):\n  {lines}\n{advice}"
    )


def summarize_anomalies(reports: Sequence[anomalies_pb2.Anomalies]) -> str:
    """Return in one line how many anomalies there are, and in which features; empty if there are none.

    Args:
        reports: The anomalies of the splits; the same feature in several of them is named once.
    """
    count, names = 0, dict[str, None]()
    for report in reports:
        infos = [(name, info) for name, info in sorted(report.anomaly_info.items())]
        if report.HasField("dataset_anomaly_info"):
            infos.append(("the data set", report.dataset_anomaly_info))
        if report.data_missing:
            count += 1
            names["a split without rows"] = None
        for name, info in infos:
            count += max(1, len(info.reason))
            names[name] = None
    if not count:
        return ""
    listed = list(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""
    return f"{count} {'anomaly' if count == 1 else 'anomalies'} in {', '.join(listed[:4])}{more}"


def describe_anomalies(anomalies: anomalies_pb2.Anomalies) -> list[tuple[str, str]]:
    """Return the severity and a sentence for each anomaly."""
    lines = []
    if anomalies.data_missing:
        lines.append(("ERROR", "there are no rows"))
    infos = [(f"feature {name!r}", info) for name, info in sorted(anomalies.anomaly_info.items())]
    if anomalies.HasField("dataset_anomaly_info"):
        infos.append(("data set", anomalies.dataset_anomaly_info))
    for name, info in infos:
        severity = info.Severity.Name(info.severity)
        parts = [(info.short_description, info.description)]
        if not info.short_description:  # a comparison: each reason is described by itself
            parts = [(reason.short_description, reason.description) for reason in info.reason]
        text = " ".join(f"{short.rstrip('.')}. {long}".strip() for short, long in parts)
        lines.append((severity, f"{name}: {text}"))
    return lines
