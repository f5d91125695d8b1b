"""Pushes to S3 and Google Cloud Storage: their fsspec packages against emulators.

They run in processes of virtual environments that have both, made once a machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]

_PUSH = """
import json, subprocess, sys, threading
import fsspec
from penstock.pushing import (
    apply_retention, fetch_version, hold_version, is_held, list_versions, push_model, read_aliases,
    set_alias, verify_manifest,
)
from penstock.pushing.object_store import remove_version

model, cache, taxi, at_once = sys.argv[1:]
found = []

def push(times):
    for _ in range(times):
        found.append(push_model(model, taxi, versioning="next").version)

pushes = [threading.Thread(target=push, args=(4 // int(at_once),)) for _ in range(int(at_once))]
for each in pushes:
    each.start()
for each in pushes:
    each.join()
# Another process pushes: what this one remembers of listings is no longer true.
code = "import sys; from penstock.pushing import push_model; push_model(*sys.argv[1:], versioning='next')"
before = list_versions(taxi)
subprocess.run([sys.executable, "-c", code, model, taxi], check=True)
assert len(list_versions(taxi)) == len(before) + 1
remove_version(f"{taxi}/{list_versions(taxi)[-1]}")
set_alias(taxi, "champion", 1)
with hold_version(taxi, 2):
    held = is_held(taxi, 2)
    kept = apply_retention(taxi, 1)
system, path = fsspec.core.url_to_fs(taxi)
print(json.dumps({
    "pushed": sorted(found),
    "held": held,
    "removed": kept.removed,
    "left": list_versions(taxi),
    "aliases": read_aliases(taxi),
    "files": sorted(verify_manifest(fetch_version(taxi, cache=cache)).files),
    "objects": sorted({name.split("/")[2] for name in system.find(path)}),
}))
"""


def _python(name: str, packages: list[str]) -> str:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
    home = cache / f"{name}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "-q", "protobuf<8", *packages]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if installed.returncode:
            pytest.skip(f"{packages} do not install here: {installed.stderr.strip()[-300:]}")
        ready.touch()
    return str(python)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


@contextlib.contextmanager
def _running(command: list[str], url: str, log: Path) -> Iterator[None]:
    """Run an emulator until it answers, and end it."""
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


def _push_there(python: str, model: str, url: str, at_once: int, folder: Path, **settings: str):
    done = subprocess.run(
        [python, "-c", _PUSH, model, str(folder / "cache"), url, str(at_once)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), **settings},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    versions = found["pushed"]
    assert len(set(versions)) == 4
    assert found["held"] is True
    assert found["aliases"] == {"champion": 1}
    assert found["removed"] == versions[2:3]
    assert found["left"] == [*versions[:2], versions[3]]
    assert "variables/variables.index" in found["files"]
    assert set(found["objects"]) == {*map(str, found["left"]), "penstock_aliases.json"}


def test_s3(model, tmp_path):
    python = _python("s3", ["moto[server]>=5", "s3fs"])
    url = f"http://127.0.0.1:{(port := _free_port())}"
    settings = {
        "FSSPEC_S3_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [python, "-m", "moto.server", "-p", str(port)]
    with _running(command, f"{url}/moto-api/", tmp_path / "server.log"):
        make = "import s3fs; s3fs.S3FileSystem().mkdir('models')"
        subprocess.run([python, "-c", make], check=True, env={**os.environ, **settings})
        _push_there(python, model, "s3://models/taxi", 4, tmp_path, **settings)


def test_google_cloud_storage(model, tmp_path):
    python = _python("gcs", ["gcp-storage-emulator", "gcsfs"])
    port = _free_port()
    command = [
        str(Path(python).parent / "gcp-storage-emulator"), "start", "--host=127.0.0.1",
        f"--port={port}", "--in-memory", "--default-bucket=models",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with _running(command, url, tmp_path / "server.log"):
        # One after the other: the emulator takes no notice of conditional writes.
        _push_there(python, model, "gs://models/taxi", 1, tmp_path, STORAGE_EMULATOR_HOST=url)
