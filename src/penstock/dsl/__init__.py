"""The definition language: components, channels, resolvers, importers and pipelines."""

from penstock.dsl.channel import Channel
from penstock.dsl.component import Component
from penstock.dsl.context import ExecutionContext
from penstock.dsl.exceptions import DefinitionError, ParameterError, PipelineError, WiringError
from penstock.dsl.function_component import FunctionComponent, component
from penstock.dsl.gates import Rejected
from penstock.dsl.importer import Importer
from penstock.dsl.markers import ExternalPath, Input, ModuleFile, Output, output
from penstock.dsl.node import Node
from penstock.dsl.pipeline import Pipeline
from penstock.dsl.pod import (
    ConfigMapFiles,
    ConfigMapKey,
    EmptyFolder,
    EphemeralVolume,
    NodeAffinity,
    NodeRule,
    PodSettings,
    SecretFiles,
    SecretKey,
    Toleration,
    VolumeClaim,
)
from penstock.dsl.policy import Policy
from penstock.dsl.resolver import LatestArtifacts, LatestBlessedModel, Resolver
from penstock.dsl.resources import Resources
from penstock.dsl.runtime_parameter import RuntimeParameter

__all__ = [
    "Channel",
    "Component",
    "ConfigMapFiles",
    "ConfigMapKey",
    "DefinitionError",
    "EmptyFolder",
    "EphemeralVolume",
    "ExecutionContext",
    "ExternalPath",
    "FunctionComponent",
    "Importer",
    "Input",
    "LatestArtifacts",
    "LatestBlessedModel",
    "ModuleFile",
    "Node",
    "NodeAffinity",
    "NodeRule",
    "Output",
    "ParameterError",
    "Pipeline",
    "PipelineError",
    "PodSettings",
    "Policy",
    "Rejected",
    "Resolver",
    "Resources",
    "RuntimeParameter",
    "SecretFiles",
    "SecretKey",
    "Toleration",
    "VolumeClaim",
    "WiringError",
    "component",
    "output",
]
