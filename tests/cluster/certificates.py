"""Certificates of a cluster that lives as long as a test session."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

_EXTENSIONS = """
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {names}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Certificates:
    """Files in PEM.

    Attributes:
        authority: Certificate of the authority that signed the others.
        certificate: The servers' certificate.
        key: Its key.
        accounts: The key that tokens of service accounts are signed with.
    """

    authority: Path
    certificate: Path
    key: Path
    accounts: Path


def make_certificates(folder: Path, address: str) -> Certificates:
    """Make an authority and a certificate for servers at `address`.

    Raises:
        subprocess.CalledProcessError: If openssl fails.
    """
    folder.mkdir()
    names = [
        f"IP:{address}",
        "DNS:kubernetes",
        "DNS:kubernetes.default",
        "DNS:kubernetes.default.svc",
        "DNS:kubernetes.default.svc.cluster.local",
    ]
    settings = folder / "openssl.cnf"
    settings.write_text(_EXTENSIONS.format(names=", ".join(names)), encoding="utf-8")

    def make(name: str, extensions: str, *more: str) -> None:
        # fmt: off
        subprocess.run(
            [
                "openssl", "req", "-x509", "-nodes", "-days", "30", "-subj", f"/CN=penstock-{name}",
                "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-config", str(settings), "-extensions", extensions,
                "-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"), *more,
            ],
            check=True,
            capture_output=True,
        )
        # fmt: on

    make("authority", "authority")
    authority = folder / "authority.crt"
    make("server", "server", "-CA", str(authority), "-CAkey", str(folder / "authority.key"))
    make("accounts", "authority")
    return Certificates(
        authority, folder / "server.crt", folder / "server.key", folder / "accounts.key"
    )
