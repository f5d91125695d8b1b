"""`penstock tensorboard`: TensorBoard on the logs of training."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.cli import exit_codes
from penstock.cli.arguments import Parser
from penstock.cli.errors import CommandError, NotFound, UsageError
from penstock.cli.store_option import add_store_option, open_store

if TYPE_CHECKING:
    from penstock.store import MetadataStore, RunRecord

_DEFAULT_PORT = 6006
_SECONDS_BETWEEN = 3.0
"""From one search for new logs to the next."""


def parser() -> Parser:
    """Return the arguments of the verb."""
    parser = Parser(
        "tensorboard",
        "Start TensorBoard on what the nodes of a run logged, also while they train. Its runs are\n"
        "named by run and node. Ctrl-C ends it. Nothing is downloaded, and no account is needed.",
        [
            "penstock tensorboard latest",
            "penstock tensorboard --all --port 6007",
        ],
    )
    parser.add_argument(
        "run", metavar="RUN", nargs="?", help="a run's id, the start of one, or `latest`"
    )
    parser.add_argument("--all", action="store_true", help="all runs of the store")
    parser.add_argument(
        "--port",
        metavar="N",
        type=_port,
        help=f"port to listen on; 0 for any that is free (default: {_DEFAULT_PORT}, or one after it)",
    )
    parser.add_argument(
        "--bind",
        metavar="ADDRESS",
        default="localhost",
        help="address to listen on (default: localhost; 0.0.0.0 lets other machines in)",
    )
    add_store_option(parser)
    return parser


def _port(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"takes a port, 0 to 65535. Received: {text!r}")
    return int(text)


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C."""
    from penstock.cli.run_report import find_run

    if (arguments.run is None) != arguments.all:
        given = "both" if arguments.all else "neither"
        raise UsageError(f"penstock tensorboard: takes a RUN or --all. Received: {given}")
    with (
        open_store(arguments.store) as store,
        tempfile.TemporaryDirectory(prefix="penstock-tensorboard-") as folder,
        _ending_on_sigterm(),
    ):

        def runs() -> list[RunRecord]:
            if arguments.all:
                return store.list_runs(limit=10_000)[::-1]
            return [find_run(store, chosen)]

        chosen = "" if arguments.all else find_run(store, arguments.run).run_id
        _link(store, runs(), Path(folder))
        address = _launch(folder, arguments.bind, arguments.port)
        print(f"TensorBoard at {address} (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(_SECONDS_BETWEEN)
                _link(store, runs(), Path(folder), needed=False)
    return exit_codes.OK


def _link(store: MetadataStore, runs: list[RunRecord], root: Path, *, needed: bool = True) -> None:
    """Link the logs of runs below a folder.

    Raises:
        NotFound: If there are none, they are needed, and no run goes on that may still write some.
    """
    from penstock.artifacts import location
    from penstock.cli.training_logs import link_logs, training_logs

    logs = training_logs(store, runs)
    local = {name: location.local_path(uri) for name, uri in logs.items() if location.is_local(uri)}
    if link_logs(root, local) or not needed:
        return
    elsewhere = [uri for uri in logs.values() if not location.is_local(uri)]
    if elsewhere:
        raise NotFound(
            f"the logs are not on this machine: tensorboard --logdir {os.path.dirname(elsewhere[0])}"
        )
    if any(run.state == "RUNNING" and store.is_held(run.run_id) for run in runs):
        return
    which = f"run {runs[0].run_id}" if len(runs) == 1 else "the runs of this store"
    raise NotFound(
        f"no node of {which} logged anything for TensorBoard. Give penstock.training.TensorBoardLog("
        "fn_args.model_run_dir) to Keras's fit, or train with penstock.training.fit."
    )


def _launch(folder: str, bind: str, port: int | None) -> str:
    """Start TensorBoard in a thread and return its address.

    Raises:
        CommandError: If it is not installed, or cannot listen there.
    """
    # TensorBoard looks for this module: it then reads files with its own code, and does not import
    # TensorFlow, which takes seconds.
    sys.modules.setdefault("tensorboard.compat.notf", types.ModuleType("tensorboard.compat.notf"))
    try:
        from tensorboard import default, program
        from tensorboard.util import tb_logging
    except ImportError as error:
        from penstock.installation import install_command

        raise CommandError(
            f"TensorBoard is not installed ({error}): {install_command('run')}, or pip install "
            "tensorboard",
            exit_codes.ENVIRONMENT,
        ) from None
    tb_logging.get_logger().setLevel("ERROR")
    made: Any = program.TensorBoard(plugins=default.get_plugins())
    options = {"logdir": folder, "host": bind, "load_fast": "false", "reload_interval": "3"}
    if port is not None:
        options["port"] = str(port)
    made.configure(argv=[None, *(f"--{name}={value}" for name, value in options.items())])
    try:
        return str(made.launch())
    except program.TensorBoardServerException as error:
        raise CommandError(
            f"TensorBoard cannot listen at {bind}, port {port or _DEFAULT_PORT}: {error.msg}",
            exit_codes.ENVIRONMENT,
        ) from None


@contextlib.contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """End as by Ctrl-C on SIGTERM, so that the folder of links goes."""
    handler: Callable[..., Any] = signal.default_int_handler
    before = signal.signal(signal.SIGTERM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
