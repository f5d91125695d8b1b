"""A pool of Beam workers outside of containers, for `--environment_type=EXTERNAL`.

    python -m penstock.beam.worker_pool --service_port=50000

Each worker is a process of this Python environment that fetched the job's staged files, the archive
of the user's code among them. Run one pool on every machine of a Flink or Spark cluster.
"""

from __future__ import annotations

import argparse
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM or Ctrl-C; its workers end with it.

    Raises:
        SystemExit: if an argument is missing, or the port is taken.
    """
    parser = argparse.ArgumentParser(prog="python -m penstock.beam.worker_pool")
    parser.add_argument("--service_port", type=int, required=True, help="Port; 0 for a free one.")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer

    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    with tempfile.TemporaryDirectory(prefix="penstock-pool-") as folder:
        try:
            address, server = BeamFnExternalWorkerPoolServicer.start(
                use_process=True,
                port=arguments.service_port,
                container_executable=worker_executable(folder),
            )
        except RuntimeError as error:
            parser.error(f"cannot serve on port {arguments.service_port}: {error}")
        print(f"Serving workers at {address}", flush=True)
        stopped.wait()
        server.stop(grace=None)


def worker_executable(folder: str) -> str:
    """Write an executable file that starts `penstock.beam.worker`, and return its path.

    Beam's `worker_pool_main --container_executable` takes one path and no arguments.

    Args:
        folder: where to write it; must exist.
    """
    path = os.path.join(folder, "penstock-beam-worker")
    python = shlex.quote(sys.executable)
    with open(path, "w", encoding="utf-8") as file:
        # -P: the pool's folder is no place to import from.
        file.write(f'#!/bin/sh\nexec {python} -P -m penstock.beam.worker "$@"\n')
    os.chmod(path, 0o755)
    return path


if __name__ == "__main__":
    main()
