"""What serves a model: the servers' files, manifests, the compose file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.dsl import ParameterError, Resources
from penstock.kubeflow.serving.compose import compose
from penstock.kubeflow.serving.manifests import deployment, inference_service, to_yaml
from penstock.kubeflow.serving.settings import Served, ServingSettings
from penstock.server.config_file import read_config

MODEL = Served(
    "penguin", "gs://bucket/penguin", alias="champion", versions={"champion": 6, "canary": 7}
)
CANARY = Served(
    "penguin",
    "gs://bucket/penguin",
    alias="champion",
    versions={"champion": 6, "canary": 7, "next": 8},
    canaries={"canary": 0.1, "next": 0.2},
)


def _by_kind(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["kind"]: each for each in manifests}


def _server_config(manifests: list[dict[str, Any]], tmp_path: Path) -> Any:
    """Return the file that the server is given, read as the server does."""
    file = tmp_path / "serve.json"
    file.write_text(_by_kind(manifests)["ConfigMap"]["data"]["serve.json"])
    return read_config(str(file))


def test_the_servers_file_is_read_by_the_server(tmp_path: Path) -> None:
    config = _server_config(deployment(CANARY, ServingSettings()), tmp_path)

    (source,) = config.models
    assert (source.name, source.folder, source.default_label) == (
        "penguin",
        "gs://bucket/penguin",
        "champion",
    )
    assert {str(target): share for target, share in source.traffic.split} == {
        "champion": 0.7,
        "canary": 0.1,
        "next": 0.2,
    }
    assert (config.host, config.port, config.grpc_port) == ("0.0.0.0", 8501, 8500)
    assert config.access.insecure


def test_tokens_and_tls_come_from_secrets(tmp_path: Path) -> None:
    settings = ServingSettings(token_secret=("access", "tokens"), tls_secret="certificate")
    manifests = deployment(MODEL, settings)

    told = json.loads(_by_kind(manifests)["ConfigMap"]["data"]["serve.json"])
    assert told["token_file"] == "/etc/model-server-tokens/tokens"
    assert told["tls_cert"] == "/etc/model-server-tls/tls.crt"
    assert "insecure" not in told
    pod = _by_kind(manifests)["Deployment"]["spec"]["template"]["spec"]
    secrets = [each["secret"]["secretName"] for each in pod["volumes"] if "secret" in each]
    assert secrets == ["access", "certificate"]
    (container,) = pod["containers"]
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"


def test_replicas_scale_by_use_and_are_not_all_evicted_at_once() -> None:
    few = _by_kind(deployment(MODEL, ServingSettings()))
    many = _by_kind(deployment(MODEL, ServingSettings(replicas=(2, 8), resources=Resources(cpu=2))))

    assert set(few) == {"ConfigMap", "Deployment", "Service"}
    assert few["Deployment"]["spec"]["replicas"] == 1
    assert set(many) == {*few, "HorizontalPodAutoscaler", "PodDisruptionBudget"}
    assert "replicas" not in many["Deployment"]["spec"]
    scaler = many["HorizontalPodAutoscaler"]["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 8)


def test_pods_are_replaced_when_the_servers_file_changes_and_only_then() -> None:
    def noted(model: Served) -> str:
        manifest = _by_kind(deployment(model, ServingSettings()))["Deployment"]
        found: str = manifest["spec"]["template"]["metadata"]["annotations"]["penstock/config"]
        return found

    moved = Served(**{**_fields(MODEL), "versions": {"champion": 7, "canary": 7}})
    # The server itself follows the alias.
    assert noted(MODEL) == noted(moved)
    assert noted(MODEL) != noted(CANARY)


def _fields(model: Served) -> dict[str, Any]:
    names = ("name", "destination", "alias", "version", "versions", "canaries")
    return {name: getattr(model, name) for name in names}


def test_a_gpu_comes_with_its_nodes() -> None:
    settings = ServingSettings(resources=Resources(cpu=4, memory="8Gi", accelerator="nvidia-l4"))
    pod = _by_kind(deployment(MODEL, settings))["Deployment"]["spec"]["template"]["spec"]

    assert pod["nodeSelector"] == {"cloud.google.com/gke-accelerator": "nvidia-l4"}
    assert pod["containers"][0]["resources"] == {
        "requests": {"cpu": "4000m", "memory": "8Gi"},
        "limits": {"memory": "8Gi", "nvidia.com/gpu": "1"},
    }


def test_tensorflow_serving_gets_versions_and_labels() -> None:
    settings = ServingSettings(server="tensorflow")
    manifests = _by_kind(deployment(MODEL, settings))

    text = manifests["ConfigMap"]["data"]["models.config"]
    assert 'base_path: "gs://bucket/penguin"' in text
    # Version 7, the canary's, would answer whoever names no label.
    assert "versions: 6" in text
    assert "versions: 7" not in text
    assert 'version_labels { key: "champion" value: 6 }' in text
    (container,) = manifests["Deployment"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("docker.io/tensorflow/serving:")
    assert container["command"][0] == "/usr/bin/tensorflow_model_server"


def test_tensorflow_serving_reads_its_file() -> None:
    pytest.importorskip("tensorflow_serving")
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    for model in (MODEL, Served("a", "gs://b/a", version=3), Served("a", "gs://b/a")):
        manifests = deployment(model, ServingSettings(server="tensorflow"))
        text = _by_kind(manifests)["ConfigMap"]["data"]["models.config"]
        read = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
        assert read.model_config_list.config[0].base_path == model.destination


def test_kserve_has_the_same_container() -> None:
    manifests = _by_kind(inference_service(CANARY, ServingSettings(replicas=(1, 4))))

    predictor = manifests["InferenceService"]["spec"]["predictor"]
    (container,) = predictor["containers"]
    assert container["name"] == "kserve-container"
    assert [each["containerPort"] for each in container["ports"]] == [8501]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (1, 4)


def test_a_compose_file_mounts_the_folder() -> None:
    made = compose(
        Served("penguin", "/home/ada/penguin", alias="champion", versions={"champion": 1}),
        ServingSettings(image="penguin:3f2c"),
    )

    service = made["services"]["server"]
    assert service["volumes"][0]["source"] == "/home/ada/penguin"
    assert service["ports"] == ["127.0.0.1:8501:8501", "127.0.0.1:8500:8500"]
    told = json.loads(made["configs"]["server"]["content"])
    assert told["models"]["penguin"]["folder"] == "/models/penguin"
    assert "penguin:3f2c" in to_yaml([made])
    with pytest.raises(ParameterError, match="token_secret is for a cluster"):
        compose(MODEL, ServingSettings(token_secret=("a", "b")))


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (
            {"destination": "/home/ada/penguin"},
            {},
            "is a folder of this machine, which no container",
        ),
        ({"canaries": {"canary": 0.1}}, {"server": "tensorflow"}, "does not divide requests"),
        ({"canaries": {"canray": 0.1}}, {}, r"another alias of the model \(canary\)"),
        ({"canaries": {"canary": 1.0}}, {}, "more than 0 and less than 100 percent"),
        ({"canaries": {"canary": 0.1}, "alias": None}, {}, "Name one: MODEL@champion"),
        ({}, {"replicas": (3, 2)}, r"replicas are \(least, most\)"),
        ({}, {"name": "Penguin"}, "small letters, digits and hyphens"),
        ({}, {"server": "tensorflow", "tls_secret": "a"}, "has neither tokens nor TLS"),
    ],
)
def test_what_cannot_be_served_so(
    model: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        deployment(Served(**{**_fields(MODEL), **model}), ServingSettings(**settings))


def test_a_claim_holds_the_model() -> None:
    model = Served("penguin", "/models/penguin")
    pod = _by_kind(deployment(model, ServingSettings(claims={"models": "/models"})))["Deployment"]

    spec = pod["spec"]["template"]["spec"]
    assert {"claimName": "models", "readOnly": True} in [
        each.get("persistentVolumeClaim") for each in spec["volumes"]
    ]
    mounts = spec["containers"][0]["volumeMounts"]
    assert {"name": "models-0", "mountPath": "/models", "readOnly": True} in mounts


def test_what_is_typed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from penstock.cli import main

    destination = tmp_path / "penguin"
    for version in (6, 7):
        (destination / str(version)).mkdir(parents=True)
        (destination / str(version) / "saved_model.pb").touch()
    aliases = {"format": 1, "aliases": {"champion": 6, "canary": 7}, "history": []}
    (destination / "penstock_aliases.json").write_text(json.dumps(aliases))

    typed = ["kubeflow", "serve", f"{destination}@champion", "--claim", f"models={tmp_path}"]
    assert main([*typed, "--canary", "canary=10", "--replicas", "1-3"]) == 0
    shown = capsys.readouterr().out
    assert '"canary": 0.1' in shown
    assert "kind: HorizontalPodAutoscaler" in shown
    assert main([*typed[:3], "--as", "compose", "-o", str(tmp_path / "compose.yaml")]) == 0
    assert f"source: {destination}" in (tmp_path / "compose.yaml").read_text()
    capsys.readouterr()

    for words, code, message in (
        ([*typed, "--canary", "canary=ten"], 2, "--canary takes ALIAS=PERCENT"),
        ([*typed, "--replicas", "few"], 2, "--replicas takes N or N-M"),
        ([*typed[:3]], 2, "is a folder of this machine"),
        ([*typed[:3], "--wait", "9"], 2, "--wait goes with --apply"),
        ([*typed[:3], "--as", "compose", "--apply"], 2, "a compose file is for one machine"),
        (["kubeflow", "serve", f"{destination}@chmapion"], 3, "Did you mean 'champion'?"),
        (["kubeflow", "serve", f"{destination}/5"], 3, "has no version 5"),
        ([*typed, "--apply", "--host", "http://a"], 4, "the cluster itself must be known"),
    ):
        assert main(words) == code, words
        assert message in capsys.readouterr().err
