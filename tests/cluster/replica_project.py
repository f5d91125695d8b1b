"""The project and the pipeline of the tests of several replicas, and a cluster that runs its tasks."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from control_plane import Cluster
from kubernetes import client

from penstock.dsl import Pipeline, Resources
from penstock.testing.kubeflow import ContainerCall, Processes

MODULE = """
import json
import pathlib
import time

import keras

from penstock.training import export_model, fit


class Slow(keras.callbacks.Callback):
    # Leaves time to take a pod away, and says which weights are reached.
    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def on_epoch_end(self, epoch, logs=None):
        print(f"reached epoch {epoch + 1}", flush=True)
        time.sleep(self.seconds)


def run_fn(fn_args):
    config = fn_args.custom_config
    with fn_args.strategy.scope():
        inputs = {"x": keras.Input((1,), name="x")}
        model = keras.Model(inputs, keras.layers.Dense(1)(inputs["x"]))
        model.compile(keras.optimizers.Adam(0.05), "mse", **fn_args.compile_kwargs)
    print("begins as", fn_args.worker_index, "of", fn_args.num_workers, "at", fn_args.coordinator_address)
    history = fit(
        model,
        fn_args.dataset("train", label_key="y"),
        fn_args=fn_args,
        epochs=config["epochs"],
        callbacks=[Slow(config["seconds"])],
    )
    if fn_args.is_chief:
        weights = [float(each) for each in model.get_weights()[0].ravel()]
        bias = [float(each) for each in model.get_weights()[1].ravel()]
        folder = pathlib.Path(fn_args.model_run_dir)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights.json").write_text(json.dumps(weights + bias))
    export_model(model, fn_args.serving_model_dir, schema=fn_args.schema, label_key="y")
    return history
"""

# All that a node with several replicas needs.
ROLE = [
    {
        "apiGroups": ["trainer.kubeflow.org"],
        "resources": ["trainjobs", "trainingruntimes"],
        "verbs": ["get", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]},
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["get", "create", "delete"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get", "create", "delete"]},
]


def write_project(folder: Path) -> None:
    """Write the project: data on a line, and a module that trains on them."""
    (folder / "data").mkdir()
    rows = "".join(f"{i / 100},{3 * i / 100 - 1}\n" for i in range(96))
    (folder / "data/line.csv").write_text(f"x,y\n{rows}")
    (folder / "line.py").write_text(MODULE)
    (folder / "pyproject.toml").write_text("[tool.penstock]\n")


def line_pipeline(
    root: str, *, backend: str, distribution: str, config: dict[str, Any], resources: Resources
) -> Pipeline:
    """Return the pipeline; its data are Parquet, which JAX reads without TensorFlow."""
    from penstock.components import CsvExampleGen, SchemaGen, StatisticsGen, Trainer
    from penstock.training import TrainArgs

    example_gen = CsvExampleGen(input_base="data", output_file_format="parquet")
    statistics_gen = StatisticsGen(examples=example_gen.outputs["examples"])
    schema_gen = SchemaGen(statistics=statistics_gen.outputs["statistics"])
    trainer = Trainer(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        module_file="line.py",
        train_args=TrainArgs(batch_size=8),
        custom_config=config,
        backend=backend,
        distribution=distribution,
    ).with_resources(**resources.items())
    return Pipeline("line", root, [example_gen, statistics_gen, schema_gen, trainer])


class TrainerInPod:
    """A container engine whose Trainer is a pod of a cluster, and all else a process here.

    Args:
        cluster: The cluster.
        namespace: Where the pod is made.
        folder: The project and all that is written, for every pod at the same place.
        account: The pod's service account.
    """

    def __init__(self, cluster: Cluster, namespace: str, folder: Path, account: str) -> None:
        self._cluster, self._namespace = cluster, namespace
        self._folder, self._account = folder, account
        self._core = client.CoreV1Api(cluster.api())
        self._here = Processes(folder)
        self.name = ""

    def run(self, call: ContainerCall) -> tuple[int, str]:
        """Run a call, and return (exit code, what it printed)."""
        if not any('"replicas":' in each for each in call.command):
            return self._here.run(call)
        return self.wait(self.make(call))

    def make(self, call: ContainerCall) -> str:
        """Make the pod of a call and return its name."""
        fields = ("NAME", "UID", "NAMESPACE")
        container = {
            "name": "main",
            "image": "line:1",
            "command": list(call.command),
            "workingDir": str(self._folder),
            "env": [
                *({"name": name, "value": text} for name, text in call.environment.items()),
                *(
                    {
                        "name": f"PENSTOCK_POD_{each}",
                        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.{each.lower()}"}},
                    }
                    for each in fields
                ),
                # The folder that stands for a bucket makes folders as a bucket does.
                {"name": "FSSPEC_LOCAL_AUTO_MKDIR", "value": "true"},
                {"name": "PYTHONPATH", "value": ":".join(each for each in sys.path if each)},
            ],
            "volumeMounts": [{"name": "work", "mountPath": str(self._folder)}],
        }
        spec = {
            "serviceAccountName": self._account,
            "restartPolicy": "Never",
            # What processes of this machine wrote is the test's user's.
            "securityContext": {"runAsUser": os.getuid()},
            "containers": [container],
            "volumes": [{"name": "work", "hostPath": {"path": str(self._folder)}}],
        }
        metadata = {"generateName": "line-trainer-"}
        made = self._core.create_namespaced_pod(
            self._namespace, {"metadata": metadata, "spec": spec}
        )
        self.name = made.metadata.name
        return self.name

    def wait(self, name: str, seconds: float = 240.0) -> tuple[int, str]:
        """Wait until a pod has ended."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                pod = self._core.read_namespaced_pod(name, self._namespace)
            except client.ApiException as error:
                if error.status != 404:
                    raise
                return 137, "it was deleted"
            if pod.status.phase in ("Succeeded", "Failed"):
                (container,) = pod.status.container_statuses
                code = container.state.terminated.exit_code
                return code, self._cluster.agent.logs(name, namespace=self._namespace)
            time.sleep(0.5)
        raise TimeoutError(self._cluster.agent.logs(name, namespace=self._namespace))


