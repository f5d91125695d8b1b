"""Infra validation: whether a model loads in a server, answers requests, and keeps within bounds."""

from typing import TYPE_CHECKING

from penstock.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from penstock.infra_validation.requests import ModelRequests, make_requests
    from penstock.infra_validation.specs import (
        KubernetesConfig,
        LocalBinary,
        LocalDockerConfig,
        RequestSpec,
        ServingSpec,
        TensorFlowServing,
        TensorFlowServingRequestSpec,
        ValidationSpec,
    )
    from penstock.infra_validation.validate import InfraValidation, validate_model
    from penstock.infra_validation.warm_up import write_warm_model

_MODULE_OF = {
    "InfraValidation": "validate",
    "KubernetesConfig": "specs",
    "LocalBinary": "specs",
    "LocalDockerConfig": "specs",
    "ModelRequests": "requests",
    "RequestSpec": "specs",
    "ServingSpec": "specs",
    "TensorFlowServing": "specs",
    "TensorFlowServingRequestSpec": "specs",
    "ValidationSpec": "specs",
    "make_requests": "requests",
    "validate_model": "validate",
    "write_warm_model": "warm_up",
}

__all__ = [
    "InfraValidation",
    "KubernetesConfig",
    "LocalBinary",
    "LocalDockerConfig",
    "ModelRequests",
    "RequestSpec",
    "ServingSpec",
    "TensorFlowServing",
    "TensorFlowServingRequestSpec",
    "ValidationSpec",
    "make_requests",
    "validate_model",
    "write_warm_model",
]

__getattr__, __dir__ = lazy_exports(__name__, _MODULE_OF)
