"""The execution context: information about an execution for its component."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from penstock.artifacts import Verdict, location
from penstock.artifacts.staged import StagedPlaces
from penstock.dsl.module_files import import_module_file
from penstock.dsl.resources import Resources
from penstock.progress import report

if TYPE_CHECKING:
    from penstock.io.processes.hosts import Hosts


@dataclasses.dataclass
class ExecutionContext:
    """The circumstances of one execution, given to `Component.run`.

    Attributes:
        node_id: The node's name in its pipeline.
        execution_id: Row of the execution in the metadata store; unique for each attempt.
        run_id: Name of the run.
        pipeline_name: Name of the pipeline.
        working_dir: Local scratch folder, removed after the attempt.
        checkpoint_dir: Folder or URL for what a further attempt can go on from. Unlike `working_dir` it
            outlives an attempt that fails, is killed or canceled: the node's retry and `penstock resume`
            find it as it was left. It is emptied when the code, the parameters or the inputs have changed
            since, and removed when the execution completes. It is made when it is asked for.
        project_root: Folder that relative paths and user modules are found from.
        seed: Seed of the run for everything random, or None.
        deterministic: Whether equal inputs must give bit-equal outputs, at the cost of speed.
        beam_pipeline_args: Arguments for Beam.
        accelerators: Devices that this attempt holds, such as `("GPU:0",)`.
        resources: The resources that the node asks for.
        code_version: Git commit of the project, with `+` if its working tree has changes; empty outside
            git.
        lineage: The execution (a JSON value) of each upstream node, by node; only if the component
            sets `USES_LINEAGE`.
        hosts: Where the component's own processes run; None for this machine.
        staged: The local places of artifacts that lie behind URLs, for those processes.
        metrics: The metrics reported so far with `report_metrics`.
        verdict: The verdict reported with `report_verdict`, or None.
    """

    node_id: str = "node"
    execution_id: int = 0
    run_id: str = ""
    pipeline_name: str = ""
    working_dir: str = "."
    checkpoint_dir: str = dataclasses.field(default="", repr=False)
    project_root: str = "."
    seed: int | None = None
    deterministic: bool = False
    beam_pipeline_args: tuple[str, ...] = ()
    accelerators: tuple[str, ...] = ()
    resources: Resources = dataclasses.field(default_factory=Resources)
    code_version: str = ""
    lineage: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    hosts: Hosts | None = dataclasses.field(default=None, repr=False)
    staged: StagedPlaces = dataclasses.field(default_factory=StagedPlaces, repr=False)
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    verdict: Verdict | None = None

    @property
    def log(self) -> logging.Logger:
        """Logger of the node; its messages are kept in the attempt's log."""
        return logging.getLogger(f"penstock.node.{self.node_id}")

    def resolve_path(self, path: str) -> str:
        """Return a path in absolute form, relative to the project's root; URLs are returned unchanged."""
        return location.absolute(path, self.project_root)

    def load_module(self, module_file: str) -> ModuleType:
        """Import a file of user code under its dotted name.

        Args:
            module_file: Path, relative to the project's root or absolute below it; or a dotted name.

        Raises:
            FileNotFoundError: If there is no such file.
            penstock.dsl.DefinitionError: If it is outside the project, or another module has its
                name.
        """
        return import_module_file(module_file, self.project_root)

    def progress(self, done: float, total: float | None = None, unit: str = "rows") -> None:
        """Report how far the work is; it is shown beside the node while it runs.

        It is cheap enough to call for every batch or file, and does nothing if the run is not being
        watched.

        Args:
            done: How much is done.
            total: How much there is to do; None if unknown.
            unit: What is counted, in the plural.

        Example:
            >>> context.progress(3, 10, "files")
        """
        report(done, total, unit)

    def report_metrics(self, metrics: Mapping[str, float]) -> None:
        """Add metrics of this execution, for `penstock show`.

        Raises:
            TypeError: If a value is not a number.
        """
        self.metrics.update({name: float(value) for name, value in metrics.items()})

    def report_verdict(self, text: str, *, ok: bool) -> None:
        """Report the outcome in a sentence, shown beside the node in `run`, `show`, `runs` and `graph`.

        The last one counts. A cached execution shows the verdict of the one that ran.

        Args:
            text: The sentence, without a full stop: `3 anomalies in fare, tips`.
            ok: Whether it is good news.

        Raises:
            TypeError: If the text is not a string.

        Example:
            context.report_verdict("not pushed: the model is not blessed", ok=False)
        """
        self.verdict = Verdict(text, ok)
