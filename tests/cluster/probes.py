"""Probes of containers, as a kubelet makes them."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from typing import Any

from pod_settings import Unsupported


class Probes:
    """The probes of one start of a container.

    Args:
        spec: The container.
        address: The pod's address.

    Raises:
        Unsupported: If a probe is neither an HTTP request nor a connection.

    Attributes:
        ready: Whether it is ready.
        lost: Whether it must be started again.
        due: When something is to be probed, in seconds of `time.monotonic`; None if nothing is.
    """

    def __init__(self, spec: Any, address: str) -> None:
        self._spec, self._address = spec, address
        given = {
            "startup": spec.startup_probe,
            "liveness": spec.liveness_probe,
            "readiness": spec.readiness_probe,
        }
        self._probes = {kind: each for kind, each in given.items() if each}
        for each in self._probes.values():
            if not (each.http_get or each.tcp_socket):
                raise Unsupported("probes other than httpGet and tcpSocket")
        now = time.monotonic()
        self._next = {
            kind: now + (each.initial_delay_seconds or 0) for kind, each in self._probes.items()
        }
        self._failures = dict.fromkeys(self._probes, 0)
        self.ready = not ("startup" in self._probes or "readiness" in self._probes)
        self.lost = False

    @property
    def due(self) -> float | None:
        return min((self._next[each] for each in self._waiting()), default=None)

    def look(self) -> None:
        """Make the probes whose time has come."""
        for kind in self._waiting():
            if time.monotonic() < self._next[kind]:
                continue
            probe = self._probes[kind]
            well = answers(probe, self._address, self._spec)
            self._next[kind] = time.monotonic() + (probe.period_seconds or 10)
            self._failures[kind] = 0 if well else self._failures[kind] + 1
            many = self._failures[kind] >= (probe.failure_threshold or 3)
            if kind == "startup" and well:
                del self._probes["startup"]
                self.ready = "readiness" not in self._probes
            elif kind == "readiness":
                self.ready = well or (self.ready and not many)
            elif many:
                self.lost = True

    def _waiting(self) -> list[str]:
        return ["startup"] if "startup" in self._probes else list(self._probes)


def answers(probe: Any, address: str, spec: Any) -> bool:
    """Return whether a probe succeeds.

    Args:
        probe: The probe.
        address: The pod's address.
        spec: The container, whose ports may have names.
    """
    told = probe.http_get or probe.tcp_socket
    named = {each.name: each.container_port for each in spec.ports or ()}
    port = int(named.get(told.port, told.port))
    seconds = probe.timeout_seconds or 1
    with contextlib.suppress(OSError, http.client.HTTPException):
        if probe.tcp_socket:
            socket.create_connection((address, port), timeout=seconds).close()
            return True
        if told.scheme == "HTTPS":
            context = ssl._create_unverified_context()  # a kubelet does not verify, either
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                address, port, timeout=seconds, context=context
            )
        else:
            connection = http.client.HTTPConnection(address, port, timeout=seconds)
        headers = {each.name: each.value for each in told.http_headers or ()}
        with contextlib.closing(connection):
            connection.request("GET", told.path or "/", headers=headers)
            return 200 <= connection.getresponse().status < 400
    return False
