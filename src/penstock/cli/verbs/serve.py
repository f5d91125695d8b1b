"""`penstock serve`: a model server."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser, key_value
from penstock.cli.errors import CommandError, NotFound, UsageError

if TYPE_CHECKING:
    from penstock.server.safety.access import Access


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "serve",
        "Serve models from the folders that they are pushed to. Each is answered by its highest\n"
        "version; a new one is loaded and warmed before the old is dropped. Ctrl-C ends it.",
        [
            "penstock serve taxi=serving/taxi",
            "penstock serve taxi=serving/taxi penguin=serving/penguin --port 8501",
        ],
    )
    parser.add_argument(
        "models",
        metavar="NAME=FOLDER",
        nargs="*",
        type=key_value,
        help="a model's name in requests, and the folder of its versions",
    )
    parser.add_argument(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="address to listen on (default: 127.0.0.1)",
    )
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        default=8501,
        help="port of the HTTP interface; 0 for any that is free (default: 8501)",
    )
    parser.add_argument(
        "--grpc-port",
        metavar="N",
        type=_port,
        help="port of the gRPC interface; 0 for any that is free (default: one below --port)",
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


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    from penstock.server.config import ModelSource, ServerConfig

    if not arguments.models:
        raise UsageError("penstock serve: missing: NAME=FOLDER. See `penstock serve --help`.")
    for name, folder in arguments.models:
        if not os.path.isdir(folder):
            raise NotFound(
                f"penstock serve: there is no folder {folder} for the model {name!r}, seen from "
                f"{os.getcwd()}."
            )
    try:
        models = tuple(ModelSource(name, folder) for name, folder in arguments.models)
    except ValueError as error:
        raise UsageError(f"penstock serve: {error}") from error
    try:
        config = ServerConfig(
            models,
            host=arguments.host,
            port=arguments.port,
            grpc_port=_grpc_port(arguments),
            access=_access(arguments),
        )
    except ValueError as error:
        raise UsageError(f"penstock serve: {error}") from error
    except OSError as error:
        raise CommandError(f"penstock serve: {error}", exit_codes.ENVIRONMENT) from error
    from penstock.server.running import serve

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    try:
        serve(config, _tell)
    except (OSError, ValueError) as error:
        raise CommandError(f"penstock serve: {error}", exit_codes.ENVIRONMENT) from error
    return exit_codes.OK


def _grpc_port(arguments: argparse.Namespace) -> int | None:
    if arguments.no_grpc:
        return None
    if arguments.grpc_port is not None:
        return int(arguments.grpc_port)
    return max(0, int(arguments.port) - 1)


def _access(arguments: argparse.Namespace) -> Access:
    from penstock.server.safety.access import Access, read_tokens

    return Access(
        read_tokens(arguments.token_file) if arguments.token_file else (),
        arguments.tls_cert,
        arguments.tls_key,
        arguments.insecure,
    )


def _tell(address: str, grpc_address: str | None) -> None:
    also = f" and {grpc_address}" if grpc_address else ""
    print(f"serving at {address}{also} (Ctrl-C ends it)", flush=True)
