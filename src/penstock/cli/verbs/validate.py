"""`penstock validate`: check data against a schema."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import Console, print_json
from penstock.cli.data_files import load_schema, statistics_of
from penstock.cli.errors import UsageError

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import anomalies_pb2


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "validate",
        "Check data (or statistics of it) against a schema. Returns 1 if something is wrong.",
        [
            "penstock validate taxi.csv --schema schema.pbtxt",
            "penstock validate today.parquet --schema schema.pbtxt --previous yesterday.parquet",
            "penstock validate taxi.csv --schema schema.pbtxt -o anomalies.html",
            "penstock validate taxi.csv --schema schema.pbtxt --accept new-schema.pbtxt",
            "penstock validate taxi.csv --accept schema.pbtxt        # infers a first schema",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="data, statistics, or an artifact's folder")
    parser.add_argument("--schema", metavar="FILE", help="the schema to check against")
    parser.add_argument("--split", metavar="NAME", help="the split of an artifact's folder")
    parser.add_argument(
        "--environment", metavar="NAME", help="the environment of the schema to check for"
    )
    parser.add_argument("--previous", metavar="FILE", help="data of the previous span, for drift")
    parser.add_argument("--serving", metavar="FILE", help="serving data, for skew")
    parser.add_argument("-o", "--output", metavar="FILE.html", help="write a page")
    parser.add_argument(
        "--accept", metavar="FILE", help="write a schema that accepts the data, for you to review"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Check, and print the anomalies."""
    from penstock.cards import display_anomalies
    from penstock.data_validation import infer_schema, update_schema, validate_statistics
    from penstock.data_validation.storage import write_schema_text

    if arguments.schema is None and arguments.accept is None:
        raise UsageError("penstock validate: missing --schema (or --accept, to infer a first one).")
    if arguments.output and not arguments.output.endswith((".html", ".htm")):
        raise UsageError(f"-o {arguments.output}: expected a name that ends in .html.")
    schema = load_schema(arguments.schema) if arguments.schema else None
    statistics = statistics_of(arguments.file, schema, arguments.split)
    if schema is None:
        schema = infer_schema(statistics)
        write_schema_text(schema, arguments.accept)
        print(f"wrote {arguments.accept}: {len(schema.feature)} features", file=sys.stderr)
        return exit_codes.OK
    if arguments.environment and arguments.environment not in schema.default_environment:
        known = list(schema.default_environment)
        raise UsageError(
            f"The schema has no environment {arguments.environment!r}. It has: {known}"
        )
    previous, serving = (
        statistics_of(path, schema) if path else None
        for path in (arguments.previous, arguments.serving)
    )
    found = validate_statistics(statistics, schema, arguments.environment, previous, serving)
    if arguments.accept:
        write_schema_text(update_schema(schema, statistics), arguments.accept)
        print(f"wrote {arguments.accept}", file=sys.stderr)
    if arguments.output:
        display_anomalies(found, arguments.file).write(arguments.output)
        print(f"wrote {arguments.output}", file=sys.stderr)
    entries = _entries(found)
    if arguments.json:
        print_json({"anomalies": entries, "data_missing": found.data_missing})
    else:
        _print(Console(), entries, found.data_missing, arguments)
    wrong = found.data_missing or any(entry["severity"] == "ERROR" for entry in entries)
    return exit_codes.FAILED if wrong else exit_codes.OK


def _entries(found: anomalies_pb2.Anomalies) -> list[dict[str, Any]]:
    infos = [(name, info) for name, info in sorted(found.anomaly_info.items())]
    if found.HasField("dataset_anomaly_info"):
        infos.insert(0, ("", found.dataset_anomaly_info))
    return [
        {
            "feature": name or None,
            "severity": info.Severity.Name(info.severity),
            "reasons": [
                {
                    "type": info.Type.Name(reason.type),
                    "short": reason.short_description,
                    "description": reason.description.strip(),
                }
                for reason in info.reason
            ],
        }
        for name, info in infos
    ]


def _print(
    console: Console,
    entries: list[dict[str, Any]],
    data_missing: bool,
    arguments: argparse.Namespace,
) -> None:
    if data_missing:
        console.print(console.style(f"{arguments.file} has no rows", "bad"))
        return
    if not entries:
        console.print(console.style(f"{arguments.file} matches the schema", "good"))
        return
    for entry in entries:
        mark = "bad" if entry["severity"] == "ERROR" else "warning"
        name = entry["feature"] or "the whole data set"
        console.print(f"{console.style(entry['severity'], mark):<8} {console.style(name, 'name')}")
        for reason in entry["reasons"]:
            text = f"{reason['short'].rstrip('.')}. {reason['description']}".rstrip()
            console.print(f"         {text}")
            console.print(console.style(f"         {reason['type']}", "dim"))
    count = len(entries)
    console.print()
    console.print(f"{count} {'anomaly' if count == 1 else 'anomalies'}")
    if not arguments.accept:
        console.print(
            "if the data is right, add --accept new-schema.pbtxt and review what it changes"
        )
