"""`penstock kubeflow serve`: what serves a pushed model on a cluster, or on one machine."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.errors import UsageError
from penstock.cli.kubeflow.options import add_connection_options, connect
from penstock.cli.registry_errors import registry_errors

if TYPE_CHECKING:
    from penstock.kubeflow.serving.settings import Served, ServingSettings

_KINDS = ("deployment", "kserve", "compose")


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow serve",
        "Write what serves a pushed model: a Deployment with Service and autoscaler, KServe's\n"
        "InferenceService, or a compose file for one machine; and apply it. The server reads the versions\n"
        "where they were pushed, so it follows an alias without being deployed again.",
        [
            "penstock kubeflow serve penguin@champion -o penguin.yaml",
            "penstock kubeflow serve penguin@champion --replicas 2-8 --canary canary=10 --apply --wait 300",
            "penstock kubeflow serve penguin/7 --as kserve --server tensorflow --apply",
            "penstock kubeflow serve penguin@champion --as compose -o compose.yaml",
        ],
    )
    parser.add_argument(
        "model",
        metavar="MODEL",
        help="NAME@ALIAS, NAME/VERSION or NAME (the highest version); NAME may be a folder or URL",
    )
    parser.add_argument(
        "--as", dest="kind", choices=_KINDS, default="deployment", help="what to write"
    )
    parser.add_argument(
        "--server",
        choices=("penstock", "tensorflow"),
        default="penstock",
        help="this project's server (default), or TensorFlow Serving",
    )
    parser.add_argument("--image", metavar="IMAGE", help="of the server (default: $PENSTOCK_IMAGE)")
    parser.add_argument("--name", metavar="NAME", help="of the objects (default: the model's)")
    parser.add_argument(
        "--canary",
        metavar="ALIAS=PERCENT",
        type=key_value,
        action="append",
        default=[],
        help="share of the requests that another alias's version answers; may be repeated",
    )
    resources = parser.add_argument_group("each replica")
    resources.add_argument(
        "--replicas", metavar="N[-M]", default="1", help="or N to M (default: 1)"
    )
    resources.add_argument("--cpu", metavar="N", type=float, default=1.0, help="processors (1)")
    resources.add_argument("--memory", metavar="SIZE", default="2Gi", help="memory (2Gi)")
    resources.add_argument("--accelerator", metavar="NAME", help="as nvidia.com/gpu, nvidia-l4")
    resources.add_argument(
        "--claim",
        metavar="CLAIM=FOLDER",
        type=key_value,
        action="append",
        default=[],
        help="a persistent volume claim that holds the model, and where it is mounted",
    )
    resources.add_argument(
        "--environment-secret",
        metavar="SECRET",
        help="keys become variables: a bucket's credentials",
    )
    resources.add_argument("--service-account", metavar="NAME", help="of the pods")
    resources.add_argument(
        "--token-secret", metavar="SECRET/KEY", help="tokens of which a request must have one"
    )
    resources.add_argument("--tls-secret", metavar="SECRET", help="of the type kubernetes.io/tls")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="the file (default: standard output)"
    )
    parser.add_argument("--apply", action="store_true", help="make or change it in the cluster")
    parser.add_argument(
        "--dry-run", action="store_true", help="let the cluster check it, and change nothing"
    )
    parser.add_argument(
        "--wait", metavar="SECONDS", type=float, help="with --apply: wait until it answers"
    )
    add_connection_options(parser, "where the objects are made")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Write, check or apply it."""
    from penstock.kubeflow.serving.apply import apply, wait_until_ready
    from penstock.kubeflow.serving.manifests import deployment, inference_service, to_yaml

    in_cluster = arguments.apply or arguments.dry_run
    if arguments.wait is not None and not arguments.apply:
        raise UsageError("penstock kubeflow serve: --wait goes with --apply.")
    if in_cluster and arguments.kind == "compose":
        raise UsageError(
            "penstock kubeflow serve: a compose file is for one machine: write it with -o, then "
            "`docker compose up -d`."
        )
    server = connect(arguments).server if in_cluster else None
    namespace = arguments.namespace or (server and server.connection.namespace) or "default"
    model, settings = _model(arguments), _settings(arguments, namespace)
    if arguments.kind == "compose":
        from penstock.kubeflow.serving.compose import compose

        manifests: list[dict[str, Any]] = [compose(model, settings)]
    else:
        make = inference_service if arguments.kind == "kserve" else deployment
        manifests = make(model, settings)
    if arguments.output:
        Path(arguments.output).write_text(to_yaml(manifests), "utf-8")
        print(f"wrote {arguments.output}", file=sys.stderr)
    elif not in_cluster:
        sys.stdout.write(to_yaml(manifests))
    if server is not None:
        for each in apply(server, manifests, dry_run=arguments.dry_run):
            print(f"{'would apply' if arguments.dry_run else 'applied'} {each}", file=sys.stderr)
        if arguments.wait is not None:
            wait_until_ready(server, manifests, arguments.wait)
            print(f"{settings.object_name(model)} answers", file=sys.stderr)
    return exit_codes.OK


def _model(arguments: argparse.Namespace) -> Served:
    """Return the model that was named, as the server's container is to see it."""
    from penstock.kubeflow.serving.settings import Served
    from penstock.pushing.aliases import read_aliases
    from penstock.registry.destinations import find_destination
    from penstock.registry.model_uri import version_named

    text = arguments.model.removeprefix("models:/")
    name, at, alias = text.rpartition("@")
    number = ""
    if not at:
        name, slash, number = text.rpartition("/")
        if not slash or not (number.isdecimal() or number == "latest"):
            name, number = text, ""
    with registry_errors("kubeflow serve"):
        destination = find_destination(name)
        version_named(destination, f"@{alias}" if at else number or "latest")
        versions = dict(read_aliases(destination))
    canaries = {each: _share(percent) for each, percent in arguments.canary}
    return Served(
        name=Path(destination).name,
        destination=destination.rstrip("/"),
        alias=alias if at else None,
        version=int(number) if number.isdecimal() else None,
        versions=versions,
        canaries=canaries,
    )


def _share(text: str) -> float:
    try:
        return float(text.removesuffix("%")) / 100
    except ValueError:
        raise UsageError(
            f"penstock kubeflow serve: --canary takes ALIAS=PERCENT. Received: {text!r}"
        ) from None


def _settings(arguments: argparse.Namespace, namespace: str) -> ServingSettings:
    from penstock.dsl.resources import Resources
    from penstock.kubeflow.serving.settings import ServingSettings

    least, _, most = arguments.replicas.partition("-")
    if not least.isdecimal() or not (most or least).isdecimal():
        raise UsageError(
            f"penstock kubeflow serve: --replicas takes N or N-M. Received: {arguments.replicas!r}"
        )
    secret = None
    if arguments.token_secret:
        name, slash, key = arguments.token_secret.partition("/")
        if not name or not slash or not key:
            raise UsageError(
                "penstock kubeflow serve: --token-secret takes SECRET/KEY. Received: "
                f"{arguments.token_secret!r}"
            )
        secret = (name, key)
    accelerator = {"accelerator": arguments.accelerator} if arguments.accelerator else {}
    return ServingSettings(
        server=arguments.server,
        image=arguments.image or "",
        name=arguments.name or "",
        namespace=namespace,
        resources=Resources(cpu=arguments.cpu, memory=arguments.memory, **accelerator),
        replicas=(int(least), int(most or least)),
        claims=dict(arguments.claim),
        environment_secret=arguments.environment_secret,
        service_account=arguments.service_account,
        token_secret=secret,
        tls_secret=arguments.tls_secret,
    )