class TrainJobs(threading.Thread):
    """Makes the Job of each TrainJob, as Kubeflow Trainer and JobSet do, until it is stopped.

    Args:
        cluster: The cluster.
        namespace: The namespace that it looks after.
    """

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        super().__init__(daemon=True)
        self._objects = client.CustomObjectsApi(cluster.api())
        self._batch = client.BatchV1Api(cluster.api())
        self._of = ("trainer.kubeflow.org", "v1alpha1", namespace)
        self._stopped = threading.Event()
        self.seen: list[dict[str, Any]] = []

    def run(self) -> None:
        """Look twice a second."""
        while not self._stopped.wait(0.5):
            found = self._objects.list_namespaced_custom_object(*self._of, "trainjobs")
            for each in found["items"]:
                if each["metadata"]["uid"] not in {one["metadata"]["uid"] for one in self.seen}:
                    self.seen.append(each)
                    self._make(each)

    def stop(self) -> None:
        """Stop."""
        self._stopped.set()
        self.join()

    def _make(self, train_job: dict[str, Any]) -> None:
        reference = train_job["spec"]["runtimeRef"]
        runtime = self._objects.get_namespaced_custom_object(
            *self._of, "trainingruntimes", reference["name"]
        )
        (replicated,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
        nodes = train_job["spec"]["trainer"]["numNodes"]
        spec = {**replicated["template"]["spec"], "completionMode": "Indexed"}
        spec |= {"parallelism": nodes, "completions": nodes}
        owner = {
            "apiVersion": train_job["apiVersion"],
            "kind": "TrainJob",
            "name": train_job["metadata"]["name"],
            "uid": train_job["metadata"]["uid"],
        }
        metadata = {
            "name": f"{train_job['metadata']['name']}-{replicated['name']}-0",
            "ownerReferences": [owner],
        }
        self._batch.create_namespaced_job(self._of[2], {"metadata": metadata, "spec": spec})


def pods_of(cluster: Cluster, namespace: str) -> list[Any]:
    """Return the pods that a node's pod has made."""
    return client.CoreV1Api(cluster.api()).list_namespaced_pod(
        namespace, label_selector="penstock/group"
    ).items  # fmt: skip
