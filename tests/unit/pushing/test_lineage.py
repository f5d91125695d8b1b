from penstock.artifacts import Model, ModelBlessing
from penstock.pushing.lineage import lineage_of


def execution(upstream, metrics=None, **outputs):
    return {
        "upstream": upstream,
        "metrics": metrics or {},
        "outputs": {key: [value] for key, value in outputs.items()},
    }


EXECUTIONS = {
    "Gen": execution(
        [],
        examples={"type": "Examples", "id": 1, "uri": "/e/1", "fingerprint": "aa", "span": 3},
    ),
    "Transform": execution(
        ["Gen"], transformed={"type": "Examples", "id": 2, "uri": "/t/2", "fingerprint": "bb"}
    ),
    "Trainer": execution(
        ["Transform"], {"loss": 0.5}, model={"type": "Model", "id": 7, "uri": "/m/7"}
    ),
    "Evaluator": execution(
        ["Gen", "Trainer"], {"auc": 0.9}, blessing={"type": "ModelBlessing", "uri": "/b/8"}
    ),
}


def test_it_names_the_model_its_metrics_and_the_data_that_came_from_outside():
    found = lineage_of(
        Model("/m/7", id=7),
        blessing=ModelBlessing("/b/8"),
        executions=EXECUTIONS,
        facts={"run": "r", "code_version": "", "blessed": True, "infra_blessed": None},
    )
    assert found == {
        "run": "r",
        "blessed": True,
        "model": {"id": 7, "uri": "/m/7", "fingerprint": None},
        "metrics": {"auc": 0.9},
        "data": [{"node": "Gen", "id": 1, "uri": "/e/1", "fingerprint": "aa", "span": 3}],
    }


def test_without_a_verdict_the_metrics_are_those_of_the_training():
    found = lineage_of(Model("/m/7", id=7), executions=EXECUTIONS, facts={})
    assert found["metrics"] == {"loss": 0.5}


def test_a_model_from_outside_has_neither():
    found = lineage_of(Model("/m/9"), executions={}, facts={})
    assert (found["metrics"], found["data"]) == ({}, [])
