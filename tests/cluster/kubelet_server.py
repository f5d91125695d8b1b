"""The part of a kubelet's HTTPS server that the API server reads logs from."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

from certificates import Certificates

PORT = 10250
_LOOK_SECONDS = 0.2


@contextlib.contextmanager
def log_server(
    address: str,
    files: Certificates,
    find: Callable[[str, str, str, bool], tuple[Path, Callable[[], bool]]],
) -> Iterator[None]:
    """Serve `/containerLogs/NAMESPACE/POD/CONTAINER`.

    Args:
        address: Where to listen.
        files: The certificate.
        find: (namespace, pod, container, previous) to (file, whether it may still grow). LookupError: 404.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            given = {key: each[0] for key, each in urllib.parse.parse_qs(url.query).items()}
            parts = url.path.strip("/").split("/")
            try:
                if parts[0] != "containerLogs" or len(parts) != 4:
                    raise LookupError(url.path)
                path, grows = find(*parts[1:], given.get("previous") == "true")
            except LookupError as error:
                self.send_error(404, str(error))
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                self._send(path, given, grows)

        def _send(self, path: Path, given: dict[str, str], grows: Callable[[], bool]) -> None:
            with open(path, "rb") as text:
                if "tailLines" in given:
                    lines = text.readlines()
                    self._chunk(b"".join(lines[max(0, len(lines) - int(given["tailLines"])) :]))
                while True:
                    last = given.get("follow") != "true" or not grows()
                    while block := text.read(1 << 16):
                        self._chunk(block)
                    if last:
                        break
                    time.sleep(_LOOK_SECONDS)
            self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, block: bytes) -> None:
            if block:
                self.wfile.write(f"{len(block):x}\r\n".encode() + block + b"\r\n")

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = http.server.ThreadingHTTPServer((address, PORT), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
