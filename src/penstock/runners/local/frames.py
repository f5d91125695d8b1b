"""JSON messages over a stream socket, each with its length before it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

Message = Mapping[str, Any]
_LENGTH = struct.Struct("!Q")
_BLOCK = 1 << 18


class FrameSocket:
    """One end of a conversation.

    `receive` waits; `read_available`, `queue` and `flush` do not, for a socket that does not block.

    Args:
        connection: A connected stream socket.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._incoming = bytearray()
        self._outgoing = bytearray()

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the socket; idempotent."""
        self._connection.close()

    def send(self, message: Message) -> None:
        """Send a message and wait until it is on its way.

        Raises:
            OSError: If the other end is gone.
        """
        self._connection.sendall(_frame(message))

    def receive(self) -> dict[str, Any] | None:
        """Wait for a message and return it; None if the other end is gone."""
        while True:
            message = self._take()
            if message is not None:
                return message
            data = self._connection.recv(_BLOCK)
            if not data:
                return None
            self._incoming += data

    def read_available(self) -> tuple[list[dict[str, Any]], bool]:
        """Return (the messages that have come, whether the other end is still there)."""
        alive = True
        while True:
            try:
                data = self._connection.recv(_BLOCK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                alive = False
                break
            self._incoming += data
        messages = []
        while (message := self._take()) is not None:
            messages.append(message)
        return messages, alive

    def queue(self, message: Message) -> bool:
        """Send a message as far as that goes without waiting; return whether all of it went."""
        self._outgoing += _frame(message)
        return self.flush()

    def flush(self) -> bool:
        """Send more of what is queued; return whether nothing is left."""
        while self._outgoing:
            try:
                sent = self._connection.send(self._outgoing)
            except BlockingIOError:
                return False
            except OSError:
                self._outgoing.clear()
                return True
            del self._outgoing[:sent]
        return True

    def _take(self) -> dict[str, Any] | None:
        if len(self._incoming) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._incoming)
        end = _LENGTH.size + length
        if len(self._incoming) < end:
            return None
        message: dict[str, Any] = json.loads(self._incoming[_LENGTH.size : end])
        del self._incoming[:end]
        return message


def _frame(message: Message) -> bytes:
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body
