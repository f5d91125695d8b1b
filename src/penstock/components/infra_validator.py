"""InfraValidator: tries a model in a server before it is pushed."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from penstock.artifacts import Examples, InfraBlessing, Model
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.infra_validation.specs import RequestSpec, ServingSpec, ValidationSpec
from penstock.spelling import counted, did_you_mean

if TYPE_CHECKING:
    from penstock.infra_validation import InfraValidation, ModelRequests


class InfraValidator(Component):
    """Loads a model in a server of its own and lets it answer requests made of examples.

    The server runs in its own process, with bounds on memory and time: Penstock's, or another that
    `serving_spec` names. A model that cannot be loaded, crashes, hangs, takes too much memory, or answers
    with NaN or another number of rows is not blessed, and the blessing says why. The node itself succeeds.

    Args:
        model: The model to try.
        examples: What requests are made of; without them the model is only loaded.
        serving_spec: What serves it: Penstock's server by default, or TensorFlow Serving in a container,
            or a program on this machine.
        validation_spec: Bounds on time, memory and latency.
        request_spec: Which signatures are asked, with how many examples, and whether the requests are
            kept for servers to warm up with.

    Outputs:
        blessing: An empty file `INFRA_BLESSED` or `INFRA_NOT_BLESSED`. Properties: `blessed`, `reasons`,
            `requests`, `loading_seconds`, `latency_p50_ms`, `latency_p99_ms`, `memory_mb`. With
            `make_warmup`, `has_model` is 1 and `stamped_model/` is the model with its warm-up requests.

    Example:
        InfraValidator(
            model=trainer.outputs["model"],
            examples=example_gen.outputs["examples"],
            validation_spec=ValidationSpec(max_latency_p99_ms=20),
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.infra_validator.component.InfraValidator"
    LIBRARIES: ClassVar = ("tensorflow", "starlette", "uvicorn")
    USES_SEED: ClassVar = False

    model: Input[Model]
    examples: Input[Examples] | None = None
    serving_spec: ServingSpec | None = None
    validation_spec: ValidationSpec | None = None
    request_spec: RequestSpec | None = None
    blessing: Output[InfraBlessing] = output()

    def check(self) -> None:
        """Check that there is what requests are made of."""
        if self.request_spec is not None and self.examples is None:
            raise ValueError(
                "InfraValidator(request_spec=...) makes requests of examples. Received: no examples"
            )

    def run(self, context: ExecutionContext) -> None:
        """Try the model and write the blessing."""
        from penstock.infra_validation import InfraValidation, validate_model, write_warm_model
        from penstock.io.files.temporary_copy import temporary_copy
        from penstock.serving import ModelError

        with temporary_copy(self.model.serving_uri) as model:
            try:
                requests = self._requests(model)
            except ModelError as error:
                self._bless(InfraValidation((str(error),)), context)
                return
            found = validate_model(
                model,
                requests,
                serving_spec=self.serving_spec,
                validation_spec=self.validation_spec,
                folder=context.working_dir,
                log=context.log,
            )
            self._bless(found, context)
            warm = self.request_spec is not None and self.request_spec.make_warmup
            if found.ok and warm and requests is not None:
                count = write_warm_model(model, requests, self.blessing.warm_model_uri)
                self.blessing.custom_properties["has_model"] = 1
                context.log.info("%s for the warm-up of servers", counted(count, "request"))

    def _requests(self, model: str) -> ModelRequests | None:
        from penstock.infra_validation import make_requests
        from penstock.io import ExamplesSplit

        if self.examples is None:
            return None
        spec = self.request_spec or RequestSpec()
        name = spec.split_name or next(iter(self.examples.splits), "")
        if name not in self.examples.splits:
            raise ValueError(
                f"The examples at {self.examples.uri} have no split {name!r}, which RequestSpec names."
                f"{did_you_mean(name, self.examples.splits)}"
            )
        return make_requests(ExamplesSplit.of(self.examples, name), model, spec)

    def _bless(self, found: InfraValidation, context: ExecutionContext) -> None:
        facts = {"requests": found.requests, **found.figures()}
        self.blessing.write(found.ok, self.model, found.reasons, **facts)
        context.report_metrics(found.figures())
        line = _sentence(found)
        context.report_verdict(line, ok=found.ok)
        (context.log.info if found.ok else context.log.warning)("%s", line)
        for reason in found.reasons[1:]:
            context.log.warning("  %s", reason)


def _sentence(found: InfraValidation) -> str:
    if not found.ok:
        first = found.reasons[0]
        return f"not infra-blessed: {first[0].lower()}{first[1:]}"
    parts = []
    if found.requests:
        parts.append(f"{counted(found.requests, 'request')} answered")
    if found.latency_p50_ms is not None and found.latency_p99_ms is not None:
        parts.append(f"p50 {found.latency_p50_ms:.1f} ms, p99 {found.latency_p99_ms:.1f} ms")
    if not parts:
        parts.append("the model loads; no requests, since there are no examples")
    if found.memory_mb is not None:
        parts.append(f"{found.memory_mb:.0f} MiB")
    return f"infra-blessed: {', '.join(parts)}"
