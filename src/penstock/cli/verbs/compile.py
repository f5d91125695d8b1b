"""`penstock compile`: a pipeline's graph as JSON, or as Kubeflow Pipelines IR."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.pipeline_file import load_pipeline


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "compile",
        "Write the frozen form of a pipeline. Imports no TensorFlow and runs nothing.",
        [
            "penstock compile pipelines/penguin.py                        # JSON",
            "penstock compile pipelines/penguin.py --to kubeflow -o penguin.yaml",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    parser.add_argument(
        "--to", choices=("json", "kubeflow"), default="json", help="what to write (default: json)"
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="where to (default: standard output)"
    )
    parser.add_argument(
        "--image", metavar="IMAGE", help="kubeflow: the container image that runs the nodes"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Compile and write."""
    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    if arguments.to == "kubeflow":
        from penstock.runners import kubeflow

        settings: dict[str, Any] = {"image": arguments.image} if arguments.image else {}
        text: str = kubeflow.compile_to_yaml(graph, **settings)
    else:
        text = json.dumps(graph.to_json(), indent=2, sort_keys=True) + "\n"
    if arguments.output is None:
        sys.stdout.write(text)
    else:
        target = Path(arguments.output)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        print(f"wrote {target}: {len(graph.nodes)} nodes", file=sys.stderr)
    return exit_codes.OK
