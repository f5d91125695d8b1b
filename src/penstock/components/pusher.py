"""Pusher: copies a blessed model to where a server finds it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from penstock.artifacts import Artifact, InfraBlessing, Model, ModelBlessing, PushedModel
from penstock.dsl import Component, ExecutionContext, Input, Output, output
from penstock.pushing.destination import Filesystem, PushDestination

_USED_BY = {
    "scikit-learn estimator": "; penstock.serving.load_model does",
    "ONNX file": "; ONNX Runtime and Triton do",
    "Keras file": "; keras.saving.load_model does",
}


class Pusher(Component):
    """Copies a model to a folder of versions, whole or not at all, if it is blessed.

    A server gets the SavedModel. A model without one is pushed as it is: a scikit-learn estimator, or else
    its ONNX or Keras file; the verdict then says which.

    A model that is not blessed is not pushed: the node succeeds, and its output says why in the
    property `not_pushed_because`.

    Args:
        model: The model to push.
        model_blessing: The Evaluator's verdict; without it, the model is pushed unchecked.
        infra_blessing: The InfraValidator's verdict.
        push_destination: A folder, or a `PushDestination` with a folder and its versioning.

    Outputs:
        pushed_model: A copy of the pushed model. Properties: `pushed` (1 or 0),
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

    model: Input[Model]
    model_blessing: Input[ModelBlessing] | None = None
    infra_blessing: Input[InfraBlessing] | None = None
    push_destination: PushDestination | str
    pushed_model: Output[PushedModel] = output()

    def check(self) -> None:
        """Check the destination."""
        if self.push_destination == "":
            raise ValueError("Pusher needs a push_destination (a folder). Received: ''")
        destination: Any = self.push_destination
        if isinstance(destination, PushDestination):
            destination = destination.filesystem.base_directory
        if isinstance(destination, str) and "://" in destination:
            raise ValueError(
                f"Models are pushed to local folders so far. Received: push_destination={destination!r}"
            )

    def is_current(
        self, outputs: Mapping[str, Sequence[Artifact]], resolve: Callable[[str], str]
    ) -> bool:
        """Return whether the pushed model is still at its destination and is the newest version there.

        A server loads the newest version; if that is now another model, this one is pushed again.
        """
        from penstock.serving.versions import list_versions

        pushed = outputs["pushed_model"][0].custom_properties
        if not pushed.get("pushed"):
            return True
        path, version = (
            str(pushed.get("pushed_destination")),
            int(pushed.get("pushed_version") or 0),
        )
        if not os.path.isdir(path):
            return False
        return max(list_versions(os.path.dirname(path)), default=0) <= version

    def run(self, context: ExecutionContext) -> None:
        """Push the model, or report why not."""
        from penstock.pushing.push import push_model
        from penstock.serving.signature import DEFAULT_SIGNATURE

        properties: dict[str, Any] = self.pushed_model.custom_properties
        if reason := self._objection():
            properties.update({"pushed": 0, "not_pushed_because": reason})
            # Why it is not blessed stands in the Evaluator's verdict.
            short = reason.partition(":")[0].rstrip(".")
            context.report_verdict(f"not pushed: {short[0].lower()}{short[1:]}", ok=False)
            context.log.warning("Not pushed: %s", reason)
            return
        destination = self.push_destination
        if isinstance(destination, str):
            destination = PushDestination(Filesystem(destination))
        folder = destination.filesystem
        pushed = push_model(
            self._source(),
            context.resolve_path(folder.base_directory),
            versioning="next" if folder.versioning == "next" else "timestamp",
        )
        shutil.copytree(
            pushed.path, self.pushed_model.uri, copy_function=shutil.copyfile, dirs_exist_ok=True
        )
        properties.update(
            {
                "pushed": 1,
                "pushed_destination": pushed.path,
                "pushed_version": str(pushed.version),
                "pushed_form": pushed.form,
            }
        )
        what = f"version {pushed.version}"
        if pushed.model is None:
            what = f"{what} as {pushed.form}"
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
        context.report_verdict(f"pushed {what}", ok=True)
        context.log.info("Pushed %s to %s", what, pushed.path)
        others = [name for name, uri in self.model.forms.items() if uri != self._source()]
        if others:
            context.log.info("Not pushed, but in %s: %s", self.model.uri, ", ".join(others))

    def _source(self) -> str:
        """Return the folder to push: the one for servers, or else the first that there is."""
        served = self.model.serving_uri
        if os.path.exists(served):
            return served
        forms = self.model.forms
        return forms.get(Model.ONNX_FOLDER) or forms.get(Model.KERAS_FOLDER) or served

    def _objection(self) -> str:
        if self.model_blessing is not None and not self.model_blessing.blessed:
            reasons = self.model_blessing.custom_properties.get("reasons") or []
            return ": ".join(
                ["The model is not blessed", *(["; ".join(reasons)] if reasons else [])]
            )
        if self.infra_blessing is not None and not self.infra_blessing.blessed:
            return "The model did not pass the InfraValidator."
        return ""
