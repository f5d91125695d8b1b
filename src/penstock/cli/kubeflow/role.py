"""`penstock kubeflow role`: print the rights that pods or people need on the cluster."""

from __future__ import annotations

import argparse

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import UsageError


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "kubeflow role",
        "Print Kubernetes roles and their bindings, as kubectl applies them. `nodes`: what the pods of\n"
        "nodes with several replicas need; standard Kubeflow's pipeline-runner has it. `people`: what\n"
        "`penstock kubeflow` needs of a kubeconfig, where Kubeflow has no address of its own.",
        [
            "penstock kubeflow role nodes --namespace team-a --service-account default-editor",
            "penstock kubeflow role people --group ml-team | kubectl apply -f -",
        ],
    )
    parser.add_argument("who", metavar="WHO", choices=("nodes", "people"), help="nodes or people")
    parser.add_argument(
        "--namespace",
        metavar="NAME",
        help="the namespace of the runs (default: Kubeflow's)",
    )
    parser.add_argument(
        "--kubeflow-namespace",
        metavar="NAME",
        default="kubeflow",
        help="the namespace that Kubeflow itself runs in (default: kubeflow)",
    )
    nodes = parser.add_argument_group("nodes")
    nodes.add_argument(
        "--service-account", metavar="NAME", help="of the pods (default: pipeline-runner)"
    )
    nodes.add_argument("--trainer", action="store_true", help="also TrainJobs of Kubeflow Trainer")
    people = parser.add_argument_group("people")
    people.add_argument("--user", metavar="NAME", help="a user, as the cluster names them")
    people.add_argument("--group", metavar="NAME", help="a group of users")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Print them."""
    import yaml  # type: ignore[import-untyped]

    from penstock.kubeflow.roles import roles_of_nodes, roles_of_people

    home = arguments.kubeflow_namespace
    namespace = arguments.namespace or home
    if arguments.who == "nodes":
        if arguments.user or arguments.group:
            raise UsageError("--user and --group are for people; pods have a --service-account.")
        account = arguments.service_account or "pipeline-runner"
        manifests = roles_of_nodes(namespace, account, trainer=arguments.trainer)
    else:
        if arguments.service_account or arguments.trainer:
            raise UsageError("--service-account and --trainer are for nodes.")
        if bool(arguments.user) == bool(arguments.group):
            raise UsageError("Name the people: --user NAME or --group NAME.")
        manifests = roles_of_people(namespace, home, user=arguments.user, group=arguments.group)
    print(yaml.safe_dump_all(manifests, sort_keys=False), end="")
    return exit_codes.OK
