"""`penstock compile`: a pipeline's graph as JSON, or as Kubeflow Pipelines IR."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.errors import UsageError
from penstock.cli.pipeline_file import load_pipeline

if TYPE_CHECKING:
    from penstock.graph import Graph


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "compile",
        "Write the frozen form of a pipeline. Imports no TensorFlow and runs nothing.",
        [
            "penstock compile pipelines/penguin.py                        # JSON",
            "penstock compile pipelines/penguin.py --to kubeflow -o penguin.yaml",
            "penstock compile FILE --to kubeflow --image IMAGE --root gs://bucket/penguin -o FILE.yaml",
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
        "--image",
        metavar="IMAGE",
        help="kubeflow: the image that runs the nodes (default: $PENSTOCK_IMAGE)",
    )
    parser.add_argument(
        "--root", metavar="URL", help="kubeflow: where all containers write artifacts, as gs://..."
    )
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=key_value,
        action="append",
        default=[],
        help="kubeflow: new default of a runtime parameter; may be given again",
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Compile and write."""
    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    kubeflow_only = {
        "--image": arguments.image,
        "--root": arguments.root,
        "--param": arguments.param,
    }
    if arguments.to == "kubeflow":
        text = _kubeflow(graph, arguments)
    elif any(kubeflow_only.values()):
        given = ", ".join(name for name, value in kubeflow_only.items() if value)
        raise UsageError(f"penstock compile: {given} is for --to kubeflow.")
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


def _kubeflow(graph: Graph, arguments: argparse.Namespace) -> str:
    import logging

    from penstock.runners.kubeflow import KubeflowConfig, compile_to_yaml

    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    config = KubeflowConfig(pipeline_root=arguments.root)
    if arguments.image:
        config = dataclasses.replace(config, image=arguments.image)
    return compile_to_yaml(graph, config, dict(arguments.param))
