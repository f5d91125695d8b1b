"""Pipelines and their versions on the server: uploaded once, named by their content."""

from __future__ import annotations

from typing import Any

from penstock.kubeflow.errors import UnknownOnServer
from penstock.kubeflow.package import PipelinePackage
from penstock.kubeflow.predicates import equals, listed
from penstock.kubeflow.records import UploadedVersion
from penstock.kubeflow.server import API, Server


def upload(server: Server, package: PipelinePackage, description: str = "") -> UploadedVersion:
    """Return the version that holds a package; it is uploaded if the server does not have it.

    Args:
        server: The server.
        package: The compiled pipeline.
        description: What is shown of a new version.

    Raises:
        KubeflowError: The kind says what to do about it.
    """
    pipeline_id = find_pipeline(server, package.name) or _make_pipeline(server, package.name)
    path = f"{API}/pipelines/{pipeline_id}/versions"
    name = package.version_name

    def find() -> list[dict[str, Any]]:
        query = {"filter": equals(display_name=name)}
        return list(listed(server.transport, path, "pipeline_versions", query))

    found = find()
    if found:
        return _version(found[0])
    made = server.make(
        lambda: server.transport.upload(
            f"{API}/pipelines/upload_version",
            {
                "name": name,
                "display_name": name,
                "pipelineid": pipeline_id,
                "description": description or None,
            },
            f"{name}.yaml",
            package.text,
        ),
        find,
    )
    return _version(made, new=True)


def find_pipeline(server: Server, name: str) -> str | None:
    """Return the id of a pipeline, or None if there is none of that name."""
    query = {"filter": equals(display_name=name), "namespace": server.namespace}
    found = list(listed(server.transport, f"{API}/pipelines", "pipelines", query))
    return str(found[0]["pipeline_id"]) if found else None


def package_of(server: Server, version: UploadedVersion) -> PipelinePackage:
    """Return what a version holds.

    Raises:
        UnknownOnServer: If it was deleted.
    """
    path = f"{API}/pipelines/{version.pipeline_id}/versions"
    if version.version_id:
        value = server.transport.get(f"{path}/{version.version_id}")
    else:
        newest = {"sort_by": "created_at desc"}
        found = list(listed(server.transport, path, "pipeline_versions", newest, most=1))
        if not found:
            raise UnknownOnServer(f"The pipeline {version.pipeline_id} has no version.")
        value = found[0]
    return PipelinePackage.of_spec(value.get("pipeline_spec"))


def _make_pipeline(server: Server, name: str) -> str:
    body = {"display_name": name}
    if server.namespace is not None:
        body["namespace"] = server.namespace

    def find() -> list[dict[str, Any]]:
        query = {"filter": equals(display_name=name), "namespace": server.namespace}
        return list(listed(server.transport, f"{API}/pipelines", "pipelines", query))

    made = server.make(lambda: server.transport.post(f"{API}/pipelines", body), find)
    return str(made["pipeline_id"])


def _version(value: dict[str, Any], *, new: bool = False) -> UploadedVersion:
    return UploadedVersion(
        value["pipeline_id"],
        value["pipeline_version_id"],
        value.get("display_name") or value.get("name") or "",
        new,
    )
