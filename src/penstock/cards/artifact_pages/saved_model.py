"""What is shown of a SavedModel: signatures, the features that they read, variables, size."""

from __future__ import annotations

from penstock.artifacts import location
from penstock.cards.artifact_pages.blocks import row_table, section
from penstock.cards.charts import MISSING
from penstock.cards.markup import Child, Markup, tag
from penstock.cards.tables import pill
from penstock.quantities import size
from penstock.serving import SavedModelInfo, Variable, inspect_saved_model, read_variables
from penstock.serving.signature import FeatureInput, Signature

Figures = list[tuple[object, str]]


def is_saved_model(uri: str) -> bool:
    """Return whether a SavedModel lies at a local folder."""
    return location.is_local(uri) and location.exists(f"{uri}/saved_model.pb")


def saved_model_content(uri: str) -> tuple[Figures, list[Child]]:
    """Return figures and sections about a SavedModel.

    Raises:
        penstock.serving.ModelError: If it is damaged.
    """
    info = inspect_saved_model(location.local_path(uri))
    variables = read_variables(info.path)
    figures: Figures = [
        (size(info.num_bytes), "in all"),
        (sum(each.size for each in variables), "parameters"),
        (len(info.signatures), "signature" if len(info.signatures) == 1 else "signatures"),
    ]
    body: list[Child] = [_signature(each) for each in _ordered(info)]
    if variables:
        body.append(section("Variables", _variables(variables)))
    return figures, body


def _ordered(info: SavedModelInfo) -> list[Signature]:
    first = sorted(info.inputs.values(), key=lambda each: each.name != "serving_default")
    return list(first)


def _signature(signature: Signature) -> Markup:
    takes = (
        "takes serialized tf.Examples with these features"
        if signature.takes_examples
        else "takes these tensors"
    )
    returns = ", ".join(signature.outputs) or "nothing"
    features = signature.features
    table: Child = tag("p", "The graph does not say which features it parses.")
    if features is not None:
        rows = [_input(name, each) for name, each in features.items()]
        table = row_table(["input", "type", "values per row", ""], rows)
    text = tag("p", f"It {takes}, and returns {returns}.")
    return section(f"Signature {signature.name}", text, table)


def _input(name: str, feature: FeatureInput) -> list[object]:
    shape = feature.shape
    if shape is None:
        values = "any number"
    else:
        sizes = ["any" if each < 0 else str(each) for each in shape]
        values = " x ".join(sizes) or "1"
    mark = pill("required", "good") if feature.required else pill("optional", "")
    return [tag("b", name), feature.dtype, values, mark]


def _variables(variables: list[Variable]) -> Markup:
    rows = [
        [each.name, each.dtype, " x ".join(map(str, each.shape)) or MISSING, each.size]
        for each in variables
    ]
    return row_table(["name", "type", "shape", "numbers"], rows)
