"""Emulators of S3 and of Google Cloud Storage, each in a process of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest


@dataclasses.dataclass(frozen=True)
class Emulator:
    """An emulator that runs.

    Attributes:
        url: The URL of its bucket.
        python: A Python that has the store's fsspec package.
        environment: The variables by which clients find it.
    """

    url: str
    python: str
    environment: Mapping[str, str]


@contextlib.contextmanager
def emulator(
    scheme: str, bucket: str, python_with: Callable[..., str], log: Path
) -> Iterator[Emulator]:
    """Run the emulator of "s3" or "gs" with a bucket.

    Args:
        scheme: "s3" or "gs".
        bucket: The bucket to make.
        python_with: The fixture.
        log: Where the server's output goes.
    """
    start = {"s3": _s3, "gs": _google}[scheme]
    with start(bucket, python_with, log) as running:
        yield running


@contextlib.contextmanager
def _s3(bucket: str, python_with: Callable[..., str], log: Path) -> Iterator[Emulator]:
    python = python_with("s3", "protobuf<8", "moto[server]>=5", "s3fs")
    url = f"http://127.0.0.1:{(port := _free_port())}"
    environment = {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with _running([python, "-m", "moto.server", "-p", str(port)], f"{url}/moto-api/", log):
        make = f"import s3fs; s3fs.S3FileSystem().mkdir({bucket!r})"
        subprocess.run([python, "-c", make], check=True, env={**os.environ, **environment})
        yield Emulator(f"s3://{bucket}", python, environment)


@contextlib.contextmanager
def _google(bucket: str, python_with: Callable[..., str], log: Path) -> Iterator[Emulator]:
    python = python_with("gcs", "protobuf<8", "gcp-storage-emulator", "gcsfs")
    url = f"http://127.0.0.1:{(port := _free_port())}"
    command = [
        str(Path(python).parent / "gcp-storage-emulator"), "start", "--host=127.0.0.1",
        f"--port={port}", "--in-memory", f"--default-bucket={bucket}",
    ]  # fmt: skip
    with _running(command, url, log):
        yield Emulator(f"gs://{bucket}", python, {"STORAGE_EMULATOR_HOST": url})


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def _running(command: list[str], url: str, log: Path) -> Iterator[None]:
    """Run a server until it answers, and end it."""
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(url, timeout=1).close()
            except urllib.error.HTTPError:
                break  # it answers
            except OSError:
                assert server.poll() is None, log.read_text()[-2000:]
                with contextlib.suppress(subprocess.TimeoutExpired):
                    server.wait(0.5)
            else:
                break
        else:
            pytest.fail(log.read_text()[-2000:])
        yield
    finally:
        server.kill()
        server.wait(30)
