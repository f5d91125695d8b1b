"""Who may ask a server: on this machine everyone, from elsewhere those who know a token, over TLS."""

from __future__ import annotations

import hmac
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass

_SHORTEST_TOKEN = 16


@dataclass(frozen=True)
class Access:
    """Who may ask a server.

    Args:
        tokens: The tokens of which a request must have one, as `Authorization: Bearer TOKEN`; several,
            so that a new one can come before the old one goes. Without any, everyone may ask.
        certificate: The path of a certificate chain as PEM; with it the server speaks TLS.
        key: The path of the certificate's private key.
        insecure: Whether it may be reached from elsewhere without token or TLS.

    Raises:
        ValueError: If a token is short, or a certificate comes without its key.

    Example:
        >>> Access(read_tokens("tokens.txt"), "server.crt", "server.key").check_host("0.0.0.0")
    """

    tokens: tuple[str, ...] = ()
    certificate: str | None = None
    key: str | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        for token in self.tokens:
            if len(token) < _SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
                raise ValueError(
                    f"A token has at least {_SHORTEST_TOKEN} printable ASCII characters. Received one of "
                    f"{len(token)}. `openssl rand -hex 32` makes one."
                )
        if (self.certificate is None) != (self.key is None):
            absent = "key" if self.key is None else "certificate"
            raise ValueError(f"TLS needs a certificate and its key. The {absent} is not given.")

    def check_host(self, host: str) -> None:
        """Refuse an address that others can reach, unless they are kept out.

        Raises:
            ValueError: If a token or TLS is missing; the message says what to do.
        """
        if is_loopback(host) or self.insecure:
            return
        missing = [
            each
            for each, there in (
                ("a token (--token-file FILE)", bool(self.tokens)),
                ("TLS (--tls-cert FILE --tls-key FILE)", self.certificate is not None),
            )
            if not there
        ]
        if missing:
            raise ValueError(
                f"Other machines can reach a server at {host or '0.0.0.0'}, so it needs "
                f"{' and '.join(missing)}. If something in front of it does that, or nobody else is in its "
                "network, say so with --insecure. On this machine alone, use --host 127.0.0.1."
            )

    def admits(self, authorization: str | bytes | None) -> bool:
        """Return whether a request with this `Authorization` may be answered; in the same time for all."""
        if not self.tokens:
            return True
        given = authorization or b""
        given = given.encode("utf-8", "replace") if isinstance(given, str) else given
        scheme, _, token = given.partition(b" ")
        token = token.strip()
        found = False
        for known in self.tokens:
            found |= hmac.compare_digest(known.encode(), token)
        return found and scheme.lower() == b"bearer"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return how to speak TLS; None without a certificate.

        Raises:
            OSError: If a file cannot be read.
            ValueError: If certificate and key do not go together.
        """
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_cert_chain(self.certificate, self.key, _no_password)
        except ssl.SSLError as error:
            raise ValueError(
                f"{self.certificate} and {self.key} are no certificate with its key: "
                f"{error.reason or error}"
            ) from error
        context.set_alpn_protocols(["http/1.1"])
        return context


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address to listen on.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("")
        (True, True, False, False)
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_tokens(path: str) -> tuple[str, ...]:
    """Read tokens from a file: one a line; empty lines and those that start with `#` do not count.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it has none.
    """
    with open(path, encoding="utf-8") as file:
        tokens = tuple(_meant(file))
    if not tokens:
        raise ValueError(
            f"{path} has no token. Write one a line; `openssl rand -hex 32` makes one."
        )
    return tokens


def _meant(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        if (token := line.strip()) and not token.startswith("#"):
            yield token


def _no_password() -> str:
    raise ValueError(
        "The private key has a password, which a server cannot be asked for. Write it without: "
        "`openssl pkey -in KEY -out KEY.plain`."
    )
