"""The pipeline of a file, compiled for Kubeflow, and the parameters of its runs."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli.errors import NotFound, UsageError
from penstock.cli.pipeline_file import PipelineFile, load_pipeline

if TYPE_CHECKING:
    from penstock.kubeflow.package import PipelinePackage
    from penstock.runners.kubeflow import KubeflowConfig

_PIPELINE_ROOT = "pipeline_root"


def compiled(arguments: argparse.Namespace) -> tuple[PipelinePackage, dict[str, Any]]:
    """Return the pipeline that was named and the given values of its parameters.

    A runtime parameter that is no parameter of the compiled pipeline, because Kubeflow takes none there, is
    compiled in.

    Args:
        arguments: `file`, `image`, `code`, `store_secret`, `allow` and, of verbs that make runs, `root` and
            `param`.

    Raises:
        UsageError: If the file is no compiled pipeline, or an option has no effect on one.
    """
    given: dict[str, Any] = dict(getattr(arguments, "param", ()))
    root = getattr(arguments, "root", None)
    if root is not None:
        given[_PIPELINE_ROOT] = root
    if Path(arguments.file).suffix in (".yaml", ".yml"):
        return _read(arguments), given
    from penstock.kubeflow.package import PipelinePackage
    from penstock.runners.kubeflow import compile_to_yaml
    from penstock.runners.kubeflow.parameters import selecting

    loaded = load_pipeline(arguments.file)
    graph = loaded.compile()
    config = _config(loaded, arguments)
    if root is not None:
        # Limits look at it; its value is the run's, so that the version stays the same for each root.
        logging.getLogger("penstock.runners.kubeflow").addFilter(_not_about_the_root)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    package = PipelinePackage.parse(compile_to_yaml(graph, config))
    typed = {name: value for name, value in given.items() if name in graph.parameters}
    labels = selecting(graph, typed)
    fixed = {
        name: value
        for name, value in typed.items()
        if name not in package.parameters or name in labels
    }
    if fixed:
        package = PipelinePackage.parse(compile_to_yaml(graph, config, fixed))
    return package, {name: value for name, value in given.items() if name not in fixed}


def _read(arguments: argparse.Namespace) -> PipelinePackage:
    from penstock.kubeflow.package import PipelinePackage

    for option in ("image", "code", "store_secret", "allow"):
        if getattr(arguments, option):
            raise UsageError(
                f"--{option.replace('_', '-')} is for a pipeline file; {arguments.file} is compiled."
            )
    try:
        text = Path(arguments.file).read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(f"there is no file {arguments.file!r}") from None
    try:
        return PipelinePackage.parse(text)
    except ValueError as error:
        raise UsageError(f"{arguments.file}: {error}") from None


def _config(loaded: PipelineFile, arguments: argparse.Namespace) -> KubeflowConfig:
    """Return the file's own KubeflowConfig, if it has one, with what was typed."""
    from penstock.cli.runner_settings import settings_in
    from penstock.runners.kubeflow import KubeflowConfig, SecretKey

    config: KubeflowConfig = (
        settings_in(loaded, KubeflowConfig, "kubeflow_config") or KubeflowConfig()
    )
    if arguments.allow:
        allowed = [each.strip() for each in arguments.allow.split(",") if each.strip()]
        config = dataclasses.replace(config, allow=[*config.allow, *allowed])
    if arguments.image:
        config = dataclasses.replace(config, image=arguments.image)
    if arguments.code == "root":
        # The archive lies below a root that is known now, whatever root a run is given later.
        root = getattr(arguments, "root", None) or config.pipeline_root
        config = dataclasses.replace(config, ship_project=True, pipeline_root=root)
    elif arguments.code == "image":
        config = dataclasses.replace(config, ship_project=False)
    if arguments.store_secret:
        secret, slash, key = arguments.store_secret.partition("/")
        if not secret or not slash or not key:
            raise UsageError(
                f"--store-secret takes SECRET/KEY. Received: {arguments.store_secret!r}"
            )
        config = dataclasses.replace(config, store=SecretKey(secret, key))
    return config


def _not_about_the_root(record: logging.LogRecord) -> bool:
    return f": {_PIPELINE_ROOT}: " not in record.getMessage()
