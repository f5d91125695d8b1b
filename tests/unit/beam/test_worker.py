"""Workers outside of containers: what they fetch, and what they are told."""

from __future__ import annotations

import functools
import hashlib
import os
import subprocess
import sys
from concurrent import futures

import grpc
import pytest
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_artifact_api_pb2_grpc, beam_runner_api_pb2
from apache_beam.runners.portability import artifact_service

from penstock.beam import worker
from penstock.beam.worker_pool import worker_executable


@pytest.fixture
def artifact_endpoint():
    """Beam's own artifact service on loopback."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    service = artifact_service.ArtifactRetrievalService(functools.partial(open, mode="rb"))
    beam_artifact_api_pb2_grpc.add_ArtifactRetrievalServiceServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


def artifact(path, staged_name: str, sha256: str) -> beam_runner_api_pb2.ArtifactInformation:
    return beam_runner_api_pb2.ArtifactInformation(
        type_urn=common_urns.artifact_types.FILE.urn,
        type_payload=beam_runner_api_pb2.ArtifactFilePayload(
            path=str(path), sha256=sha256
        ).SerializeToString(),
        role_urn=common_urns.artifact_roles.STAGING_TO.urn,
        role_payload=beam_runner_api_pb2.ArtifactStagingToRolePayload(
            staged_name=staged_name
        ).SerializeToString(),
    )


def test_it_fetches_what_was_staged(artifact_endpoint, tmp_path):
    content = os.urandom(5 << 20)
    (tmp_path / "original").write_bytes(content)
    (tmp_path / "staged").mkdir()
    sha256 = hashlib.sha256(content).hexdigest()
    # A staged name is a name: it leads nowhere else.
    found = artifact(tmp_path / "original", "../code.tar.gz", sha256)
    worker._fetch(artifact_endpoint, "w1", [found], str(tmp_path / "staged"))
    assert (tmp_path / "staged" / "code.tar.gz").read_bytes() == content


def test_a_damaged_file_is_an_error(artifact_endpoint, tmp_path):
    (tmp_path / "original").write_bytes(b"changed")
    expected = hashlib.sha256(b"original").hexdigest()
    found = artifact(tmp_path / "original", "code.tar.gz", expected)
    with pytest.raises(RuntimeError, match=rf"code\.tar\.gz arrived damaged.*expected {expected}"):
        worker._fetch(artifact_endpoint, "w1", [found], str(tmp_path))


def test_what_would_need_pip_is_mentioned(artifact_endpoint, tmp_path, caplog):
    (tmp_path / "original").write_bytes(b"numpy\n")
    found = artifact(tmp_path / "original", "requirements.txt", "")
    worker._fetch(artifact_endpoint, "w1", [found], str(tmp_path))
    assert "requirements.txt is not installed: this worker installs nothing" in caplog.text


def test_the_executable_starts_a_worker_of_this_environment(tmp_path):
    done = subprocess.run(
        [worker_executable(str(tmp_path)), "--help"], capture_output=True, text=True, check=True
    )
    assert "--provision_endpoint" in done.stdout
    assert sys.executable in (tmp_path / "penstock-beam-worker").read_text()
