"""TensorFlow Serving's ModelService: the state of versions, and what is served.

Source of the interface: tensorflow_serving/apis/model_service.proto.
"""

from __future__ import annotations

from typing import Any

from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from penstock.server.config import LATEST, ModelSource, VersionPolicy
from penstock.server.errors import InvalidArgumentError, PermissionDeniedError
from penstock.server.grpc_api.prediction_service import use_of
from penstock.server.servables.servables import Servables

# Numbers of tensorflow/core/protobuf/error_codes.proto.
_CODES = {
    "OK": 0,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "NOT_FOUND": 5,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
}


class ModelService:
    """Answers ModelService.

    Args:
        servables: The models.
        may_reload: Whether a client may change what is served. It can then load any model that lies
            where the server can read it, and loading runs what is in it.
        alone: Whether this process is the whole server.
    """

    def __init__(self, servables: Servables, may_reload: bool, *, alone: bool = True) -> None:
        self._alone = alone
        self._servables = servables
        self._may_reload = may_reload

    async def get_model_status(self, request: Any) -> Any:
        """Answer a GetModelStatusRequest."""
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        if spec.version_label or not spec.name:
            with use_of(self._servables, spec) as servable:
                version = servable.version
        response = get_model_status_pb2.GetModelStatusResponse()
        for each in self._servables.statuses(spec.name, version):
            status = response.model_version_status.add(
                version=each.version,
                state=get_model_status_pb2.ModelVersionStatus.State.Value(each.state.value),
            )
            status.status.error_code = _CODES.get(each.error_code, 2)
            status.status.error_message = each.error_message
        return response

    async def reload(self, request: Any) -> Any:
        """Answer a ReloadConfigRequest: serve the models that it lists, and no others."""
        if not self._may_reload:
            raise PermissionDeniedError(
                "What is served can only be changed by clients with a token, or from the server's machine."
            )
        if not self._alone:
            raise PermissionDeniedError(
                "This is one of several processes of a server, so it cannot change what all of them serve. "
                "Start the server anew with another config."
            )
        if request.metric_names:
            raise InvalidArgumentError("metric_names are not served. Read them at /metrics.")
        if request.config.WhichOneof("config") != "model_config_list":
            raise InvalidArgumentError("Only model_config_list configs are supported.")
        sources = [_source(each) for each in request.config.model_config_list.config]
        names = [source.name for source in sources]
        if len(set(names)) < len(names):
            raise InvalidArgumentError("The config lists a model twice.")
        await self._servables.reconfigure(sources)
        response = model_management_pb2.ReloadConfigResponse()
        failed = [
            f"{name}: {status.error_message}"
            for name in names
            for status in self._servables.statuses(name)
            if status.error_message and not self._servables.model(name).available
        ]
        if failed:
            response.status.error_code = _CODES["UNAVAILABLE"]
            response.status.error_message = "; ".join(failed)
        return response


def _source(config: Any) -> ModelSource:
    """Return a model of a ModelServerConfig.

    Raises:
        InvalidArgumentError: If something of it is not served.
    """
    if config.HasField("logging_config"):
        raise InvalidArgumentError(
            f"{config.name}: logging_config is not served. Configure request_log where the server starts."
        )
    if config.model_platform not in ("", "tensorflow") or config.model_type not in (0, 1):
        raise InvalidArgumentError(
            f"{config.name}: the model_platform {config.model_platform!r} is not served. Expected: "
            "'tensorflow'"
        )
    if not config.base_path:
        raise InvalidArgumentError(f"Expected {config.name!r} to have a base_path.")
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    try:
        chosen = LATEST
        if choice == "latest":
            chosen = VersionPolicy(latest=policy.latest.num_versions or 1)
        elif choice == "all":
            chosen = VersionPolicy(all=True)
        elif choice == "specific":
            chosen = VersionPolicy(specific=tuple(policy.specific.versions))
        return ModelSource(config.name, config.base_path, chosen, dict(config.version_labels))
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from error
