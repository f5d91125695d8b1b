"""Exporting a version to the registry of MLflow, as a model that `mlflow` loads without Penstock.

A SavedModel becomes an MLflow model of the flavours `tensorflow` and `python_function` (the layout of
MLmodel files: https://mlflow.org/docs/latest/model). What is known of it becomes metrics and tags.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any

from penstock.pushing.fetch import fetch_version
from penstock.pushing.manifest import verify_manifest
from penstock.registry.records import ModelVersion
from penstock.serving.forms import SAVED_MODEL, form_of
from penstock.serving.saved_model import SavedModelInfo
from penstock.serving.signature import DEFAULT_SIGNATURE

_FOLDER = "model"
_SAVED_MODEL_FOLDER = "saved_model"
_LONGEST_TAG = 5000
_NOT_IN_A_NAME = re.compile(r"[^\w\-./ ]")


@dataclass(frozen=True)
class ExportedModel:
    """A version in MLflow's registry.

    Args:
        name: The registered model's name.
        version: MLflow's number of the version; None if it is not there yet (`dry_run`).
        uri: The tracking URI of the registry.
        aliases: The aliases that name it there.
        tags: Its tags.
    """

    name: str
    version: str | None
    uri: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "name": self.name,
            "version": self.version,
            "uri": self.uri,
            "aliases": list(self.aliases),
            "tags": dict(self.tags),
        }


def export_to_mlflow(
    name: str, version: ModelVersion, uri: str, *, dry_run: bool = False
) -> ExportedModel:
    """Register a version in MLflow's registry, with its files, metrics, tags and aliases.

    MLflow numbers versions itself; ours is the tag `penstock.version`. A version that was exported before
    is not uploaded again, and only gets its aliases.

    Args:
        name: The registered model's name; created if missing.
        version: The version (`read_model`).
        uri: MLflow's tracking URI, such as "http://mlflow:5000".
        dry_run: Only check the model, and say what would be registered.

    Raises:
        ImportError: If MLflow is not installed.
        ModelError: If the version's files are damaged.
        ValueError: If it is no SavedModel.
        OSError: If MLflow does not take it; the message says what it answered.

    Example:
        >>> model = read_model("taxi")
        >>> export_to_mlflow("taxi", model.versions[0], "http://mlflow:5000").version
        '1'
    """
    destination, _, _ = version.path.rstrip("/").rpartition("/")
    folder = fetch_version(destination, version.version)
    verify_manifest(folder)
    form, info = form_of(folder)
    if form != SAVED_MODEL or info is None:
        raise ValueError(
            f"Only SavedModels are exported to MLflow. Version {version.version} of {name}: {form}."
        )
    tags = _tags(version)
    if dry_run:
        return ExportedModel(name, None, uri, version.aliases, tags)
    mlflow = _import_mlflow()
    with _in_words(mlflow, uri):
        client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
        number = _find(client, name, tags)
        if number is None:
            number = _register(mlflow, client, name, version, folder, info, tags)
        for alias in version.aliases:
            client.set_registered_model_alias(name, alias, number)
    return ExportedModel(name, number, uri, version.aliases, tags)


def _import_mlflow() -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise ImportError(
            "Exporting to MLflow needs its client: pip install 'penstock-ml[mlflow]'"
        ) from error
    return mlflow


@contextlib.contextmanager
def _in_words(mlflow: Any, uri: str) -> Iterator[None]:
    from requests.exceptions import RequestException

    try:
        # MLflow prints addresses, where --json has its value.
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (mlflow.exceptions.MlflowException, RequestException) as error:
        lines = str(error).strip().splitlines()
        raise OSError(f"MLflow at {uri}: {lines[0] if lines else type(error).__name__}") from error


def _find(client: Any, name: str, tags: Mapping[str, str]) -> str | None:
    """Return MLflow's number of a version that was exported before."""
    for found in client.search_model_versions(f"name='{name}'"):
        if all(
            found.tags.get(key) == tags[key]
            for key in ("penstock.version", "penstock.fingerprint")
            if key in tags
        ):
            return str(found.version)
    return None


def _register(
    mlflow: Any,
    client: Any,
    name: str,
    version: ModelVersion,
    folder: str,
    info: SavedModelInfo,
    tags: Mapping[str, str],
) -> str:
    experiment = client.get_experiment_by_name(name)
    number = client.create_experiment(name) if experiment is None else experiment.experiment_id
    run = client.create_run(number, run_name=f"{name} {version.version}", tags=dict(tags))
    for metric, value in version.metrics.items():
        client.log_metric(run.info.run_id, _NOT_IN_A_NAME.sub("_", metric), float(value))
    with tempfile.TemporaryDirectory(prefix="penstock-mlflow-") as staging:
        _write_model(mlflow, staging, folder, info, run.info.run_id)
        client.log_artifacts(run.info.run_id, staging, _FOLDER)
    client.set_terminated(run.info.run_id)
    if not client.search_registered_models(f"name='{name}'"):
        client.create_registered_model(name)
    registered = client.create_model_version(
        name,
        source=f"{run.info.artifact_uri}/{_FOLDER}",
        run_id=run.info.run_id,
        tags=dict(tags),
        description=f"Version {version.version}, pushed by Penstock",
    )
    return str(registered.version)


def _write_model(mlflow: Any, staging: str, folder: str, info: SavedModelInfo, run_id: str) -> None:
    """Write an MLflow model: the SavedModel, the file MLmodel, and what it needs to load."""
    shutil.copytree(folder, os.path.join(staging, _SAVED_MODEL_FOLDER))
    signatures = info.signatures
    signature = DEFAULT_SIGNATURE if DEFAULT_SIGNATURE in signatures else next(iter(signatures), "")
    python = ".".join(map(str, sys.version_info[:3]))
    requirement = _requirement("tensorflow")
    files = {
        "MLmodel": {
            "artifact_path": _FOLDER,
            "run_id": run_id,
            "mlflow_version": mlflow.__version__,
            "flavors": {
                "tensorflow": {
                    "code": None,
                    "model_type": "tf1-estimator",
                    "saved_model_dir": _SAVED_MODEL_FOLDER,
                    "meta_graph_tags": list(info.tags),
                    "signature_def_key": signature,
                },
                "python_function": {
                    "loader_module": "mlflow.tensorflow",
                    "python_version": python,
                    "env": {"virtualenv": "python_env.yaml"},
                },
            },
        },
        "python_env.yaml": {"python": python, "dependencies": ["-r requirements.txt"]},
    }
    for name, content in files.items():
        with open(os.path.join(staging, name), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)  # YAML, too
    with open(os.path.join(staging, "requirements.txt"), "w", encoding="utf-8") as file:
        file.write(f"mlflow=={mlflow.__version__}\n{requirement}\n")


def _requirement(package: str) -> str:
    try:
        return f"{package}=={installed_version(package)}"
    except PackageNotFoundError:
        return package


def _tags(version: ModelVersion) -> dict[str, str]:
    """Return what is known of a version as tags: short texts by name."""
    lineage = version.lineage
    found: dict[str, Any] = {
        "version": version.version,
        "pushed": version.pushed,
        "fingerprint": (lineage.get("model") or {}).get("fingerprint"),
        "span": version.span,
        "data": json.dumps(lineage["data"]) if lineage.get("data") else "",
        **{key: lineage.get(key) for key in ("pipeline", "run", "code_version", "blessed")},
    }
    return {
        f"penstock.{key}": str(value)
        for key, value in found.items()
        if value not in (None, "") and len(str(value)) <= _LONGEST_TAG
    }
