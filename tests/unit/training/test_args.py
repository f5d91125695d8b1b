import pytest

from penstock.dsl import RuntimeParameter
from penstock.dsl.values import decode, encode
from penstock.training import EvalArgs, FnArgs, TrainArgs, TuneArgs
from penstock.training.declared import check_distribution
from penstock.training.reproducibility import check_precision


@pytest.mark.parametrize("args", [TrainArgs(["train"], 7), EvalArgs(), TuneArgs(2)])
def test_arguments_survive_json(args):
    assert decode(encode(args)) == args


def test_steps_may_be_a_runtime_parameter():
    steps = RuntimeParameter("steps", int, 100, "steps")
    assert encode(TrainArgs(num_steps=steps))["fields"]["num_steps"] == {
        "$runtime_parameter": "steps"
    }


def test_faulty_arguments_are_named():
    with pytest.raises(ValueError, match="TrainArgs.num_steps must not be negative. Received: -1"):
        TrainArgs(num_steps=-1)
    with pytest.raises(TypeError, match="EvalArgs.splits is a list of names. Received: 'eval'"):
        EvalArgs("eval")
    for splits in (3, [3], [None]):
        with pytest.raises(TypeError, match="TrainArgs.splits is a list of names. Received: "):
            TrainArgs(splits)
    with pytest.raises(
        TypeError, match="TrainArgs.num_steps must be a whole number. Received: '3'"
    ):
        TrainArgs(num_steps="3")
    with pytest.raises(TypeError, match="takes no argument 'num_step'. Did you mean 'num_steps'"):
        EvalArgs(num_step=3)
    with pytest.raises(ValueError, match="num_parallel_trials must not be negative. Received: -2"):
        TuneArgs(-2)
    with pytest.raises(ValueError, match="Received: 'miror'. Did you mean 'mirrored'"):
        check_distribution("miror")
    with pytest.raises(ValueError, match="Received: 'mixed_bf16'. Did you mean 'mixed_bfloat16'"):
        check_precision("mixed_bf16")


def test_hyperparameter_values_are_those_of_the_config():
    assert FnArgs().hyperparameter_values == {}
    assert FnArgs(hyperparameters={"space": [], "values": {"units": 8}}).hyperparameter_values == {
        "units": 8
    }


def test_steps_may_be_numpys_and_a_split_is_named_once():
    import numpy as np

    assert type(TrainArgs(num_steps=np.int64(3)).num_steps) is int
    with pytest.raises(ValueError, match="must not be negative. Received: -3"):
        EvalArgs(num_steps=np.int64(-3))
    with pytest.raises(ValueError, match="TrainArgs.splits names 'train' twice"):
        TrainArgs(["train", "eval", "train"])


def test_a_batch_size_is_a_whole_number_and_divides_by_the_replicas():
    assert decode(encode(TrainArgs(batch_size=64))).batch_size == 64
    with pytest.raises(ValueError, match="EvalArgs.batch_size must not be negative. Received: -1"):
        EvalArgs(batch_size=-1)
    alone = FnArgs(backend="jax", global_batch_size=12)
    assert (alone.num_replicas, alone.per_replica_batch_size) == (1, 12)
    servers = FnArgs(distribution="parameter_server", num_workers=3, global_batch_size=12)
    assert (servers.num_replicas, servers.per_replica_batch_size) == (3, 4)
    servers.num_workers = 5
    with pytest.raises(ValueError, match="batch_size=12 for 5 replicas. Use 10 or 15."):
        _ = servers.per_replica_batch_size


def test_what_keras_compile_is_given_follows_from_the_declaration():
    assert FnArgs().compile_kwargs == {}
    assert FnArgs(jit_compile=False).compile_kwargs == {"jit_compile": False}
