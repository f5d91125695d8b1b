"""The page of a Model: its SavedModel, and the forms that it has."""

from __future__ import annotations

import json
import os

from penstock.artifacts import Artifact, Model, location
from penstock.cards.artifact_pages.blocks import fact_table, row_table, section, tiles, verdict
from penstock.cards.artifact_pages.saved_model import is_saved_model, saved_model_content
from penstock.cards.html_page import PageContent
from penstock.cards.markup import Child, Markup
from penstock.quantities import size
from penstock.serving.estimator import DESCRIPTION, is_estimator
from penstock.serving.labels import read_labels

_MOST_NAMES = 50
_SAID = {
    Model.SERVING_FOLDER: "what servers, the Evaluator and load_model take",
    Model.EVAL_FOLDER: "a SavedModel for evaluation alone",
    Model.KERAS_FOLDER: "keras.saving.load_model",
    Model.WEIGHTS_FOLDER: "model.load_weights of the same architecture",
    Model.TFLITE_FOLDER: "an interpreter of LiteRT (TFLite)",
    Model.ONNX_FOLDER: "ONNX Runtime and other runtimes",
}


def content(artifact: Artifact) -> PageContent:
    """Return the content of the page."""
    assert isinstance(artifact, Model)
    forms = _forms(artifact)
    serving = artifact.serving_uri
    if location.is_local(serving) and is_estimator(location.local_path(serving)):
        return _estimator(location.local_path(serving), forms)
    if not is_saved_model(serving):
        title = f"There is no SavedModel, in {Model.SERVING_FOLDER} or by itself"
        return PageContent(head=[verdict(title)], body=forms)
    figures, body = saved_model_content(serving)
    return PageContent(
        head=[tiles(figures)], body=[*forms, *_labels(location.local_path(serving)), *body]
    )


def _forms(model: Model) -> list[Child]:
    """Return the forms with their files and sizes."""
    rows: list[list[object]] = []
    for name, uri in model.forms.items():
        files = location.list_files(uri)
        # A SavedModel is one thing; in the other folders each file is a model.
        if name in (Model.SERVING_FOLDER, Model.EVAL_FOLDER):
            files = [("", sum(each for _, each in files))]
        rows += [[os.path.join(name, file), size(each), _SAID[name]] for file, each in files]
    return [section("Forms", row_table(["form", "size", "read by"], rows))] if rows else []


def _labels(path: str) -> list[Child]:
    """Return the class names and the vocabularies that travel along."""
    labels = read_labels(path)
    rows = [[name, len(labels.vocabulary(name))] for name in labels.vocabularies]
    found: list[Child] = []
    if labels.class_names:
        more = len(labels.class_names) - _MOST_NAMES
        listed = ", ".join(labels.class_names[:_MOST_NAMES])
        found.append(section("Classes", f"{listed} and {more:,} more" if more > 0 else listed))
    if rows:
        found.append(section("Vocabularies", row_table(["name", "words"], rows)))
    return found


def _estimator(path: str, forms: list[Child]) -> PageContent:
    said = {}
    if os.path.isfile(f"{path}/{DESCRIPTION}"):
        with open(f"{path}/{DESCRIPTION}") as file:
            said = json.load(file)
    facts: Markup = fact_table(
        {
            "estimator": said.get("estimator"),
            "features": ", ".join(said.get("feature_keys", ())),
            "classes": ", ".join(said.get("class_names", ())),
            "label": said.get("label_key"),
            "scikit-learn": said.get("scikit-learn"),
        }
    )
    return PageContent(
        head=[verdict("A scikit-learn estimator")], body=[section("Estimator", facts), *forms]
    )
