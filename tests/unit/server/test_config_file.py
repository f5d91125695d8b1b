"""The config file of a server: what it says is what is served, and mistakes are named with their place."""

import json
import re

import pytest

from penstock.server.config import Batching, ServerConfig, VersionPolicy
from penstock.server.config_file import read_config
from penstock.server.request_log.config import RequestLogConfig
from penstock.server.safety.limits import Limits
from penstock.server.traffic import Key, Target

FULL = """
host = "0.0.0.0"
port = 9001
grpc_port = 9000
max_concurrent = 100
token_file = "tokens"
insecure = true

[limits]
rows = 1000
header_seconds = 5

[batching]
max_rows = 64
max_wait = 0.002

[models.taxi]
folder = "serving/taxi"
versions = {latest = 2}
labels = {champion = 7}
default_label = "champion"
max_memory = 1_000_000_000

[models.taxi.traffic]
split = {champion = 0.9, canary = 0.1}
shadow = {12 = 0.5}
key = "header:X-User"

[models.taxi.request_log]
folder = "requests"
sample = 0.25
mask = ["email"]
schema = "schema.pbtxt"

[models.penguin]
folder = "s3://bucket/penguin"
versions = {specific = [3, 5]}
"""


def test_a_file_says_all_that_a_server_needs(tmp_path):
    path = tmp_path / "serve.toml"
    path.write_text(FULL)
    (tmp_path / "tokens").write_text("0123456789abcdef\n")

    config = read_config(str(path), {"port": 9005})

    assert (config.host, config.port, config.grpc_port) == ("0.0.0.0", 9005, 9000)
    assert config.max_concurrent == 100
    assert config.access.tokens == ("0123456789abcdef",)
    assert config.limits == Limits(rows=1000, header_seconds=5)
    assert config.batching == Batching(max_rows=64, max_wait=0.002)
    taxi, penguin = config.models
    assert taxi.folder == str(tmp_path / "serving/taxi")
    assert taxi.policy == VersionPolicy(latest=2)
    assert (dict(taxi.labels), taxi.default_label, taxi.max_memory) == (
        {"champion": 7},
        "champion",
        10**9,
    )
    assert taxi.traffic.split == ((Target(label="champion"), 0.9), (Target(label="canary"), 0.1))
    assert taxi.traffic.shadows[0].target == Target(version=12)
    assert taxi.traffic.key == Key("header", "x-user")
    assert taxi.request_log == RequestLogConfig(
        str(tmp_path / "requests"), 0.25, ("email",), str(tmp_path / "schema.pbtxt")
    )
    assert (penguin.name, penguin.folder) == ("penguin", "s3://bucket/penguin")
    assert penguin.policy == VersionPolicy(specific=(3, 5))
    assert penguin.request_log is None


def test_json_has_the_same_form(tmp_path):
    path = tmp_path / "serve.json"
    path.write_text(json.dumps({"models": {"m": {"folder": "m", "versions": "all"}}}))
    config = read_config(str(path))
    assert config == ServerConfig(config.models)
    assert config.models[0].policy == VersionPolicy(all=True)


MODEL = '[models.m]\nfolder = "m"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no model. Add a table [models.NAME] with its folder."),
        ("[models.m]", "models.m needs the field 'folder'."),
        ("prot = 1\n" + MODEL, "the file has no field 'prot'. Did you mean 'port'?"),
        ("port = true\n" + MODEL, "the file.port takes a whole number. Received: True"),
        ('host = "0.0.0.0"\n' + MODEL, "so it needs a token (--token-file FILE) and TLS"),
        ("insecure = 1\n" + MODEL, "insecure takes true or false. Received: 1"),
        ("token_file = 1\n" + MODEL, "token_file takes a path. Received: 1"),
        (MODEL + "[limits]\nrow = 1", "limits has no field 'row'. Did you mean 'rows'?"),
        (MODEL + "[limits]\nrows = 0", "limits: rows must be above 0. Received: 0"),
        (MODEL + '[batching]\nmax_wait = "x"', "batching.max_wait takes a number. Received: 'x'"),
        (MODEL + "versions = 3", 'models.m.versions is {latest = 2}, {specific = [3, 5]} or "all"'),
        (MODEL + "versions = {latest = 0}", "models.m.versions is {latest = 2}"),
        (MODEL + 'labels = {a = "1"}', "models.m.labels takes whole numbers by name"),
        (MODEL + "[models.m.traffic]\nsplit = {a = 0.5}", "models.m.traffic.split add up to 0.5"),
        (MODEL + "[models.m.request_log]", "models.m.request_log needs the field 'folder'."),
        (MODEL + '[models.m.request_log]\nsmaple = 1', "request_log has no field 'smaple'. Did you mean 'sample'?"),
        (MODEL + '[models.m.request_log]\nfolder = 1', "models.m.request_log.folder takes text. Received: 1"),
        (MODEL + '[models.m.request_log]\nfolder = "x"\nsample = 2', "sample is a share from 0 to 1. Received: 2"),
        (MODEL + '[models.m.request_log]\nfolder = "x"\nmask = "a"', "mask takes a list of text. Received: 'a'"),
        (MODEL + '[models.m.request_log]\nfolder = "x"\nmask = [1]', "mask takes a list of text. Received: [1]"),
        (MODEL + '[models.m.request_log]\nfolder = "x"\nfile_bytes = 0', "file_bytes must be above 0"),
        ('[models."a/b"]\nfolder = "m"', "models.a/b: A model's name has letters"),
        ("models = 3", "there is no model"),
        ("[models", "Expected"),
    ],
)  # fmt: skip
def test_mistakes_are_named_with_file_and_place(tmp_path, text, message):
    path = tmp_path / "serve.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        read_config(str(path))
    assert str(refused.value).startswith(f"{path}: ")
