"""`penstock compile`: a pipeline's graph as JSON, or as Kubeflow Pipelines IR."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, add_param
from penstock.cli.errors import UsageError
from penstock.cli.pipeline_file import PipelineFile, load_pipeline
from penstock.dsl.exceptions import DefinitionError
from penstock.spelling import counted

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
            "penstock compile pipelines/penguin.py --to kubeflow --diff penguin.yaml",
        ],
    )
    parser.add_argument("file", metavar="FILE", help="the pipeline file")
    parser.add_argument(
        "--to",
        metavar="RUNNER",
        default="json",
        help="what to write: json (default), kubeflow, or the name of an installed runner",
    )
    parser.add_argument(
        "-o", "--output", metavar="PATH", help="the file to write (default: standard output)"
    )
    parser.add_argument(
        "--diff",
        metavar="OLD",
        help="say how the pipeline differs from an earlier file, and what runs anew for it",
    )
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        help="kubeflow: the image that runs the nodes (default: the file's KubeflowConfig, else\n"
        "$PENSTOCK_IMAGE)",
    )
    parser.add_argument(
        "--root", metavar="URL", help="kubeflow: where all containers write artifacts, as gs://..."
    )
    parser.add_argument(
        "--code",
        choices=["image", "root"],
        help="kubeflow: where containers find the project: in the image (default), or below the\n"
        "root, where this puts it",
    )
    parser.add_argument(
        "--store-secret",
        metavar="SECRET/KEY",
        help="kubeflow: the secret that holds the URL of the metadata store",
    )
    parser.add_argument(
        "--allow",
        metavar="SETTING",
        help="kubeflow: settings to leave out where it cannot honour them, as priority_class,...",
    )
    add_param(parser, "kubeflow: new default of a runtime parameter")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Compile and write."""
    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    options = {
        name: getattr(arguments, name)
        for name in ("image", "root", "code", "store_secret", "allow")
        if getattr(arguments, name)
    }
    if arguments.to == "json":
        given = [f"--{name.replace('_', '-')}" for name in options] + ["--param"] * bool(
            arguments.param
        )
        if given:
            raise UsageError(f"penstock compile: {', '.join(given)} is for --to kubeflow.")
        text = json.dumps(graph.to_json(), indent=2, sort_keys=True) + "\n"
    else:
        text = _compile_for(loaded, arguments.to, options, graph, dict(arguments.param))
    if arguments.diff is not None:
        sys.stdout.write(_difference(arguments.to, arguments.diff, text))
    if arguments.output is None:
        sys.stdout.write(text if arguments.diff is None else "")
    else:
        target = Path(arguments.output)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        print(f"wrote {target}: {counted(len(graph.nodes), 'node')}", file=sys.stderr)
    return exit_codes.OK


def _compile_for(
    loaded: PipelineFile,
    name: str,
    options: dict[str, str],
    graph: Graph,
    parameters: dict[str, str],
) -> str:
    import logging

    from penstock.cli.runner_settings import runner_of
    from penstock.runners.protocol import CompilingRunner
    from penstock.runners.registry import runner_names

    runner = runner_of(loaded, name, options)
    if not isinstance(runner, CompilingRunner):
        raise UsageError(
            f"penstock compile: the runner {name} runs pipelines itself. Runners that write a file: "
            f"{', '.join(runner_names('compiles'))}."
        )
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    return runner.compile(graph, parameters)


def _difference(name: str, path: str, text: str) -> str:
    """Return what differs between an earlier file and a new one, in lines."""
    from penstock.graph import Graph
    from penstock.launch.pipeline_difference import PipelineDescription, pipeline_difference
    from penstock.runners.protocol import ReadingRunner
    from penstock.runners.registry import runner_class

    old = Path(path).read_text("utf-8")
    if name == "json":
        try:
            before = PipelineDescription.of(Graph.from_json(json.loads(old)))
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise UsageError(
                f"penstock compile: {path} is not a graph that `penstock compile` wrote "
                f"({type(error).__name__}: {error}). For Kubeflow's IR add --to kubeflow."
            ) from None
        after = PipelineDescription.of(Graph.from_json(json.loads(text)))
        return pipeline_difference(before, after).to_text()
    runner = runner_class(name).from_options({})
    if not isinstance(runner, ReadingRunner):
        raise UsageError(f"penstock compile: the runner {name} cannot compare files (--diff).")
    try:
        before = runner.describe(old)
    except DefinitionError as error:
        raise UsageError(f"penstock compile: {path}: {error}") from None
    return pipeline_difference(before, runner.describe(text)).to_text()
