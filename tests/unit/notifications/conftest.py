"""A server on this machine that takes mail."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator

import pytest


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks enough of SMTP to take a mail; refuses recipients in `refused`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailHandler)
        self.mails: list[str] = []
        self.recipients: list[str] = []
        self.logins: list[str] = []
        self.refused: set[str] = set()
        self.port = self.server_address[1]


class _MailHandler(socketserver.StreamRequestHandler):
    def say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        self.say("220 test")
        while line := self.rfile.readline().decode().strip():
            verb = line[:4].upper()
            if verb == "EHLO":
                self.say("250-test")
                self.say("250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.logins.append(line.split()[-1])
                self.say("235 welcome")
            elif verb == "RCPT":
                if any(each in line for each in self.server.refused):
                    self.say("550 nobody of that name")
                else:
                    self.server.recipients.append(line[8:].strip("<>"))
                    self.say("250 ok")
            elif verb == "DATA":
                self.say("354 go on")
                lines = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.server.mails.append("\n".join(lines))
                self.say("250 taken")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say("250 ok")


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """The server."""
    server = MailServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
