"""Checks of arguments for Beam: what a runner would refuse, or lose, minutes after it was asked.

Beam itself is not imported. Source of what runners need: Beam's `pipeline_options.py` and
`pipeline_options_validator.py`, and Google's page of Dataflow's pipeline options.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from penstock.beam import runner_name, runs_locally
from penstock.checks.finding import Finding
from penstock.graph import GraphNode

_ENDS_EARLY = {
    "no_wait_until_finish": "the job would go on after its node",
    "template_location": "a template is written instead of a job",
    "dry_run": "nothing is submitted",
    "streaming": "the job would never end",
}
_INSTALLS = ("sdk_container_image", "requirements_file", "setup_file", "extra_package")
_DATAFLOW_NEEDS = {
    "project": "--project=my-project",
    "region": "--region=europe-west4",
    "temp_location": "--temp_location=gs://my-bucket/temp",
}


def check_beam_arguments(node: GraphNode, place: str) -> Iterator[Finding]:
    """Yield what is wrong with a node's arguments for Beam.

    Args:
        node: The node; only its `beam_pipeline_args` are looked at.
        place: Where it was written.
    """
    args = node.beam_pipeline_args
    try:
        runner = runner_name(args)
    except ValueError as error:
        yield Finding("error", place, str(error), node.id)
        return
    if runner is None or runs_locally(args):
        return
    for name, what in _ENDS_EARLY.items():
        if _is_given(args, name):
            message = f"--{name}: {what}, and the node would find no outputs. Leave it out."
            yield Finding("error", place, message, node.id)
    if runner == "DataflowRunner":
        yield from _check_dataflow(node, place)
    elif runner == "PortableRunner" and not _is_given(args, "job_endpoint"):
        message = "--runner=PortableRunner needs --job_endpoint=HOST:PORT, the job server's address"
        yield Finding("error", place, message, node.id)
    yield from _check_environment(node, runner, place)


def _check_dataflow(node: GraphNode, place: str) -> Iterator[Finding]:
    args = node.beam_pipeline_args
    missing = [example for name, example in _DATAFLOW_NEEDS.items() if _value(args, name) is None]
    if missing:
        message = f"--runner=DataflowRunner also needs {', '.join(missing)}"
        yield Finding("error", place, message, node.id)
    for name in ("temp_location", "staging_location"):
        value = _value(args, name)
        if value is not None and not value.startswith("gs://"):
            message = f"--{name}={value}: Dataflow's machines reach gs:// alone"
            yield Finding("error", place, message, node.id)
    if not any(_is_given(args, name) for name in _INSTALLS):
        message = (
            "Dataflow's own image has no Penstock: name one with --sdk_container_image=IMAGE "
            "(and --sdk_location=container), or --requirements_file"
        )
        yield Finding("warning", place, message, node.id)


def _check_environment(node: GraphNode, runner: str, place: str) -> Iterator[Finding]:
    """Yield a warning where Flink or Spark would start Beam's own image, which has no Penstock."""
    args = node.beam_pipeline_args
    masters = {"FlinkRunner": "flink_master", "SparkRunner": "spark_master_url"}
    if runner not in masters:
        return
    master = _value(args, masters[runner]) or "local"
    embedded = master.startswith(("[", "local"))
    kind = _value(args, "environment_type") or ("LOOPBACK" if embedded else "DOCKER")
    if kind.upper() == "DOCKER" and not _is_given(args, "environment_config"):
        message = (
            f"{runner} starts Beam's own image, which has no Penstock: name one with "
            "--environment_type=DOCKER --environment_config=IMAGE, or a worker pool with "
            "--environment_type=EXTERNAL --environment_config=localhost:50000"
        )
        yield Finding("warning", place, message, node.id)


def _is_given(args: Sequence[str], name: str) -> bool:
    return any(arg == f"--{name}" or arg.startswith(f"--{name}=") for arg in args)


def _value(args: Sequence[str], name: str) -> str | None:
    """Return the last value of an option, `--name=value` or `--name value`; None if it has none."""
    found = None
    for position, arg in enumerate(args):
        if arg.startswith(f"--{name}="):
            found = arg.partition("=")[2]
        elif arg == f"--{name}" and position + 1 < len(args):
            found = args[position + 1]
    return found or None
