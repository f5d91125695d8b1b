"""What Dataflow is asked for, field by field, against a stand-in on loopback."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import tarfile
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from penstock.beam import BeamSetup
from penstock.beam.statistics import CombineShards
from penstock.components import CsvExampleGen
from penstock.data_validation import StatsOptions
from penstock.data_validation.statistics.generate import SlicedStatistics
from penstock.io import read_record_batches
from penstock.launch.project_archive import pack_project
from penstock.testing import ComponentFailed, run_component

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("google.cloud.dataflow_v1beta3") is None
        if importlib.util.find_spec("google.cloud")
        else True,
        reason="needs penstock-ml[gcp]",
    ),
    # Of google-cloud-storage and google-auth, about their own dependencies.
    pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning"),
]

IMAGE = "europe-docker.pkg.dev/forest/images/penstock:1.2"


@pytest.fixture(scope="module")
def cloud():
    path = Path(__file__).with_name("google_cloud.py")
    spec = importlib.util.spec_from_file_location("google_cloud_stand_in", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.GoogleCloud() as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", cloud.url)
        patch.setenv("GOOGLE_CLOUD_PROJECT", "forest")
        yield cloud


@pytest.fixture(scope="module")
def arguments(cloud) -> list[str]:
    return [
        "--runner=DataflowRunner",
        f"--dataflow_endpoint={cloud.url}",
        "--no_auth",
        "--project=forest",
        "--region=europe-west4",
        "--temp_location=gs://bucket/temp",
        "--staging_location=gs://bucket/staging",
        f"--sdk_container_image={IMAGE}",
        "--sdk_location=container",
        "--num_workers=3",
        "--max_num_workers=20",
        "--autoscaling_algorithm=THROUGHPUT_BASED",
        "--machine_type=n2-standard-8",
        "--disk_size_gb=100",
        "--subnetwork=regions/europe-west4/subnetworks/workers",
        "--no_use_public_ips",
        "--service_account_email=workers@forest.iam.gserviceaccount.com",
        "--labels=team=trees",
        "--dataflow_service_options=enable_prime",
    ]


def submit(arguments, project: Path, scratch: Path) -> None:
    """Statistics of a split, as StatisticsGen runs them."""
    labels = {"pipeline": "Forest", "node": "StatisticsGen", "run": "2026-11-21T10:00"}
    engine = BeamSetup(arguments, str(project), str(scratch), labels)
    with engine.pipeline() as pipeline:
        _ = pipeline | CombineShards(
            {"train": ["gs://bucket/examples/Split-train/data_tfrecord-00000-of-00001.gz"]},
            read_record_batches,
            functools.partial(SlicedStatistics, StatsOptions()),
            None,
        )


@pytest.fixture(scope="module")
def job(cloud, arguments, project, tmp_path_factory):
    """The request that Dataflow got."""
    submit(arguments, project, tmp_path_factory.mktemp("scratch"))
    return cloud.jobs[-1]


def test_the_job_request(job):
    assert job["name"].startswith("forest-statisticsgen-2026-11-21t10-00")
    assert job["type"] in ("JOB_TYPE_BATCH", 1)
    assert (job["projectId"], job["location"]) == ("forest", "europe-west4")
    assert job["labels"] == {
        "team": "trees",
        "penstock-pipeline": "forest",
        "penstock-node": "statisticsgen",
        "penstock-run": "2026-11-21t10-00",
    }
    environment = job["environment"]
    assert environment["serviceAccountEmail"] == "workers@forest.iam.gserviceaccount.com"
    assert environment["tempStoragePrefix"].startswith(
        "storage.googleapis.com/bucket/temp/forest-statisticsgen-2026-11-21t10-00."
    )
    assert environment["serviceOptions"] == ["enable_prime"]
    (pool,) = environment["workerPools"]
    assert pool["numWorkers"] == 3
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    assert pool["autoscalingSettings"]["algorithm"] in ("AUTOSCALING_ALGORITHM_BASIC", 2)
    assert pool["machineType"] == "n2-standard-8"
    assert pool["diskSizeGb"] == 100
    assert pool["subnetwork"] == "regions/europe-west4/subnetworks/workers"
    assert pool["ipConfiguration"] in ("WORKER_IP_PRIVATE", 2)
    assert pool["workerHarnessContainerImage"] == IMAGE
    (image,) = pool["sdkHarnessContainerImages"]
    assert image["containerImage"] == IMAGE


def test_the_archive_is_staged_and_named_to_the_workers(job, cloud, project):
    _, digest = pack_project(str(project))
    name = f"{digest}.tar.gz"
    (pool,) = job["environment"]["workerPools"]
    locations = {package["name"]: package["location"] for package in pool["packages"]}
    folder = locations[name].removeprefix("storage.googleapis.com/").removesuffix(f"/{name}")
    assert folder.startswith("bucket/staging/")
    staged = cloud.objects[f"gs://{folder}/{name}"]
    assert hashlib.sha256(staged).hexdigest() == digest
    with tarfile.open(fileobj=io.BytesIO(staged)) as archive:
        names = archive.getnames()
    assert {"forest/evergreens.py", "forest/evergreens.txt", "forest/features.py"} <= set(names)
    options = job["environment"]["sdkPipelineOptions"]["options"]
    assert options["penstock_project"].endswith(name)
    assert "penstock.beam.worker_plugin" in options["beam_plugins"]
    # The pipeline itself says the same: Dataflow's workers follow it.
    pipeline = beam_runner_api_pb2.Pipeline.FromString(
        cloud.objects["gs://" + options["pipelineUrl"].removeprefix("gs://")]
    )
    payloads = [
        beam_runner_api_pb2.ArtifactUrlPayload.FromString(dependency.type_payload)
        for environment in pipeline.components.environments.values()
        for dependency in environment.dependencies
    ]
    assert {(p.url, p.sha256) for p in payloads if p.url.endswith(name)} == {
        (f"gs://{folder}/{name}", digest)
    }


@pytest.mark.slow
def test_a_failed_job_is_an_error(cloud, arguments, project, tmp_path, monkeypatch):
    from apache_beam.runners.dataflow.dataflow_runner import DataflowRuntimeException

    monkeypatch.setattr(cloud, "state", "JOB_STATE_FAILED")
    with pytest.raises(DataflowRuntimeException, match="Dataflow pipeline failed"):
        submit(arguments, project, tmp_path)


def test_a_job_that_a_lost_try_left_is_cancelled_first(
    cloud, arguments, project, tmp_path, monkeypatch, caplog
):
    """Dataflow takes no second job of a name, and a retry of the node has the same."""
    monkeypatch.setattr("penstock.beam.leftover_jobs._LOOK_EVERY", 0.01)
    labels = {"pipeline": "forest", "node": "Trees", "run": "7"}
    lost = cloud.keep_running("forest-trees-7")
    engine = BeamSetup(arguments, str(project), str(tmp_path), labels)
    with engine.pipeline() as pipeline:
        _ = pipeline | beam.Create([1])
    assert cloud.running == {}
    assert cloud.jobs[-1]["name"] == "forest-trees-7"
    assert cloud.jobs[-1]["id"] != lost
    assert f"Cancelling the job {lost} of an earlier try" in caplog.text
    # Not one that the user named: it may be another's.
    cloud.keep_running("mine")
    engine = BeamSetup((*arguments, "--job_name=mine"), str(project), str(tmp_path), labels)
    with pytest.raises(Exception, match="already active job named mine"), engine.pipeline() as p:
        _ = p | beam.Create([1])
    assert cloud.running.pop("mine")


def test_folders_of_this_machine_are_refused(cloud, arguments, few_trees, tmp_path):
    before = len(cloud.jobs)
    component = CsvExampleGen(input_base=str(few_trees)).with_beam_pipeline_args(arguments)
    with pytest.raises(
        ComponentFailed, match="Dataflow's workers cannot reach the folder .*on this machine"
    ):
        run_component(component, tmp_path, project_root=tmp_path)
    assert len(cloud.jobs) == before
