"""`penstock serve`: a model server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.errors import CommandError, NotFound, UsageError
from penstock.cli.registry_errors import registry_errors

if TYPE_CHECKING:
    from penstock.server.config import ModelSource, ServerConfig

_MOST_PROCESSES = 256


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "serve",
        "Serve models from the folders that they are pushed to. Each is answered by its highest\n"
        "version; a new one is loaded and warmed before the old is dropped. Ctrl-C ends it.",
        [
            "penstock serve taxi=serving/taxi",
            "penstock serve taxi=serving/taxi penguin=serving/penguin --port 8501",
            "penstock serve taxi=models:/taxi@champion   # the version that the alias names, as it moves",
            "penstock serve --config serve.toml",
        ],
    )
    parser.add_argument(
        "models",
        metavar="NAME=FOLDER",
        nargs="*",
        type=key_value,
        help="a model's name in requests, and the folder or URL of its versions, or its name in the "
        "registry: models:/NAME@ALIAS, models:/NAME/VERSION, models:/NAME/latest",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        help="a config file (.toml or .json): versions, labels, traffic, request log, limits; what is\n"
        "given here too comes before it",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        help="address to listen on (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        help="port of the HTTP interface; 0 for any that is free (default: 8501)",
    )
    parser.add_argument(
        "--grpc-port",
        metavar="N",
        type=_port,
        help="port of the gRPC interface; 0 for any that is free (default: one below --port)",
    )
    parser.add_argument(
        "--processes",
        metavar="N",
        type=_count,
        help="processes that answer, each with the models in memory (default: 1)",
    )
    parser.add_argument("--no-grpc", action="store_true", help="no gRPC interface")
    safety = parser.add_argument_group("who may ask")
    safety.add_argument(
        "--token-file", metavar="FILE", help="tokens, one a line, of which a request must have one"
    )
    safety.add_argument("--tls-cert", metavar="FILE", help="certificate chain as PEM, to speak TLS")
    safety.add_argument("--tls-key", metavar="FILE", help="private key of the certificate")
    safety.add_argument(
        "--insecure",
        action="store_true",
        help="let other machines ask without a token or TLS",
    )
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"takes a port, 0 to 65535. Received: {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= _MOST_PROCESSES:
        raise argparse.ArgumentTypeError(f"takes 1 to {_MOST_PROCESSES}. Received: {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    if bool(arguments.models) == bool(arguments.config):
        raise UsageError(
            "penstock serve: give either models as NAME=FOLDER or --config FILE. "
            "See `penstock serve --help`."
        )
    try:
        config = _config(arguments)
    except FileNotFoundError as error:
        raise NotFound(f"penstock serve: there is no file {error.filename}.") from error
    except OSError as error:
        raise CommandError(f"penstock serve: {error}", exit_codes.ENVIRONMENT) from error
    except ValueError as error:
        raise UsageError(f"penstock serve: {error}") from error
    for model in config.models:
        if "://" not in model.folder and not os.path.isdir(model.folder):
            raise NotFound(
                f"penstock serve: there is no folder {model.folder} for the model {model.name!r}, seen "
                f"from {os.getcwd()}."
            )
    from penstock.server.running import serve

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        serve(config, _tell)
    except (OSError, ValueError) as error:
        raise CommandError(f"penstock serve: {error}", exit_codes.ENVIRONMENT) from error
    return exit_codes.OK


def _config(arguments: argparse.Namespace) -> ServerConfig:
    from penstock.server.config import ServerConfig
    from penstock.server.config_file import read_access, read_config

    access = {
        name: getattr(arguments, name)
        for name in ("token_file", "tls_cert", "tls_key")
        if getattr(arguments, name) is not None
    }
    if arguments.insecure:
        access["insecure"] = True
    server = {
        name: getattr(arguments, name)
        for name in ("host", "port", "grpc_port", "processes")
        if getattr(arguments, name) is not None
    }
    if arguments.config:
        config = read_config(arguments.config, server | access)
    else:
        models = tuple(_source(name, place) for name, place in arguments.models)
        config = ServerConfig(models, **server, access=read_access(access))
    if arguments.no_grpc:
        return replace(config, grpc_port=None)
    if config.grpc_port is None:
        return replace(config, grpc_port=max(0, config.port - 1))
    return config


def _source(name: str, place: str) -> ModelSource:
    """Return what to serve: a folder or URL, or what a name in the registry stands for."""
    from penstock.server.config import ModelSource, VersionPolicy

    if not place.startswith("models:/"):
        return ModelSource(name, place)
    from penstock.registry.model_uri import locate

    with registry_errors("serve"):
        found = locate(place)
    if found.alias is not None:
        return ModelSource(name, found.destination, default_label=found.alias)
    if place.endswith("/latest"):
        return ModelSource(name, found.destination)
    return ModelSource(name, found.destination, VersionPolicy(specific=(found.version,)))


def _tell(address: str, grpc_address: str | None) -> None:
    also = f" and {grpc_address}" if grpc_address else ""
    print(f"serving at {address}{also} (Ctrl-C ends it)", flush=True)
