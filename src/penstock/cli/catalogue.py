"""The verbs, in the groups and the order in which `penstock --help` lists them."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """A verb: its name, and what it does in one line.

    Its module is `penstock.cli.verbs.<name>`, imported only when it is typed.
    """

    name: str
    summary: str


GROUPS: tuple[tuple[str, tuple[Verb, ...]], ...] = (
    (
        "Start",
        (
            Verb("init", "make a new project that trains on a CSV file"),
            Verb("doctor", "check this machine and its store, and say what is wrong"),
        ),
    ),
    (
        "Define",
        (
            Verb("check", "check a pipeline file: wiring, module files, resources, parameters"),
            Verb("graph", "draw a pipeline or a run: text, Mermaid, SVG, JSON"),
            Verb("compile", "write a pipeline's graph as JSON, or as Kubeflow YAML"),
        ),
    ),
    (
        "Run",
        (
            Verb("run", "run a pipeline on this machine"),
            Verb("resume", "finish a run that failed or was killed"),
            Verb("stop", "ask a running run to stop"),
            Verb("schedule", "run a pipeline again and again: by cron, interval, or a verdict"),
            Verb("schedules", "list the schedules; pause or resume one"),
            Verb("unschedule", "remove a schedule"),
            Verb("scheduler", "the process that runs what is scheduled, and tells how runs ended"),
        ),
    ),
    (
        "Run on a cluster",
        (
            Verb("image", "build the image that runs a project's nodes, tagged by its content"),
            Verb("kubeflow", "upload, run, schedule, follow and cancel pipelines on Kubeflow"),
        ),
    ),
    (
        "Look",
        (
            Verb("runs", "list the runs"),
            Verb("show", "show a run: nodes, times, artifacts, metrics, code, environment"),
            Verb("compare", "show runs side by side: parameters, code, metrics by slice, times"),
            Verb("why", "say why a node ran, or why it was cached"),
            Verb("logs", "print the log of a node"),
            Verb("tensorboard", "start TensorBoard on the logs of training"),
            Verb("open", "show an artifact or a run on a page in the browser"),
            Verb("head", "print the first rows of an artifact"),
            Verb("artifacts", "list artifacts, or show one with its lineage"),
        ),
    ),
    (
        "Data",
        (
            Verb("stats", "show statistics of data, or compare two data sets"),
            Verb("validate", "check data against a schema; infer or extend one"),
        ),
    ),
    (
        "Models",
        (
            Verb("models", "list the models that were pushed, or a model's versions; export one"),
            Verb("promote", "let an alias, such as champion, name a version of a model"),
            Verb("rollback", "let an alias name the version that it named before"),
            Verb(
                "serve",
                "serve pushed models: TensorFlow Serving's interfaces, and rows of features",
            ),
            Verb("label", "join labels that came later to the requests that a server logged"),
        ),
    ),
    (
        "Clean up",
        (Verb("gc", "remove artifacts that nothing needs (by default only lists them)"),),
    ),
)

VERBS = {verb.name: verb for _, verbs in GROUPS for verb in verbs}
"""Verbs by name."""
