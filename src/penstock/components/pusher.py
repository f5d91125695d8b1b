"""Pusher: copies a blessed model to where a server finds it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from penstock.artifacts import Artifact, InfraBlessing, Model, ModelBlessing, PushedModel
from penstock.artifacts.location import is_local
from penstock.artifacts.standard import Blessing
from penstock.components.named_function import as_function
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.pushing.destination import Filesystem, PushDestination, check_protocol

_USED_BY = {
    "scikit-learn estimator": "; penstock.serving.load_model does",
    "ONNX file": "; ONNX Runtime and Triton do",
    "Keras file": "; keras.saving.load_model does",
}


class Pusher(Component):
    """Copies a model to a folder of versions, whole or not at all, if it is blessed.

    A server gets the SavedModel. A model without one is pushed as it is: a scikit-learn estimator, or else
    its ONNX or Keras file; the verdict then says which.

    Before the copy is seen, it is loaded in a process of its own and asked, as a server would.

    A model that is not blessed is not pushed: the node succeeds, and its output says why in the
    property `not_pushed_because`; `penstock why RUN Pusher` shows it.

    Args:
        model: The model to push.
        model_blessing: The Evaluator's verdict; without it, the model is pushed unchecked.
        infra_blessing: The InfraValidator's verdict. If it was asked for warm-up requests, its copy of the
            model with them is pushed.
        blessings: Further verdicts, of a BaselineComparison for example: all of them must be good.
        push_destination: A folder or fsspec URL, or a `PushDestination` with a folder and its versioning.
        push_fn: A function, or its dotted name, that pushes to a destination of your own instead. It gets
            `penstock.pushing.PushArgs` and returns where the model lies now.
        custom_config: Values for `push_fn`.
        model_name: The model's name in the registry; by default the last part of the destination.
        keep: Remove older versions than the newest so many. What an alias names or named before, what a
            server uses and what other tools pushed stays. By default all versions stay.
        answers_within_seconds: How long the copy may take to load and to answer, imports included; None:
            do not try it.

    Outputs:
        pushed_model: A copy of the pushed model. Properties: `pushed` (1 or 0), `model_name`,
            `pushed_destination`, `pushed_version`, `pushed_form`, `not_pushed_because`.

    Example:
        Pusher(
            model=trainer.outputs["model"],
            model_blessing=evaluator.outputs["blessing"],
            push_destination="serving/penguin",
        )
    """

    TYPE_NAME: ClassVar = "tfx.components.pusher.component.Pusher"
    TYPE_ANNOTATION: ClassVar = "mlmd.Deploy"
    USES_SEED: ClassVar = False
    USES_LINEAGE: ClassVar = True

    model: Input[Model]
    model_blessing: Input[ModelBlessing] | None = None
    infra_blessing: Input[InfraBlessing] | None = None
    blessings: Input[list[Blessing]] | None = None
    push_destination: PushDestination | str | None = None
    push_fn: Callable[..., Any] | str | None = None
    custom_config: Mapping[str, Any] | None = None
    model_name: str = ""
    keep: int | None = None
    answers_within_seconds: float | None = 300.0
    pushed_model: Output[PushedModel] = output()

    def runs_tensorflow(self) -> bool:
        """Return whether the copy is tried: in a worker that has TensorFlow, this takes no import more."""
        return self.answers_within_seconds is not None

    def check(self) -> None:
        """Check the destination and what goes with it."""
        self.push_fn = as_function("Pusher(push_fn=...)", self.push_fn)
        if (self.push_fn is None) == (self.push_destination is None):
            given = "both" if self.push_fn else "neither"
            raise ValueError(
                "Pusher needs a push_destination (a folder or URL) or a push_fn. Received: " + given
            )
        self._check_name()
        if isinstance(self.keep, int) and (isinstance(self.keep, bool) or self.keep < 1):
            raise ValueError(
                f"keep is how many of the newest versions stay, 1 or more. Received: keep={self.keep!r}"
            )
        seconds = self.answers_within_seconds
        if isinstance(seconds, int | float) and seconds <= 0:
            raise ValueError(
                "answers_within_seconds is a number of seconds above 0, or None for no check. Received: "
                f"{seconds!r}"
            )
        if self.push_fn is not None:
            if self.keep is not None:
                raise ValueError(
                    "keep is for a push_destination; a push_fn removes old models itself."
                )
            return
        if self.custom_config is not None:
            raise ValueError("custom_config is for a push_fn. Received: no push_fn")
        self._check_destination()

    def _check_name(self) -> None:
        name = self.model_name
        if isinstance(name, str) and not set(name).isdisjoint("/:@"):
            raise ValueError(f"A model_name has no '/', ':' and '@'. Received: model_name={name!r}")
        if self.push_fn is not None and name == "":
            raise ValueError(
                "Pusher(push_fn=...) needs a model_name: there is no folder to take it from."
            )

    def _check_destination(self) -> None:
        destination: Any = self.push_destination
        if destination == "":
            raise ValueError("Pusher needs a push_destination (a folder or URL). Received: ''")
        if isinstance(destination, PushDestination):
            destination = destination.filesystem.base_directory
        if isinstance(destination, str) and not is_local(destination):
            check_protocol(destination)

    def is_current(
        self, outputs: Mapping[str, Sequence[Artifact]], resolve: Callable[[str], str]
    ) -> bool:
        """Return whether the pushed model is still at its destination and is the newest version there.

        A server loads the newest version; if that is now another model, this one is pushed again.
        """
        from penstock.serving.versions import list_versions

        pushed = outputs["pushed_model"][0].custom_properties
        if not pushed.get("pushed") or self.push_fn is not None:
            return True
        path, version = (
            str(pushed.get("pushed_destination")),
            int(pushed.get("pushed_version") or 0),
        )
        there = list_versions(os.path.dirname(path))
        return version in there and max(there) == version

    def run(self, context: ExecutionContext) -> None:
        """Push the model, or report why not."""
        properties: dict[str, Any] = self.pushed_model.custom_properties
        name = self.model_name or self._name_of_destination(context)
        properties["model_name"] = name
        reason, reasons = self._objection()
        if reason:
            why = ": ".join([reason, *(["; ".join(reasons)] if reasons else [])])
            properties.update({"pushed": 0, "not_pushed_because": why, "reasons": reasons})
            # Why it is not blessed stands in the Evaluator's verdict.
            short = reason.rstrip(".")
            context.report_verdict(f"not pushed: {short[0].lower()}{short[1:]}", ok=False)
            context.log.warning("Not pushed: %s", why)
            return
        if self.push_fn is None:
            self._push(context, name)
        else:
            self._push_by_function(context, name)
        shutil.copytree(
            self._source(), self.pushed_model.uri, copy_function=shutil.copyfile, dirs_exist_ok=True
        )
        pushed = {self._source(), self.model.serving_uri if self._is_warm() else ""}
        others = [name for name, uri in self.model.forms.items() if uri not in pushed]
        if others:
            context.log.info("Not pushed, but in %s: %s", self.model.uri, ", ".join(others))

    def _push(self, context: ExecutionContext, name: str) -> None:
        from penstock.pushing.push import push_model
        from penstock.serving.signature import DEFAULT_SIGNATURE

        folder = self._folder()
        pushed = push_model(
            self._source(),
            context.resolve_path(folder.base_directory),
            versioning="next" if folder.versioning == "next" else "timestamp",
            lineage=self._lineage(context, name),
            keep=self.keep,
            answers_within=self.answers_within_seconds,
        )
        self._report(context, pushed.path, pushed.version, pushed.form)
        if pushed.removed:
            context.log.info("Removed the versions %s", ", ".join(map(str, pushed.removed)))
        if pushed.model is None:
            context.log.warning(
                "The model has no SavedModel, so its %s was pushed. TensorFlow Serving does not load it%s.",
                pushed.form,
                _USED_BY.get(pushed.form, ""),
            )
        elif DEFAULT_SIGNATURE not in pushed.model.signatures:
            context.log.warning(
                "The model has no signature %r, which servers and load_model call. Signatures: %s",
                DEFAULT_SIGNATURE,
                ", ".join(pushed.model.signatures) or "none",
            )

    def _push_by_function(self, context: ExecutionContext, name: str) -> None:
        from penstock.pushing.own_destination import push_by

        assert callable(self.push_fn)
        given, place = push_by(
            self.push_fn,
            self._source(),
            model_name=name,
            lineage=self._lineage(context, name),
            custom_config=self.custom_config or {},
            answers_within=self.answers_within_seconds,
        )
        self.pushed_model.custom_properties["push_fn"] = 1
        self._report(context, place, given.version, given.form)

    def _report(self, context: ExecutionContext, place: str, version: int, form: str) -> None:
        self.pushed_model.custom_properties.update(
            {
                "pushed": 1,
                "pushed_destination": place,
                "pushed_version": str(version),
                "pushed_form": form,
            }
        )
        what = f"version {version}" + ("" if form == "SavedModel" else f" as {form}")
        context.report_verdict(f"pushed {what}", ok=True)
        context.log.info("Pushed %s to %s", what, place)

    def _lineage(self, context: ExecutionContext, name: str) -> dict[str, Any]:
        from penstock.pushing.lineage import lineage_of

        return lineage_of(
            self.model,
            blessing=self.model_blessing,
            executions=context.lineage,
            facts={
                "model_name": name,
                "pipeline": context.pipeline_name,
                "run": context.run_id,
                "code_version": context.code_version,
                "blessed": True if self.model_blessing is not None or self.blessings else None,
                "infra_blessed": None if self.infra_blessing is None else True,
            },
        )

    def _folder(self) -> Filesystem:
        destination = self.push_destination
        assert destination is not None
        if isinstance(destination, PushDestination):
            return destination.filesystem
        return Filesystem(destination)

    def _name_of_destination(self, context: ExecutionContext) -> str:
        path = context.resolve_path(self._folder().base_directory)
        return path.rstrip("/").rpartition("/")[2]

    def _source(self) -> str:
        """Return the folder to push: the one for servers, or else the first that there is.

        Where the InfraValidator wrote warm-up requests, it is its copy of the model, which has them.
        """
        if self.infra_blessing is not None and self._is_warm():
            return self.infra_blessing.warm_model_uri
        served = self.model.serving_uri
        if os.path.exists(served):
            return served
        forms = self.model.forms
        return forms.get(Model.ONNX_FOLDER) or forms.get(Model.KERAS_FOLDER) or served

    def _is_warm(self) -> bool:
        blessing = self.infra_blessing
        return blessing is not None and bool(blessing.custom_properties.get("has_model"))

    def _objection(self) -> tuple[str, list[str]]:
        """Return why the model may not be pushed, and what the validator said; "" if it may."""
        if self.model_blessing is not None and not self.model_blessing.blessed:
            return "The model is not blessed", _reasons(self.model_blessing)
        if self.infra_blessing is not None and not self.infra_blessing.blessed:
            return "The model did not pass the InfraValidator", _reasons(self.infra_blessing)
        for blessing in self.blessings or ():
            if not blessing.blessed:
                which = blessing.TYPE_NAME.removesuffix("Blessing").lower()
                return f"The model did not pass the {which}", _reasons(blessing)
        return "", []


def _reasons(blessing: Artifact) -> list[str]:
    return [str(reason) for reason in blessing.custom_properties.get("reasons") or []]
