"""Pushes to S3: s3fs against moto's server, in processes of a virtual environment that has both."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).resolve().parents[3]

_PUSH = """
import json, subprocess, sys, threading
import s3fs
from penstock.pushing.object_store import remove_version
from penstock.pushing import (
    apply_retention, fetch_version, hold_version, is_held, list_versions, push_model, read_aliases,
    set_alias, verify_manifest,
)

model, cache = sys.argv[1:]
s3fs.S3FileSystem().mkdir("models")
taxi = "s3://models/taxi"
found = []
pushes = [
    threading.Thread(
        target=lambda: found.append(push_model(model, taxi, versioning="next").version)
    )
    for _ in range(4)
]
for push in pushes:
    push.start()
for push in pushes:
    push.join()
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
print(json.dumps({
    "pushed": sorted(found),
    "held": held,
    "removed": kept.removed,
    "left": list_versions(taxi),
    "aliases": read_aliases(taxi),
    "files": sorted(verify_manifest(fetch_version(taxi, cache=cache)).files),
    "objects": sorted(name.split("/")[2] for name in s3fs.S3FileSystem().find("models/taxi")),
}))
"""


@pytest.fixture(scope="module")
def s3_python() -> str:
    """Python of a virtual environment with s3fs and moto, made once a machine."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "penstock-test"
    home = cache / f"s3-{sys.version_info[0]}.{sys.version_info[1]}"
    python = home / "bin" / "python"
    ready = home / "ready"
    if not ready.exists():
        home.parent.mkdir(parents=True, exist_ok=True)
        venv.create(home, with_pip=True, clear=True)
        command = [python, "-m", "pip", "install", "-q", "moto[server]>=5", "s3fs", "protobuf<8"]
        installed = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if installed.returncode:
            pytest.skip(f"moto and s3fs do not install here: {installed.stderr.strip()[-300:]}")
        ready.touch()
    return str(python)


@pytest.fixture
def s3(s3_python, tmp_path) -> Iterator[dict[str, str]]:
    """The environment in which s3:// is a server of this test."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = tmp_path / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [s3_python, "-m", "moto.server", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=1).close()
                break
            except OSError:
                assert server.poll() is None, log.read_text()[-2000:]
                try:
                    server.wait(0.5)
                except subprocess.TimeoutExpired:
                    continue
        else:
            pytest.fail(log.read_text()[-2000:])
        yield {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "src"),
            "FSSPEC_S3_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
    finally:
        server.terminate()
        server.wait(30)


def test_s3_is_an_object_store_like_any_other(model, s3, s3_python, tmp_path):
    done = subprocess.run(
        [s3_python, "-c", _PUSH, model, str(tmp_path / "cache")],
        capture_output=True,
        text=True,
        timeout=300,
        env=s3,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    versions = found["pushed"]
    assert len(set(versions)) == 4
    assert found["held"] is True
    assert found["aliases"] == {"champion": 1}
    assert found["removed"] == versions[2:3]
    assert found["left"] == [*versions[:2], versions[3]]
    assert "variables/variables.index" in found["files"]
    assert set(found["objects"]) == {*map(str, found["left"]), "penstock_aliases.json"}
