"""Which code an execution's key holds."""

import pytest

from penstock import Pipeline
from penstock.components import CsvExampleGen, Evaluator, Trainer
from penstock.graph import compile_pipeline
from penstock.launch.attempt import RunSettings
from penstock.launch.cache_key import CacheKeys
from penstock.launch.digest_memo import DigestMemo

METRICS = "class FBeta:\n    beta = 1\n\nclass Other:\n    pass\n"


@pytest.fixture
def code_of(tmp_path):
    """The code in the key of an Evaluator with a metric of one's own."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/model.py").write_text("def run_fn(args):\n    pass\n")

    def code(text: str, module: str, module_file: str | None = None):
        (tmp_path / "ours/metrics.py").write_text(text)
        gen = CsvExampleGen(input_base="data")
        trainer = Trainer(examples=gen.outputs["examples"], module_file="ours/model.py")
        metric = {"class_name": "FBeta", "module": module}
        evaluator = Evaluator(
            examples=gen.outputs["examples"],
            model=trainer.outputs["model"],
            eval_config={
                "model_specs": [{"label_key": "y"}],
                "metrics_specs": [{"metrics": [metric]}],
            },
            module_file=module_file,
        )
        graph = compile_pipeline(Pipeline("p", components=[gen, trainer, evaluator]))
        keys = CacheKeys(RunSettings("r", "p", "/r", str(tmp_path)), DigestMemo())
        (node,) = (each for each in graph.nodes if each.id == "Evaluator")
        return keys.parts(node, {})["code"]

    return code


@pytest.mark.parametrize("module_file", [None, "ours/metrics.py"])
def test_the_module_of_a_metric_of_ones_own_is_in_the_key(code_of, module_file):
    module = "metrics" if module_file else "ours.metrics"
    before = code_of(METRICS, module, module_file)
    after = code_of(METRICS.replace("beta = 1", "beta = 2"), module, module_file)
    changed = {name for name in after if before.get(name) != after[name]}
    assert changed
    assert all(name.startswith("ours.metrics") for name in changed)
    assert code_of(METRICS + "# a remark\n", module, module_file) == before
