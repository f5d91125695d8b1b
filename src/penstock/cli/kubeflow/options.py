"""Options that verbs of `penstock kubeflow` share: where Kubeflow is, and what is compiled."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from penstock.cli.arguments import Parser, add_param

if TYPE_CHECKING:
    from penstock.kubeflow.client import Kubeflow


def add_connection_options(
    parser: Parser, namespace: str = "your namespace, where Kubeflow has several users"
) -> None:
    """Add the options that say where Kubeflow is and who is asking.

    Args:
        parser: The verb's.
        namespace: What the namespace is to the verb.
    """
    group = parser.add_argument_group("where Kubeflow is")
    group.add_argument(
        "--host",
        metavar="URL",
        help="address of Kubeflow Pipelines (default: $KF_PIPELINES_ENDPOINT, else the cluster)",
    )
    group.add_argument(
        "--context", metavar="NAME", help="context of the kubeconfig (default: its current one)"
    )
    group.add_argument(
        "--namespace",
        metavar="NAME",
        help=f"{namespace}\n(default: $PENSTOCK_KUBEFLOW_NAMESPACE, else the kubeconfig's)",
    )
    group.add_argument(
        "--kubeflow-namespace",
        metavar="NAME",
        default="kubeflow",
        help="the namespace that Kubeflow itself runs in (default: kubeflow)",
    )
    group.add_argument(
        "--token-file",
        metavar="FILE",
        help="a file with a token; also $PENSTOCK_KUBEFLOW_TOKEN, or a cookie in\n"
        "$PENSTOCK_KUBEFLOW_COOKIE (default: the kubeconfig's or the pod's)",
    )
    group.add_argument(
        "--ca-file",
        metavar="FILE",
        help="authorities that sign the server's certificate, as PEM (default: $SSL_CERT_FILE)",
    )


def connect(arguments: argparse.Namespace) -> Kubeflow:
    """Return the server that was named."""
    from penstock.kubeflow.client import Kubeflow
    from penstock.kubeflow.connection import find_connection

    return Kubeflow(
        find_connection(
            arguments.host,
            namespace=arguments.namespace,
            home=arguments.kubeflow_namespace,
            context=arguments.context,
            token_file=arguments.token_file,
            ca_file=arguments.ca_file,
        )
    )


def add_pipeline_options(parser: Parser, *, runs: bool = True) -> None:
    """Add the pipeline file and how it is compiled.

    Args:
        parser: The verb's.
        runs: Whether the verb makes runs, which have parameters.
    """
    parser.add_argument(
        "file", metavar="FILE", help="the pipeline file, or a compiled pipeline (*.yaml)"
    )
    parser.add_argument(
        "--image",
        metavar="IMAGE",
        help="the image that runs the nodes (default: the file's KubeflowConfig, else\n$PENSTOCK_IMAGE)",
    )
    parser.add_argument(
        "--code",
        choices=["image", "root"],
        help="where containers find the project: in the image (default), or below the\n"
        "root, where this puts it",
    )
    parser.add_argument(
        "--store-secret",
        metavar="SECRET/KEY",
        help="the Kubernetes secret, and its key, that holds the URL of the metadata store",
    )
    parser.add_argument(
        "--allow",
        metavar="SETTINGS",
        help="settings to leave out where Kubeflow cannot honour them, as priority_class,...",
    )
    if not runs:
        return
    parser.add_argument("--root", metavar="URL", help="where all containers write artifacts")
    add_param(parser, "a runtime parameter")
    parser.add_argument(
        "--experiment",
        metavar="NAME",
        default=os.environ.get("KF_PIPELINES_DEFAULT_EXPERIMENT_NAME", "Default"),
        help="Kubeflow's experiment (default: $KF_PIPELINES_DEFAULT_EXPERIMENT_NAME, else Default)",
    )
    parser.add_argument(
        "--service-account",
        metavar="NAME",
        help="of the pods (default: Kubeflow's pipeline-runner)",
    )
