"""Components: one declaration of inputs, outputs, parameters and the code that runs."""

from __future__ import annotations

import contextlib
import copy
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self, dataclass_transform

from penstock.artifacts import Artifact, ValueArtifact, location
from penstock.dsl import values
from penstock.dsl.channel import Channel
from penstock.dsl.context import ExecutionContext
from penstock.dsl.exceptions import DefinitionError, ParameterError, WiringError
from penstock.dsl.interface import MISSING, Interface, read_interface
from penstock.dsl.markers import output
from penstock.dsl.node import Node, Outputs, as_sources
from penstock.dsl.parameter_value import parameter_value
from penstock.dsl.resources import Resources
from penstock.spelling import did_you_mean


@dataclass_transform(kw_only_default=True, field_specifiers=(output,))
class Component(Node):
    """A unit of work with typed inputs, outputs and parameters.

    A subclass declares its interface as annotated fields and its work as `run`:

        class CountRows(Component):
            '''Counts the rows of `examples`.'''

            examples: Input[Examples]
            split: str = "train"
            rows: Output[Integer] = output()

            def run(self, context: ExecutionContext) -> None:
                self.rows.value = count(self.examples.split_uri(self.split))

    In a pipeline file, the constructor takes channels and parameters by keyword and checks them;
    `outputs` (or the field itself) returns the channels that other components read. During a run,
    the same fields hold artifacts and values. A parameter also accepts a channel of a value
    artifact (`Integer`, `String`, ...); during the run it then holds the value.

    Attributes:
        TYPE_NAME: Name of the execution type in the metadata store; TFX's class path for TFX's
            components, else `module.Class`.
        TYPE_ANNOTATION: ML Metadata's base type, such as `mlmd.Train`, or None.
        LIBRARIES: Distributions whose versions are part of the cache key.
        MODULE_FUNCTIONS: The functions of its module files that the component calls. Only these and
            the code that they use are part of the cache key; if empty, the whole files are. A
            subclass that overrides `run` must declare them again.
        USES_TENSORFLOW: Whether the component runs in a worker that has TensorFlow imported.
        WARM_IMPORTS: Modules (or `module:function` to call) that such a worker imports before it is
            needed, besides TensorFlow and Keras.
        USES_SEED: Whether the seed of the run is part of the cache key.
        IMPORTS_FUNCTIONS: Whether functions that are parameters are imported before `run`; else each is a
            `NamedFunction`, for a component that calls them in another process.
        USES_LINEAGE: Whether `context.lineage` is set.
        READS_URLS: Whether `run` opens artifacts behind URLs itself (`gs://`, `s3://`). Otherwise it is
            given copies on this machine, and what it writes is copied to where it belongs.
        JUDGES: Inputs that the component judges: nodes that read the same artifacts wait for it
            (`penstock.dsl.gates`).
        DESCRIBES: For each output, the inputs or outputs that it only describes, as statistics
            describe examples: a component that judges the output also judges those.

    Raises:
        WiringError: For a missing or unknown input, or one of another type.
        ParameterError: For a missing or unknown parameter, or a value that does not fit.
    """

    TYPE_NAME: ClassVar[str] = ""
    TYPE_ANNOTATION: ClassVar[str | None] = None
    LIBRARIES: ClassVar[Sequence[str]] = ()
    MODULE_FUNCTIONS: ClassVar[Sequence[str]] = ()
    USES_TENSORFLOW: ClassVar[bool] = False
    WARM_IMPORTS: ClassVar[Sequence[str]] = ()
    USES_SEED: ClassVar[bool] = True
    IMPORTS_FUNCTIONS: ClassVar[bool] = True
    USES_LINEAGE: ClassVar[bool] = False
    READS_URLS: ClassVar[bool] = False
    JUDGES: ClassVar[Sequence[str]] = ()
    DESCRIBES: ClassVar[Mapping[str, str | Sequence[str]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._check_names()
        if "TYPE_NAME" not in cls.__dict__:
            cls.TYPE_NAME = f"{cls.__module__}.{cls.__qualname__}"

    @classmethod
    def _check_names(cls) -> None:
        """Refuse, where it is declared, a field that would replace a member of every component."""
        for name, annotation in inspect.get_annotations(cls).items():
            text = annotation if isinstance(annotation, str) else repr(annotation)
            if name in RESERVED_NAMES and "ClassVar" not in text:
                raise DefinitionError(
                    f"{cls.__name__}.{name}: a field cannot be named {name!r}: the name is "
                    f"reserved, since every component has its own {name!r}. Give it another name, "
                    f"such as '{name}_'."
                )

    @classmethod
    def interface(cls) -> Interface:
        """Return the inputs, outputs and parameters, read from the annotations once.

        Raises:
            DefinitionError: If an annotation cannot be resolved.
        """
        if "_interface" not in cls.__dict__:
            annotations, defaults = cls._declaration()
            cls._interface = read_interface(cls.__name__, annotations, defaults)
        return cls._interface

    _interface: ClassVar[Interface]

    @classmethod
    def _declaration(cls) -> tuple[dict[str, Any], dict[str, Any]]:
        annotations: dict[str, Any] = {}
        defaults: dict[str, Any] = {}
        for base in reversed(cls.__mro__):
            if not issubclass(base, Component) or base is Component:
                continue
            try:
                hints = typing.get_type_hints(base, include_extras=True)
            except NameError as error:
                raise DefinitionError(
                    f"An annotation of {base.__name__} names {error.name!r}, which its module "
                    f"{base.__module__} does not define. Import it there, outside TYPE_CHECKING."
                ) from None
            for name in inspect.get_annotations(base):
                if name.startswith("_") or typing.get_origin(hints[name]) is ClassVar:
                    continue
                if hints[name] is ClassVar:
                    continue
                annotations[name] = hints[name]
                if name in base.__dict__:
                    defaults[name] = base.__dict__[name]
        return annotations, defaults

    def __init__(self, /, *positional: Any, **given: Any) -> None:
        super().__init__(type(self).__name__)
        interface = self.interface()
        name = type(self).__name__
        if positional:
            example = next(iter(interface.keywords), "name")
            raise ParameterError(
                f"{name} takes its arguments by name, such as {name}({example}=...). Received: "
                f"{', '.join(map(repr, positional))}"
            )
        for keyword in given:
            if keyword not in interface.inputs and keyword not in interface.parameters:
                near = did_you_mean(keyword, interface.keywords)
                raise ParameterError(f"{name} takes no argument {keyword!r}.{near}")
        for key, spec in interface.inputs.items():
            value = given.get(key)
            if value is None:
                if not spec.optional:
                    raise WiringError(
                        f"{name} needs {key}={spec.type.TYPE_NAME}: a channel such as "
                        f"node.outputs[...]. Nothing was given."
                    )
                self._set_field(key, None)
                continue
            self.inputs[key] = as_sources(name, key, value, spec.type, several=spec.several)
            if not self.inputs[key] and not spec.optional:
                raise WiringError(
                    f"{name}({key}=...) needs at least one {spec.type.TYPE_NAME}. Received: {value!r}"
                )
            self._set_field(key, value)
        for key, parameter in interface.parameters.items():
            value = parameter_value(name, key, parameter, given)
            if isinstance(value, (Channel, Artifact)):
                self.inputs[key] = (value,)
            self._set_field(key, value)
        self._check_definition()
        active = self.active_outputs()
        self._outputs = Outputs(
            self,
            {
                key: Channel(self, key, spec.type, optional=spec.optional)
                for key, spec in interface.outputs.items()
                if key in active
            },
        )
        for key in interface.outputs:
            self._set_field(key, self._outputs[key] if key in active else None)

    def _check_definition(self) -> None:
        """Call `check` with the defaults of runtime parameters, and take over normal forms.

        Where a value is not known yet, what the check says does not count: it is made again when a run
        has the value.
        """
        checked, complete = self.with_defaults()
        if complete:
            checked.check()
        else:
            with contextlib.suppress(Exception):
                checked.check()
        for key, value in self.parameters.items():
            if not list(values.runtime_parameters_in(value)):
                self._set_field(key, checked._field(key))

    def with_defaults(self) -> tuple[Self, bool]:
        """Return a copy with the defaults of its runtime parameters, and whether it has every value.

        What has no value yet, or is read from a channel, has the default of its class.
        """
        given = self.parameters
        complete = True
        filled = copy.copy(self)
        for key, spec in self.interface().parameters.items():
            unknown = values.runtime_parameters_in(given.get(key))
            if key in given and all(each.default is not None for each in unknown):
                filled._set_field(key, values.with_defaults(given[key]))
                continue
            complete = False
            if spec.default is not MISSING:
                filled._set_field(key, spec.default)
        return filled, complete

    def _field(self, key: str) -> Any:
        """Return what the field of an input, output or parameter holds."""
        return getattr(self, key)

    def _set_field(self, key: str, value: Any) -> None:
        setattr(self, key, value)

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the parameters, without those given by a channel."""
        return {
            key: self._field(key) for key in self.interface().parameters if key not in self.inputs
        }

    def check(self) -> None:
        """Check the parameters together; may replace a parameter with its normal form.

        The parameters hold values. The method is called when the component is constructed, with the
        defaults of runtime parameters; again when a run has set them; and where the component runs,
        if another component writes a parameter's value. Inputs hold channels or artifacts.

        Raises:
            ValueError: With what was given, what was expected and what to do.
        """

    def active_outputs(self) -> Sequence[str]:
        """Return the keys of the outputs that the component has with its parameters; all by default."""
        return tuple(self.interface().outputs)

    def can_reject(self) -> bool:
        """Return whether the component, if it judges, may reject with its parameters; True by default."""
        return True

    def external_files(self, resolve: Callable[[str], str]) -> Mapping[str, str]:
        """Return the external files that the component reads, as name to path or URL.

        The cache key holds the names and the content of the files, so renaming a folder above them
        changes nothing. The default is everything under each `ExternalPath`.

        Args:
            resolve: Makes a path absolute (`ExecutionContext.resolve_path`).
        """
        found: dict[str, str] = {}
        for key, spec in self.interface().parameters.items():
            value = self._field(key)
            if spec.kind == "external_path" and isinstance(value, str) and value:
                root = resolve(value)
                single = location.is_file(root)
                for name, _ in location.list_files(root):
                    found[f"{key}/{name}"] = root if single else f"{root.rstrip('/')}/{name}"
        return found

    def is_current(
        self, outputs: Mapping[str, Sequence[Artifact]], resolve: Callable[[str], str]
    ) -> bool:
        """Return whether a cached result still holds outside of Penstock; True by default.

        Args:
            outputs: What the earlier execution wrote.
            resolve: Makes a path absolute (`ExecutionContext.resolve_path`).
        """
        del outputs, resolve
        return True

    def check_resources(self, resources: Resources) -> None:
        """Check the parameters together with the resources of the node, before it runs.

        Several processes are refused by default: a component that runs in several overrides this.

        Args:
            resources: What the node asks for.

        Raises:
            ValueError: With what was given, what was expected and what to do.
        """
        for field, least in (("replicas", 1), ("parameter_servers", 0)):
            number = getattr(resources, field)
            if number > least:
                raise ParameterError(
                    f"{type(self).__name__} runs in one process. Received: Resources({field}={number})"
                )

    def runs_tensorflow(self) -> bool:
        """Return whether `run` uses TensorFlow in its own process; `USES_TENSORFLOW` by default."""
        return self.USES_TENSORFLOW

    def keyed_libraries(self) -> Sequence[str]:
        """Return the distributions whose versions are part of the cache key; `LIBRARIES` by default."""
        return self.LIBRARIES

    def worker_profile(self) -> Mapping[str, Any]:
        """Return the settings that `run` needs for its whole process; none by default.

        Executions share a process only if their settings are equal. A component that gives
        TensorFlow several logical devices returns them here, since the first operation fixes them.

        Returns:
            JSON values; `environment` holds variables that are set before anything is imported.
        """
        return {}

    def run(self, context: ExecutionContext) -> None:
        """Do the work: read the inputs, write the outputs.

        Args:
            context: The circumstances of the execution.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define run(self, context)")

    @classmethod
    def bind(
        cls,
        *,
        inputs: Mapping[str, Sequence[Artifact]],
        outputs: Mapping[str, Artifact],
        parameters: Mapping[str, Any],
        check: bool = True,
    ) -> Self:
        """Return an instance whose fields hold artifacts and values, ready for `run`.

        Args:
            inputs: Artifacts by key; an absent or empty key is None (or an empty list).
            outputs: Where to write, by key; an absent key is None.
            parameters: Values by name; absent ones take their defaults.
            check: Whether a required input must have an artifact, and parameters that were read from
                inputs are checked.

        Raises:
            WiringError: If a required input has no artifact.
            ValueError: As `check()`.
        """
        self = cls.__new__(cls)
        Node.__init__(self, cls.__name__)
        interface = cls.interface()
        for key, spec in interface.inputs.items():
            artifacts = list(inputs.get(key, ()))
            if check and not artifacts and not spec.optional:
                raise WiringError(f"{cls.__name__}: input {key!r} has no artifact")
            several: Any = artifacts
            self._set_field(key, several if spec.several else artifacts[0] if artifacts else None)
        for key, parameter in interface.parameters.items():
            if key in inputs:
                source = inputs[key][0]
                assert isinstance(source, ValueArtifact)
                self._set_field(key, source.value)
            else:
                self._set_field(key, parameters.get(key, parameter.default))
        for key in interface.outputs:
            self._set_field(key, outputs.get(key))
        if check and any(key in inputs for key in interface.parameters):
            self.check()
        return self


RESERVED_NAMES = frozenset(
    name for name in {*dir(Component), *vars(Node("reserved"))} if not name.startswith("_")
)
"""What every component has besides its fields."""
