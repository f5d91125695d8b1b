"""The page of all metrics says of each name of TFMA and Keras what is true.

python tests/docs/test_metrics_page.py    # writes docs/metrics.md anew, from the installed packages
"""

import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.evaluation.metrics.catalog import CATALOG
from penstock.evaluation.metrics.declarations import REFUSED

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

HEAD = """# Metrics

The metrics that an EvalConfig may name in `MetricConfig.class_name`, and how each is computed. A test makes this page
from the installed packages: TensorFlow Model Analysis 0.52 and Keras 3.

* **native**: in one pass with the other metrics, on every core, within 1e-6 of TFMA's (or Keras's) value. Where TFMA is
  wrong or fails, [the deviations](deviations.md) say what is done instead.
* **by TFMA on Beam**: TFMA evaluates the model a second time, in a process of its own with Beam's local runner, and
  its values are put beside the others. The log names these metrics. It reads SavedModels and TFRecords. So are your own
  metric classes that are derived from TFMA's.
* **refused**, with the reason, when the Evaluator is defined.

Every native metric of labels and predictions can be binarized by class or rank (`binarize`) and averaged over classes
(`aggregate`: micro, macro, weighted macro, with `class_weights`), unless its line says otherwise. `name` is an argument
of all.

"""
INTROS = {
    "tfma": """## TFMA's metrics

With no `module`, or with `module="tensorflow_model_analysis"`. A name that TFMA and Keras share is TFMA's, as there.

""",
    "fairness": """## Metrics of fairness-indicators

The metric classes that the package fairness-indicators 0.52 adds to TFMA's, with no `module`.

""",
    "keras.metrics": """## Keras's metrics

With no `module`, or with `module="keras.metrics"`.

""",
    "keras.losses": """## Keras's losses

With `module="keras.losses"`. The value is the weighted mean of the loss over the rows. Those that are not also the name of
a metric need no module.

""",
}
FAIRNESS = ("FairnessIndicators", "FlipCount", "FlipRate", "Lift")
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def render(names):
    """Return the page's text, from the names of each kind."""
    text = HEAD
    for kind, intro in INTROS.items():
        text += intro + "| name | how | arguments |\n| --- | --- | --- |\n"
        text += "".join(row(kind, name) for name in sorted(names[kind])) + "\n"
    return text.rstrip() + "\n"


def row(kind, name):
    """Return a name's line of the table."""
    loss = f"losses.{name}"
    key = loss if kind == "keras.losses" and loss in CATALOG else name
    if reason := REFUSED.get(f"{kind}.{name}"):
        return f"| `{name}` | refused: {reason} | |\n"
    found = CATALOG[key]
    notes = []
    if found.ranks:
        notes.append("needs `query_key` in its MetricsSpec")
    if found.compares:
        notes.append("compares with the baseline; bound it by a `change_threshold`")
    if found.is_plot:
        notes.append("a plot")
    if found.is_attribution:
        notes.append("of the outputs `attributions/FEATURE`")
    if not found.needs_label and not (
        found.by_tfma or found.ranks or found.compares or found.is_attribution
    ):
        notes.append("needs no label")
    if found.ignores_weights:
        notes.append("weights do not count")
    if not found.binarizes:
        notes.append("not by class")
    elif not found.aggregates:
        notes.append("no average over classes")
    if found.values is not None:
        notes.append("several values, named after their thresholds")
    how = "by TFMA on Beam" if found.by_tfma else "native"
    arguments = ", ".join(
        f"`{each}`" + (" (required)" if each in found.required else "") for each in found.arguments
    )
    return f"| `{name}` | {'; '.join([how, *notes])} | {arguments} |\n"


def names_on_page():
    """Return the names that the page has, by kind."""
    parts = re.split(r"^## .*$", PAGE.read_text(), flags=re.MULTILINE)[1:]
    return {kind: ROW.findall(part) for kind, part in zip(INTROS, parts, strict=True)}


def keras_names():
    """Return the classes of the installed Keras."""
    return {
        f"keras.{kind}": [n for n, c in vars(module).items() if inspect.isclass(c)]
        for kind in ("metrics", "losses")
        for module in [importlib.import_module(f"keras.{kind}")]
    }


def tfma_names():
    """Return the metric classes of the installed TFMA, from a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--tfma"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def registered_by_tfma():
    """Return the names that TFMA's modules register."""
    from tensorflow_model_analysis import metrics
    from tensorflow_model_analysis.metrics import metric_types

    for module in pkgutil.iter_modules(metrics.__path__):
        if not module.name.endswith("_test"):
            importlib.import_module(f"{metrics.__name__}.{module.name}")
    return sorted(metric_types.registered_metrics())


def test_the_page_says_what_the_table_says():
    assert PAGE.read_text() == render(names_on_page()), f"run: python {__file__}"


def test_each_metric_of_the_table_is_on_the_page():
    on_page = {name for names in names_on_page().values() for name in names}
    assert {key.rpartition(".")[2] for key in (*CATALOG, *REFUSED)} == on_page


@pytest.mark.tensorflow
def test_each_metric_and_loss_of_keras_is_on_the_page():
    on_page = names_on_page()
    for kind, names in keras_names().items():
        assert sorted(on_page[kind]) == sorted(names)


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.skipif(
    importlib.util.find_spec("tensorflow_model_analysis") is None, reason="TFMA is not installed"
)
def test_each_metric_of_tfma_is_on_the_page():
    assert sorted(names_on_page()["tfma"]) == tfma_names()


if __name__ == "__main__":
    if "--tfma" in sys.argv:
        json.dump(registered_by_tfma(), sys.stdout)
    else:
        names = {"tfma": tfma_names(), "fairness": FAIRNESS, **keras_names()}
        PAGE.write_text(render(names))
