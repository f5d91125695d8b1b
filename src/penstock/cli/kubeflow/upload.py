"""`penstock kubeflow upload`: a pipeline's version, without a run."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.console import print_json
from penstock.cli.kubeflow.options import add_connection_options, add_pipeline_options, connect


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow upload",
        "Compile a pipeline and upload it. The version is named by its content, so the same content is\n"
        "uploaded once.",
        [
            "penstock kubeflow upload pipelines/penguin.py --image REGISTRY/penguin:TAG",
            "penstock kubeflow upload penguin.yaml --description 'release 12'",
        ],
    )
    add_pipeline_options(parser, runs=False)
    parser.add_argument("--description", metavar="TEXT", default="", help="shown of a new version")
    parser.add_argument("--json", action="store_true", help="print the version as JSON")
    add_connection_options(parser)
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Upload the version."""
    from penstock.cli.kubeflow.compiled import compiled

    kubeflow = connect(arguments)
    package, _ = compiled(arguments)
    version = kubeflow.upload(package, arguments.description)
    if arguments.json:
        print_json(
            {
                "pipeline": package.name,
                "pipeline_id": version.pipeline_id,
                "version": version.name,
                "version_id": version.version_id,
                "new": version.new,
            }
        )
    else:
        done = "uploaded" if version.new else "is there already:"
        print(f"{done} version {version.name} of {package.name} ({version.version_id})")
    return exit_codes.OK
