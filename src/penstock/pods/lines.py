"""Connections between pods: both ends prove that they know the key before anything is unpickled."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

_HANDSHAKE_SECONDS = 20
_IDLE_SECONDS, _PROBE_SECONDS, _PROBES = 20, 5, 5
"""A machine that is gone says nothing: after 45 s a line to it counts as cut."""


class Line:
    """One end of a connection, which sends and receives pickled objects.

    Args:
        end: A connected socket; it belongs to the line.
        key: What the other end must know, too.
        first: Whether this end asks first.

    Raises:
        OSError: If the other end is silent or hangs up.
        multiprocessing.AuthenticationError: If it does not know the key.
    """

    def __init__(self, end: socket.socket, key: bytes, *, first: bool) -> None:
        self._socket = end
        try:
            _keep_alive(end)
            _limit(end, _HANDSHAKE_SECONDS)
            # It has a descriptor of its own, so that the bytes that follow can be had as well.
            self.connection: Connection[Any, Any] = Connection(os.dup(end.fileno()))
            challenges = (deliver_challenge, answer_challenge)
            for challenge in challenges if first else reversed(challenges):
                challenge(self.connection, key)
            _limit(end, 0)
        except BaseException:
            end.close()
            raise

    @property
    def socket(self) -> socket.socket:
        """The socket below, for whoever copies bytes."""
        return self._socket

    @property
    def host(self) -> str:
        """Address of this machine as the other end sees it, when nobody translates it between them."""
        host: str = self._socket.getsockname()[0]
        return host

    def cut(self) -> None:
        """Hang up, from any thread; whoever waits for the other end, here or there, is told."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Hang up and free what it holds; no other thread may be reading."""
        self.cut()
        self._socket.close()
        with contextlib.suppress(OSError):
            self.connection.close()


def call(address: str, key: bytes, seconds: float) -> Line:
    """Return a line to whoever listens at `host:port`.

    Raises:
        OSError: If nobody answers within `seconds`.
        multiprocessing.AuthenticationError: If whoever answers does not know the key.
    """
    host, _, port = address.rpartition(":")
    end = socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
    end.settimeout(None)
    return Line(end, key, first=False)


def listen(host: str) -> socket.socket:
    """Return a socket that listens at a free port of an address of this machine."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, 0), family=family, backlog=256)


def _keep_alive(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _IDLE_SECONDS),
        ("TCP_KEEPINTVL", _PROBE_SECONDS),
        ("TCP_KEEPCNT", _PROBES),
        ("TCP_USER_TIMEOUT", 1000 * (_IDLE_SECONDS + _PROBE_SECONDS * _PROBES)),
    ):
        if number := getattr(socket, option, None):
            end.setsockopt(socket.IPPROTO_TCP, number, value)


def _limit(end: socket.socket, seconds: int) -> None:
    """Bound each read and write; a `Connection` knows no timeout of its own."""
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        end.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", seconds, 0))
