"""The code of docs/evaluation.md runs."""

import re
from pathlib import Path
from types import ModuleType

import pytest

from penstock.evaluation import evaluate

PAGE = Path(__file__).parents[3] / "docs/evaluation.md"
BLOCKS = re.findall(r"^ *```python([^\n]*)\n(.*?)^ *```", PAGE.read_text(), flags=re.S | re.M)


@pytest.fixture(scope="module")
def metrics() -> ModuleType:
    """What the guide writes into modules/metrics.py."""
    code = "".join(block for title, block in BLOCKS if "modules/metrics.py" in title)
    found = ModuleType("modules.metrics")
    exec(compile(code, str(PAGE), "exec"), found.__dict__)
    return found


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("name", "config"), [("within", '"tolerance": 0.5'), ("FBeta", '"beta": 2')]
)
def test_the_metrics_of_the_guide_are_computed(files, model, metrics, name, config):
    metric = {"class_name": name, "module": "modules.metrics", "config": config}
    given = {
        "model_specs": [{"label_key": "positive", "prediction_key": "positive"}],
        "metrics_specs": [{"metrics": [metric]}],
    }
    found = evaluate(files, model=model, eval_config=given, modules={"modules.metrics": metrics})
    ((key, value),) = found.metrics().items()
    assert key in ("within", "f_beta")
    assert 0 < value < 1
