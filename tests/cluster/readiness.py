"""Readiness probes, as a kubelet makes them."""

from __future__ import annotations

import contextlib
import http.client
import socket
from typing import Any

from pod_settings import Unsupported


def answers(probe: Any, address: str, spec: Any) -> bool:
    """Return whether a readiness probe succeeds.

    Args:
        probe: The probe.
        address: The pod's address.
        spec: The container, whose ports may have names.

    Raises:
        Unsupported: If it is neither an HTTP request nor a connection.
    """
    told = probe.http_get or probe.tcp_socket
    if told is None:
        raise Unsupported("probes other than httpGet and tcpSocket")
    named = {each.name: each.container_port for each in spec.ports or ()}
    port = int(named.get(told.port, told.port))
    seconds = probe.timeout_seconds or 1
    with contextlib.suppress(OSError, http.client.HTTPException):
        if probe.tcp_socket:
            socket.create_connection((address, port), timeout=seconds).close()
            return True
        connection = http.client.HTTPConnection(address, port, timeout=seconds)
        with contextlib.closing(connection):
            connection.request("GET", told.path or "/")
            return 200 <= connection.getresponse().status < 400
    return False
