"""What may be declared about training, and what goes together."""

import pytest

from penstock import Resources
from penstock.components import Trainer, Transform
from penstock.dsl.exceptions import ParameterError
from penstock.training.declared import (
    DISTRIBUTIONS,
    check_declared,
    check_processes,
    require_backend,
    trains_here,
)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (("miror", "tensorflow"), r"distribution must be one of .* Did you mean 'mirrored'"),
        (("none", "tensorfow"), r"backend must be one of .* Did you mean 'tensorflow'"),
        (("none", "jax", None, "eror"), "doctor must be one of .* Did you mean 'error'"),
        (("mirrored", "jax"), "works with backend='tensorflow'.*'none' or 'data_parallel'"),
        (("multi_worker", "torch"), "works with backend='tensorflow'.*distribution 'none'"),
        (("parameter_server", "jax"), "works with backend='tensorflow'"),
        (("tpu", "jax"), "works with backend='tensorflow'"),
        (("data_parallel", "tensorflow"), "backend='jax'. On TensorFlow .* on one device"),
        (("data_parallel", "torch"), "works with backend='jax'"),
    ],
)
def test_what_does_not_go_together_is_refused(declared, message):
    with pytest.raises(ValueError, match=message):
        check_declared(*declared)


def test_jit_compile_is_none_or_a_bool():
    check_declared("none", "jax", False)
    with pytest.raises(
        TypeError, match="jit_compile must be None, True or False. Received: 'auto'"
    ):
        check_declared("none", "jax", "auto")


@pytest.mark.parametrize(
    ("distribution", "replicas", "servers", "message"),
    [
        ("none", 2, 0, "runs in one process. Several processes take distribution 'multi_worker'"),
        ("mirrored", 2, 0, "Its replicas are the devices that this process sees"),
        ("tpu", 3, 0, "runs in one process"),
        ("multi_worker", 1, 0, r"needs two or more .*with_resources\(replicas=2\)"),
        ("multi_worker", 2, 1, "has no parameter servers; 'parameter_server' has"),
        ("parameter_server", 2, 0, "such as .*replicas=2, parameter_servers=1"),
    ],
)
def test_a_number_of_processes_that_a_distribution_cannot_have(
    distribution, replicas, servers, message
):
    with pytest.raises(ValueError, match=message):
        check_processes(distribution, replicas, servers)


def test_a_number_of_processes_that_it_can_have():
    for distribution, replicas, servers in (
        ("none", 1, 0),
        ("mirrored", 1, 0),
        ("multi_worker", 3, 0),
        ("parameter_server", 1, 2),
        ("data_parallel", 1, 0),
        ("data_parallel", 4, 0),
    ):
        check_processes(distribution, replicas, servers, batch_size=12)
    with pytest.raises(ValueError, match="batch_size=10 for 4 replicas. Use 8 or 12."):
        check_processes("data_parallel", 4, 0, 10)


def test_which_process_trains():
    assert {name for name in DISTRIBUTIONS if trains_here(name, "tensorflow")} == {
        "none",
        "mirrored",
        "tpu",
    }
    assert not trains_here("none", "jax")


def test_a_backend_that_is_not_installed_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs PyTorch, .* pip install 'penstock-ml\[torch\]'"):
        require_backend("torch")
    with pytest.raises(ImportError, match=r"needs TensorFlow, .* 'penstock-ml\[run\]'"):
        require_backend("tensorflow")


def test_resources_count_processes():
    resources = Resources(accelerator="nvidia-l4", accelerator_count=2, replicas=3)
    assert resources.accelerators_in_all == 6
    assert Resources(replicas=3).accelerators_in_all == 0
    for fields, message in (
        ({"replicas": 0}, "replicas is a whole number of 1 or more. Received: 0"),
        ({"replicas": True}, "replicas is a whole number of 1 or more"),
        ({"parameter_servers": -1}, "parameter_servers is a whole number of 0 or more"),
    ):
        with pytest.raises(ParameterError, match=message):
            Resources(**fields)


def test_a_component_that_runs_in_one_process_refuses_more():
    with pytest.raises(ParameterError, match="Transform runs in one process"):
        Transform.check_resources(object.__new__(Transform), Resources(replicas=2))
    with pytest.raises(ParameterError, match=r"Resources\(parameter_servers=1\)"):
        Transform.check_resources(object.__new__(Transform), Resources(parameter_servers=1))


def test_a_trainer_says_what_its_process_needs():
    from penstock.artifacts import Examples

    def trainer(**declared):
        return Trainer(examples=Examples("e"), run_fn="modules.taxi.run_fn", **declared)

    assert trainer().runs_tensorflow()
    assert trainer(distribution="mirrored").runs_tensorflow()
    assert not trainer(backend="jax").runs_tensorflow()
    assert not trainer(distribution="multi_worker").runs_tensorflow()
    assert trainer(backend="jax").keyed_libraries()[0] == "jax"
    with pytest.raises(ValueError, match="Received: 'tensor'. Did you mean 'tensorflow'"):
        trainer(backend="tensor")
