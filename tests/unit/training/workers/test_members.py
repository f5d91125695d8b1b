"""Who is in a group, and what each finds in its environment."""

import json

import pytest

from penstock.training.workers.members import Shape, members_of, places_of


def _members(shape):
    places = places_of(shape)
    members = members_of(shape, [f"10.0.0.{each}:2222" for each in range(len(places))])
    assert [each.name for each in places] == [each.name for each in members]
    return members


@pytest.fixture(autouse=True)
def no_settings(monkeypatch):
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "PYTHONHASHSEED", "XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)


def test_workers_know_each_other_and_wait_for_the_first():
    chief, second, third = _members(Shape("multi_worker", "tensorflow", replicas=3))
    assert [each.name for each in (chief, second, third)] == ["chief", "worker 1", "worker 2"]
    assert [each.is_chief for each in (chief, second, third)] == [True, False, False]
    config = json.loads(third.environment["TF_CONFIG"])
    assert config == third.fields["tf_config"]
    assert config["task"] == {"type": "worker", "index": 2}
    addresses = config["cluster"]["worker"]
    assert len(set(addresses)) == 3
    assert chief.waits_for == {}
    assert second.waits_for == {"the chief": addresses[0]}
    assert third.fields["coordinator_address"] == addresses[0]
    assert (third.fields["num_workers"], third.fields["worker_index"]) == (3, 2)
    assert third.environment["KERAS_BACKEND"] == "tensorflow"


def test_parameter_servers_and_workers_serve_a_chief_that_waits_for_all():
    members = _members(
        Shape(
            "parameter_server",
            "tensorflow",
            replicas=2,
            parameter_servers=1,
            accelerators=("GPU:3", "GPU:5"),
        )
    )
    chief, *others = members
    assert [each.name for each in members] == ["chief", "worker 0", "worker 1", "ps 0"]
    assert [each.role for each in members] == ["trains", "serves", "serves", "serves"]
    assert [each.is_spare for each in members] == [False, True, True, False]
    assert [each.is_chief for each in members] == [True, False, False, False]
    assert set(chief.waits_for) == {"worker 0", "worker 1", "ps 0"}
    assert chief.fields["num_workers"] == 2
    seen = [each.environment["CUDA_VISIBLE_DEVICES"] for each in members]
    assert seen == ["-1", "3", "5", "-1"]
    assert json.loads(others[2].environment["TF_CONFIG"])["task"] == {"type": "ps", "index": 0}


def test_accelerators_are_split_among_the_replicas():
    shape = Shape("data_parallel", "jax", 2, accelerators=("GPU:0", "GPU:1", "GPU:6", "GPU:7"))
    chief, second = _members(shape)
    assert chief.environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert second.environment["CUDA_VISIBLE_DEVICES"] == "6,7"
    assert "TF_CONFIG" not in chief.environment
    assert second.waits_for == {"the chief": chief.fields["coordinator_address"]}
    tpu = _members(Shape("data_parallel", "jax", 2, accelerators=("TPU:0", "TPU:1")))
    assert [each.environment["TPU_VISIBLE_CHIPS"] for each in tpu] == ["0", "1"]


def test_one_process_sees_what_the_attempt_sees():
    (alone,) = _members(Shape("none", "torch"))
    assert (alone.name, alone.is_chief) == ("torch", True)
    assert alone.environment["KERAS_BACKEND"] == "torch"
    assert "OMP_NUM_THREADS" not in alone.environment
    assert "CUDA_VISIBLE_DEVICES" not in alone.environment


def test_threads_follow_the_cores_and_the_users_own_setting_wins(monkeypatch):
    shape = Shape("multi_worker", "tensorflow", 2, cpu=1.5)
    assert _members(shape)[1].environment["TF_NUM_INTRAOP_THREADS"] == "2"
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    assert "TF_NUM_INTRAOP_THREADS" not in _members(shape)[1].environment


def test_with_a_machine_each_nobody_divides_its_cores():
    shape = Shape("multi_worker", "tensorflow", 2, machine_each=True)
    assert "TF_NUM_INTRAOP_THREADS" not in _members(shape)[0].environment
    shape = Shape("parameter_server", "tensorflow", 2, 1)
    assert [each.computes for each in places_of(shape)] == [False, True, True, False]


def test_determinism_is_xlas_option_beside_the_users_flags(monkeypatch):
    shape = Shape("none", "jax", deterministic=True)
    monkeypatch.setenv("XLA_FLAGS", "--xla_dump_to=/tmp/x")
    (alone,) = _members(shape)
    flags = alone.environment["XLA_FLAGS"]
    assert flags == "--xla_dump_to=/tmp/x --xla_gpu_deterministic_ops=true"
    assert "XLA_FLAGS" not in _members(Shape("none", "jax"))[0].environment
