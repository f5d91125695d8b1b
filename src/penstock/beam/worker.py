"""A Beam worker without a container: fetches the job's staged files, then runs Beam's SDK harness.

    python -m penstock.beam.worker --id=1 --provision_endpoint=HOST:PORT ...

It keeps the contract of Beam's container entry point, so `worker_pool_main --container_executable`
starts it; see `penstock.beam.worker_pool`. Source of the contract: Apache Beam's
`sdks/python/container/boot.go` and `beam_provision_api.proto`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

_LOG = logging.getLogger(__name__)

_NOT_INSTALLED = ("requirements.txt", "extra_packages.txt", "workflow.tar.gz")


def main(argv: Sequence[str] | None = None) -> None:
    """Run one worker until its job ends.

    Raises:
        SystemExit: if an argument is missing.
        RuntimeError: if a staged file arrives damaged.
    """
    parser = argparse.ArgumentParser(prog="python -m penstock.beam.worker", description=__doc__)
    parser.add_argument("--id", required=True, help="The worker's id.")
    parser.add_argument("--provision_endpoint", required=True, help="Where to ask for the job.")
    for name in ("logging", "artifact", "control"):
        parser.add_argument(f"--{name}_endpoint", help="Overridden by what provisioning says.")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO)
    with tempfile.TemporaryDirectory(prefix="penstock-worker-") as folder:
        info = _provision_info(arguments.provision_endpoint, arguments.id)
        artifacts = info.artifact_endpoint.url or arguments.artifact_endpoint
        staged = os.path.join(folder, "staged")
        os.makedirs(staged)
        if info.dependencies:
            _fetch(artifacts, arguments.id, info.dependencies, staged)
        os.environ.update(_environment(arguments, info, folder))
        os.makedirs(os.path.join(folder, "empty"))
        os.chdir(os.path.join(folder, "empty"))
        from apache_beam.runners.worker import sdk_worker_main

        sdk_worker_main.main([])


def _environment(arguments: argparse.Namespace, info: Any, folder: str) -> dict[str, str]:
    from apache_beam.portability.api import endpoints_pb2
    from google.protobuf import json_format, text_format

    def descriptor(provided: Any, given: str | None) -> str:
        endpoint = endpoints_pb2.ApiServiceDescriptor(url=provided.url or given)
        return text_format.MessageToString(endpoint)

    return {
        "WORKER_ID": arguments.id,
        "SEMI_PERSISTENT_DIRECTORY": folder,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
        "CONTROL_API_SERVICE_DESCRIPTOR": descriptor(
            info.control_endpoint, arguments.control_endpoint
        ),
        "LOGGING_API_SERVICE_DESCRIPTOR": descriptor(
            info.logging_endpoint, arguments.logging_endpoint
        ),
    }


@contextlib.contextmanager
def _channel(url: str, worker_id: str) -> Iterator[Any]:
    import grpc  # type: ignore[import-untyped,unused-ignore]
    from apache_beam.runners.worker.worker_id_interceptor import WorkerIdInterceptor

    with grpc.insecure_channel(url, [("grpc.max_receive_message_length", -1)]) as channel:
        yield grpc.intercept_channel(channel, WorkerIdInterceptor(worker_id))


def _provision_info(url: str, worker_id: str) -> Any:
    from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc

    with _channel(url, worker_id) as channel:
        service = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        return service.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(), timeout=60
        ).info


def _fetch(url: str, worker_id: str, dependencies: Any, folder: str) -> None:
    """Fetch the job's artifacts into a folder, each under its staged name."""
    from apache_beam.portability import common_urns
    from apache_beam.portability.api import (
        beam_artifact_api_pb2,
        beam_artifact_api_pb2_grpc,
        beam_runner_api_pb2,
    )

    with _channel(url, worker_id) as channel:
        service = beam_artifact_api_pb2_grpc.ArtifactRetrievalServiceStub(channel)
        resolved = service.ResolveArtifacts(
            beam_artifact_api_pb2.ResolveArtifactsRequest(artifacts=dependencies)
        ).replacements
        for artifact in resolved:
            if artifact.role_urn != common_urns.artifact_roles.STAGING_TO.urn:
                _LOG.warning("Not fetched: an artifact with the role %s", artifact.role_urn)
                continue
            role = beam_runner_api_pb2.ArtifactStagingToRolePayload.FromString(
                artifact.role_payload
            )
            name = os.path.basename(role.staged_name)
            request = beam_artifact_api_pb2.GetArtifactRequest(artifact=artifact)
            digest = hashlib.sha256()
            with open(os.path.join(folder, name), "wb") as file:
                for response in service.GetArtifact(request):
                    file.write(response.data)
                    digest.update(response.data)
            _check(artifact, name, digest.hexdigest())
            if name in _NOT_INSTALLED:
                _LOG.warning(
                    "%s is not installed: this worker installs nothing. Install its packages "
                    "in the worker's environment beforehand.",
                    name,
                )


def _check(artifact: Any, name: str, found: str) -> None:
    from apache_beam.portability import common_urns
    from apache_beam.portability.api import beam_runner_api_pb2

    if artifact.type_urn != common_urns.artifact_types.FILE.urn:
        return
    payload = beam_runner_api_pb2.ArtifactFilePayload.FromString(artifact.type_payload)
    if payload.sha256 and payload.sha256 != found:
        raise RuntimeError(
            f"The staged file {name} arrived damaged: its SHA-256 is {found}, expected "
            f"{payload.sha256}. Run the job again."
        )


if __name__ == "__main__":
    main()
