"""Addresses of processes: whether one is free, and waiting until somebody listens at one."""

from __future__ import annotations

import socket
import time

_PAUSE = 0.1
_IN_USE = (
    "address already in use",
    "address in use",
    "could not start grpc server",
    "failed to start rpc server",
)


class Unreachable(ConnectionError):
    """Nobody listened at an address for as long as was waited."""


def check_free(address: str) -> None:
    """Raise an `OSError` that names an address if another program listens there.

    Libraries say so less clearly: JAX's coordination service has crashed the process.
    """
    host, port = _split(address)
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as server:
        # Connections that have ended do not count.
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind((host, port))
        except OSError as error:
            raise OSError(error.errno, f"{address}: {error.strerror}") from None


def wait_for(address: str, seconds: float, *, who: str, whom: str) -> None:
    """Wait until somebody listens at an address.

    Args:
        address: `host:port`.
        seconds: How long at most.
        who: Who waits, for the message: "worker 1".
        whom: For whom: "the chief".

    Raises:
        Unreachable: It names the address, how long it waited, and what the system said last.
    """
    host, port = _split(address)
    deadline = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection((host, port), timeout=max(0.1, seconds)):
                return
        except OSError as error:
            if time.monotonic() >= deadline:
                reason = (error.strerror or str(error)).lower()
                raise Unreachable(
                    f"{who} could not reach {whom} at {address} within {seconds:g} s ({reason}). "
                    "Its process may not have started, or a firewall or another network stands between "
                    "them."
                ) from None
        time.sleep(_PAUSE)


def is_in_use(text: str) -> bool:
    """Return whether an error of TensorFlow's, JAX's or the system's is about an address that is taken."""
    lowered = text.lower()
    return any(each in lowered for each in _IN_USE)


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
