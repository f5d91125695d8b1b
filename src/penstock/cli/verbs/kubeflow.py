"""`penstock kubeflow`: the verbs for a cluster."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence

from penstock.cli import exit_codes
from penstock.cli.catalogue import Verb
from penstock.cli.errors import UsageError
from penstock.spelling import nearest

VERBS = {
    verb.name: verb
    for verb in (
        Verb("run", "upload a pipeline if need be, run it on the cluster, and follow it"),
        Verb("upload", "upload a pipeline; its version is named by its content"),
        Verb("schedule", "run a pipeline again and again, by cron or interval"),
        Verb("schedules", "list the schedules; pause or resume one"),
        Verb("unschedule", "remove a schedule"),
        Verb("status", "list the newest runs, or show one with its nodes"),
        Verb("logs", "print the log of a node"),
        Verb("cancel", "ask a run to end"),
        Verb(
            "serve", "write or apply what serves a pushed model: Deployment, KServe, compose file"
        ),
        Verb("role", "print the rights that pods or people need on the cluster"),
    )
}
"""Verbs by name; the module of each is `penstock.cli.kubeflow.<name>`."""


class _Verbs:
    """Reads the verb after `kubeflow`, and leaves the rest to it."""

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Return the arguments of the verb that was typed."""
        if not words or words[0] in ("-h", "--help", "help"):
            if len(words) > 1 and words[1] in VERBS:
                return self.read([words[1], "--help"])
            print(help_text())
            raise SystemExit(exit_codes.OK if words else exit_codes.USAGE)
        name = words[0]
        if name not in VERBS:
            near = nearest(name, [*VERBS, "--help"])
            raise UsageError(
                f"penstock kubeflow: unknown verb {name!r}.{near} See `penstock kubeflow --help`."
            )
        module = importlib.import_module(f"penstock.cli.kubeflow.{name}")
        arguments: argparse.Namespace = module.parser().read(words[1:])
        arguments.verb = module.run
        return arguments


def parser() -> _Verbs:
    """Return what reads the words after `kubeflow`."""
    return _Verbs()


def run(arguments: argparse.Namespace) -> int:
    """Call the verb."""
    from penstock.cli.kubeflow.kubeflow_errors import kubeflow_errors

    with kubeflow_errors():
        return int(arguments.verb(arguments))


def help_text() -> str:
    """Return the text of `penstock kubeflow --help`."""
    width = max(map(len, VERBS)) + 3
    return "\n".join(
        [
            "usage: penstock kubeflow VERB [ARGUMENTS]      penstock kubeflow VERB --help",
            "",
            "Run pipelines on Kubeflow Pipelines. It is found by --host URL or KF_PIPELINES_ENDPOINT, in a",
            "pod at the cluster's own service, else in the cluster of the kubeconfig.",
            "",
            *(f"  {verb.name:<{width}}{verb.summary}" for verb in VERBS.values()),
            "",
            "examples:",
            "  penstock kubeflow run pipelines/penguin.py --image REGISTRY/penguin:TAG --root gs://bucket",
            "  penstock kubeflow schedule pipelines/penguin.py --cron '0 3 * * *' --root gs://bucket",
            "  penstock kubeflow logs latest Trainer --follow",
        ]
    )
