"""A stand-in for the API server of Kubeflow Pipelines, on loopback.

It checks each body against the models of `kfp_server_api` and answers in the form of the real server. Runs
are driven from the IR (`kubeflow_driver`), and recurring runs fire. Faults can be put in its way.
"""

from __future__ import annotations

import dataclasses
import email.policy
import json
import re
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import yaml
from kubeflow_driver import Containers, DrivenRun, now
from kubeflow_messages import BadMessage, check

from penstock.cron import Cron
from penstock.testing.kubeflow import CompiledPipeline, Processes

V2 = "/apis/v2beta1"
ACTIVE = ("PENDING", "RUNNING", "CANCELING")
_TICK_SECONDS = 0.1


class ApiError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})


@dataclasses.dataclass
class Fault:
    """What happens to the next request that matches, instead of the usual.

    Attributes:
        method: GET, POST or DELETE.
        path: A regular expression for its path.
        status: Answer with this status, without doing anything.
        done_first: Do what was asked before the fault.
        cut: Close the connection without an answer.
        seconds: Wait so long before the answer.
        headers: Of the answer.
    """

    method: str
    path: str
    status: int = 0
    done_first: bool = False
    cut: bool = False
    seconds: float = 0.0
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


class KubeflowApi:
    """The server. Use it as a context manager.

    Args:
        folder: Where the launcher would keep references.
        containers: Starts the containers of tasks.
        multi_user: Whether namespaces are asked for.
        token: What requests must bear, or None.
        tls: Certificate and key as PEM, or None for plain HTTP.
        prefix: What paths begin with, as behind the proxy of a cluster's API server.
        secrets: Values of secrets' keys, by (secret, key).
        host: Address that it listens on.
    """

    def __init__(
        self,
        folder: Path,
        containers: Containers,
        *,
        multi_user: bool = False,
        token: str | None = None,
        tls: tuple[str, str] | None = None,
        prefix: str = "",
        secrets: Mapping[tuple[str, str], str] | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.folder, self.containers = folder, containers
        self.multi_user, self.token, self.prefix = multi_user, token, prefix
        self.secrets = secrets or {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        self.lock = threading.RLock()
        self.experiments: dict[str, dict[str, Any]] = {}
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.cache: dict[str, dict[str, Any]] = {}
        self._texts: dict[str, str] = {}
        self._driven: dict[str, DrivenRun] = {}
        self._fired: dict[str, datetime] = {}
        self._closed = threading.Event()
        self._server = ThreadingHTTPServer((host, 0), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.address = f"http{'s' if tls else ''}://{host}:{self._server.server_port}"
        self.url = self.address + prefix

    def __enter__(self) -> Self:
        serve = self._server.serve_forever
        threading.Thread(target=serve, args=(0.05,), daemon=True).start()
        threading.Thread(target=self._fire, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()
        for each in self._driven.values():
            each.cancel()
        for each in self._driven.values():
            each.join(30)
            assert not each.is_alive(), each.rows()

    def wait(self, run_id: str, seconds: float = 60) -> dict[str, Any]:
        """Return a run when it has ended."""
        driven = self._driven[run_id]
        driven.join(seconds)
        assert not driven.is_alive(), driven.rows()
        return self.get_run(run_id)

    # Experiments, pipelines, versions

    def create_experiment(self, body: dict[str, Any]) -> dict[str, Any]:
        self._named_once(self.experiments, body, "experiment", "Experiment")
        record = {"storage_state": "AVAILABLE", "created_at": now(), **body}
        record["experiment_id"] = str(uuid.uuid4())
        self.experiments[record["experiment_id"]] = record
        return record

    def create_pipeline(self, body: dict[str, Any]) -> dict[str, Any]:
        self._named_once(self.pipelines, body, "pipeline", "Pipeline")
        record = {"created_at": now(), "name": body.get("display_name"), **body}
        record["pipeline_id"] = str(uuid.uuid4())
        self.pipelines[record["pipeline_id"]] = record
        return record

    def upload_pipeline(self, query: Mapping[str, str], text: str) -> dict[str, Any]:
        name = query.get("display_name") or query["name"]
        body = {"display_name": name}
        if query.get("namespace"):
            body["namespace"] = query["namespace"]
        record = self.create_pipeline(body)
        self.upload_version({"name": name, "pipelineid": record["pipeline_id"]}, text)
        return record

    def upload_version(self, query: Mapping[str, str], text: str) -> dict[str, Any]:
        pipeline_id = query.get("pipelineid", "")
        if pipeline_id not in self.pipelines:
            raise ApiError(400, "Failed to create a pipeline version")
        name = query.get("display_name") or query["name"]
        for each in self.versions.values():
            if each["pipeline_id"] == pipeline_id and each["display_name"] == name:
                raise ApiError(409, "Failed to create a pipeline version")
        documents = list(yaml.safe_load_all(text))
        try:
            CompiledPipeline(text, self.folder, Processes(self.folder))
        except Exception as error:
            raise ApiError(400, f"invalid pipeline spec: {error}") from None
        spec = documents[0]
        if len(documents) > 1:
            spec = {"pipeline_spec": documents[0], "platform_spec": documents[1]}
        record = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": str(uuid.uuid4()),
            "display_name": name,
            "name": name,
            "created_at": now(),
            "pipeline_spec": spec,
        }
        if query.get("description"):
            record["description"] = query["description"]
        self.versions[record["pipeline_version_id"]] = record
        self._texts[record["pipeline_version_id"]] = text
        return record

    # Runs

    def create_run(self, body: dict[str, Any], schedule: str = "") -> dict[str, Any]:
        if not body.get("display_name"):
            raise ApiError(400, "Invalid input error: The run name is empty")
        version = self._version_of(body)
        run_id = str(uuid.uuid4())
        pipeline = CompiledPipeline(
            self._text_of(body, version), self.folder, Processes(self.folder), self.secrets
        )
        record: dict[str, Any] = {
            "service_account": "pipeline-runner",
            **{key: each for key, each in body.items() if each is not None},
            "run_id": run_id,
            "storage_state": "AVAILABLE",
            "created_at": now(),
            "scheduled_at": now(),
            "state": "RUNNING",
            "state_history": [{"update_time": now(), "state": "PENDING"}],
        }
        record.setdefault("experiment_id", self._default_experiment())
        if version is not None:
            record["pipeline_version_reference"] = {
                "pipeline_id": version["pipeline_id"],
                "pipeline_version_id": version["pipeline_version_id"],
            }
        if schedule:
            record["recurring_run_id"] = schedule

        def ended(state: str, error: str) -> None:
            with self.lock:
                record["state"], record["finished_at"] = state, now()
                if error:
                    record["error"] = {"code": 13, "message": error}

        parameters = (body.get("runtime_config") or {}).get("parameters") or {}
        name = f"{pipeline.spec.pipeline_info.name}-{uuid.uuid4().hex[:5]}"
        try:
            driven = DrivenRun(
                run_id, name, pipeline, parameters, self.containers, self.cache, ended
            )
        except ValueError as error:
            raise ApiError(400, str(error)) from None
        self.runs[run_id], self._driven[run_id] = record, driven
        driven.start()
        return record

    def get_run(self, run_id: str) -> dict[str, Any]:
        record = _found(self.runs, run_id, "Run")
        return {**record, "run_details": {"task_details": self._driven[run_id].rows()}}

    def terminate(self, run_id: str) -> None:
        record = _found(self.runs, run_id, "Run")
        if record["state"] not in ACTIVE:
            raise ApiError(400, "Failed to terminate a run: it is not running")
        record["state"] = "CANCELING"
        self._driven[run_id].cancel()

    def read_log(self, run_id: str, pod: str) -> str:
        rows = [row["pod_name"] for row in self._driven[run_id].rows()]
        try:
            if pod not in rows:
                raise FileNotFoundError(pod)
            return self.containers.log(pod)
        except FileNotFoundError:
            raise ApiError(500, f"Failed to read logs for run {run_id}: pod {pod}") from None

    # Recurring runs

    def create_recurring(self, body: dict[str, Any]) -> dict[str, Any]:
        if not 1 <= int(body.get("max_concurrency") or 0) <= 10:
            raise ApiError(
                400, "Max concurrency of a recurring run must be at leas 1 and at most 10"
            )
        trigger = body.get("trigger") or {}
        cron = (trigger.get("cron_schedule") or {}).get("cron")
        if cron is not None and len(cron.split()) != 6:
            # The real one would take five fields for the first five of six.
            raise ApiError(400, f"Schedule cron is not a supported format: {cron}")
        self._version_of(body)
        record = {
            "service_account": "pipeline-runner",
            "no_catchup": False,
            **{key: each for key, each in body.items() if each is not None},
            "recurring_run_id": str(uuid.uuid4()),
            "created_at": now(),
            "status": "ENABLED" if body.get("mode") == "ENABLE" else "DISABLED",
        }
        record.setdefault("experiment_id", self._default_experiment())
        self.recurring[record["recurring_run_id"]] = record
        return record

    def set_enabled(self, schedule: str, enabled: bool) -> None:
        record = _found(self.recurring, schedule, "Recurring run")
        record["status"] = "ENABLED" if enabled else "DISABLED"

    def _fire(self) -> None:
        while not self._closed.wait(_TICK_SECONDS):
            with self.lock:
                for record in list(self.recurring.values()):
                    if record["status"] == "ENABLED":
                        self._fire_if_due(record)

    def _fire_if_due(self, record: dict[str, Any]) -> None:
        """Make the run of a schedule whose time has come, as Kubeflow's controller does."""
        key = record["recurring_run_id"]
        moment = datetime.now(UTC)
        trigger = record["trigger"]
        when = trigger.get("cron_schedule") or trigger["periodic_schedule"]
        start = when.get("start_time") or record["created_at"]
        last = self._fired.get(key)
        due = _next(when, last, datetime.fromisoformat(start))
        if due is None or due > moment:
            return
        end = when.get("end_time")
        if end and due > datetime.fromisoformat(end):
            return
        going = [
            run
            for run in self.runs.values()
            if run.get("recurring_run_id") == key and run["state"] in ACTIVE
        ]
        if len(going) >= int(record["max_concurrency"]):
            return
        if record["no_catchup"]:
            while (later := _next(when, due, due)) is not None and later <= moment:
                due = later
        self._fired[key] = due
        number = sum(run.get("recurring_run_id") == key for run in self.runs.values()) + 1
        body = {
            name: record[name]
            for name in (
                "experiment_id", "pipeline_version_reference", "runtime_config", "service_account",
            )
            if name in record
        }  # fmt: skip
        self.create_run({**body, "display_name": f"{record['display_name']}-{number}"}, key)

    # What they share

    def _named_once(
        self, records: Mapping[str, Any], body: Mapping[str, Any], kind: str, shown: str
    ) -> None:
        name = body.get("display_name")
        if not name:
            raise ApiError(400, f"Invalid input error: {kind}'s name cannot be empty")
        if self.multi_user and not body.get("namespace"):
            raise ApiError(400, "Invalid input error: namespace cannot be empty in multi-user mode")
        for each in records.values():
            if (each["display_name"], each.get("namespace")) == (name, body.get("namespace")):
                raise ApiError(
                    409, f"Already exist error: {shown} {name} already exists. Choose another name"
                )

    def _default_experiment(self) -> str:
        for each in self.experiments.values():
            if each["display_name"] == "Default":
                return str(each["experiment_id"])
        return str(self.create_experiment({"display_name": "Default"})["experiment_id"])

    def _version_of(self, body: Mapping[str, Any]) -> dict[str, Any] | None:
        reference = body.get("pipeline_version_reference")
        if not reference:
            if not body.get("pipeline_spec"):
                raise ApiError(400, "Invalid input error: no pipeline spec or version")
            return None
        version_id = reference.get("pipeline_version_id")
        if version_id:
            return _found(self.versions, version_id, "PipelineVersion")
        of = [
            each
            for each in self.versions.values()
            if each["pipeline_id"] == reference["pipeline_id"]
        ]
        if not of:
            raise ApiError(404, f"PipelineVersion of {reference['pipeline_id']} not found.")
        return of[-1]

    def _text_of(self, body: Mapping[str, Any], version: Mapping[str, Any] | None) -> str:
        if version is not None:
            return self._texts[version["pipeline_version_id"]]
        spec = body["pipeline_spec"]
        if "pipeline_spec" in spec:
            return yaml.safe_dump_all([spec["pipeline_spec"], spec["platform_spec"]])
        return yaml.safe_dump(spec)

    def listed(
        self, records: Mapping[str, Any], query: Mapping[str, str], key: str
    ) -> dict[str, Any]:
        """Return a page of a list: filtered, in order."""
        found = [
            each
            for each in records.values()
            if query.get("namespace") in (None, "", each.get("namespace"))
            or "run_id" in each
            or each.get("recurring_run_id")
        ]
        if query.get("experiment_id"):
            found = [each for each in found if each["experiment_id"] == query["experiment_id"]]
        for each in json.loads(query.get("filter") or "{}").get("predicates", ()):
            assert each["operation"] in ("EQUALS", 1), each
            if each["key"] == "recurring_run_id":
                raise ApiError(500, "Unknown column 'RecurringRunId' in 'where clause'")
            value = each.get("string_value", each.get("stringValue"))
            found = [record for record in found if record.get(each["key"]) == value]
        field, _, order = (query.get("sort_by") or "created_at").partition(" ")
        found.sort(key=lambda record: record.get(field) or "", reverse=order == "desc")
        begin = int(query.get("page_token") or 0)
        size = int(query.get("page_size") or 10)
        page: dict[str, Any] = {"total_size": len(found)}
        if found[begin : begin + size]:
            page[key] = found[begin : begin + size]
        if begin + size < len(found):
            page["next_page_token"] = str(begin + size)
        return page

    def answer(
        self, method: str, path: str, query: Mapping[str, str], body: Callable[[], Any]
    ) -> Any:
        """Return what a request is answered: a JSON value, or text for a log."""
        with self.lock:
            for verb, pattern, handle in _ROUTES:
                found = re.fullmatch(pattern, path)
                if found and verb == method:
                    return handle(self, *found.groups(), query=query, body=body)
        raise ApiError(404, "Not Found")


def _next(when: Mapping[str, Any], last: datetime | None, start: datetime) -> datetime | None:
    if when.get("cron"):
        return Cron.parse(when["cron"]).next_after(last or start)
    return datetime.fromtimestamp((last or start).timestamp() + int(when["interval_second"]), UTC)


def _found(records: Mapping[str, Any], key: str, kind: str) -> Any:
    if key not in records:
        raise ApiError(404, f"{kind} {key} not found.")
    return records[key]


def _message(model: str, body: Callable[[], Any]) -> Any:
    value = json.loads(body() or b"{}")
    try:
        check(model, value)
    except BadMessage as error:
        raise ApiError(400, str(error)) from None
    return value


def _gone(records: dict[str, Any], key: str, kind: str) -> dict[str, Any]:
    _found(records, key, kind)
    del records[key]
    return {}


def _done(_: object) -> dict[str, Any]:
    return {}


_ID = r"([0-9a-f-]+)"
_ROUTES: list[tuple[str, str, Callable[..., Any]]] = [
    ("GET", f"{V2}/healthz", lambda s, **_: {"multi_user": s.multi_user, "tag_name": "2.17.3"}),
    ("GET", f"{V2}/experiments", lambda s, query, **_: s.listed(s.experiments, query, "experiments")),
    ("POST", f"{V2}/experiments",
     lambda s, body, **_: s.create_experiment(_message("V2beta1Experiment", body))),
    ("GET", f"{V2}/experiments/{_ID}", lambda s, key, **_: _found(s.experiments, key, "Experiment")),
    ("GET", f"{V2}/pipelines", lambda s, query, **_: s.listed(s.pipelines, query, "pipelines")),
    ("POST", f"{V2}/pipelines", lambda s, body, **_: s.create_pipeline(_message("V2beta1Pipeline", body))),
    ("POST", f"{V2}/pipelines/upload", lambda s, query, body, **_: s.upload_pipeline(query, body())),
    ("POST", f"{V2}/pipelines/upload_version", lambda s, query, body, **_: s.upload_version(query, body())),
    ("GET", f"{V2}/pipelines/{_ID}", lambda s, key, **_: _found(s.pipelines, key, "Pipeline")),
    ("GET", f"{V2}/pipelines/{_ID}/versions", lambda s, key, query, **_: s.listed(
        {k: v for k, v in s.versions.items() if v["pipeline_id"] == key}, query, "pipeline_versions")),
    ("GET", f"{V2}/pipelines/{_ID}/versions/{_ID}",
     lambda s, _pipeline, key, **_: _found(s.versions, key, "PipelineVersion")),
    ("GET", f"{V2}/runs", lambda s, query, **_: s.listed(s.runs, query, "runs")),
    ("POST", f"{V2}/runs", lambda s, body, **_: s.create_run(_message("V2beta1Run", body))),
    ("GET", f"{V2}/runs/{_ID}", lambda s, key, **_: s.get_run(key)),
    ("POST", f"{V2}/runs/{_ID}:terminate", lambda s, key, **_: _done(s.terminate(key))),
    ("GET", f"{V2}/recurringruns", lambda s, query, **_: s.listed(s.recurring, query, "recurringRuns")),
    ("POST", f"{V2}/recurringruns",
     lambda s, body, **_: s.create_recurring(_message("V2beta1RecurringRun", body))),
    ("GET", f"{V2}/recurringruns/{_ID}", lambda s, key, **_: _found(s.recurring, key, "Recurring run")),
    ("DELETE", f"{V2}/recurringruns/{_ID}", lambda s, key, **_: _gone(s.recurring, key, "Recurring run")),
    ("POST", f"{V2}/recurringruns/{_ID}:enable", lambda s, key, **_: _done(s.set_enabled(key, True))),
    ("POST", f"{V2}/recurringruns/{_ID}:disable", lambda s, key, **_: _done(s.set_enabled(key, False))),
    ("GET", f"/apis/v1alpha1/runs/{_ID}/nodes/([^/]+)/log", lambda s, run, pod, **_: s.read_log(run, pod)),
]  # fmt: skip


def _handler(api: KubeflowApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer("GET")

        def do_POST(self) -> None:
            self._answer("POST")

        def do_DELETE(self) -> None:
            self._answer("DELETE")

        def log_message(self, *arguments: object) -> None:
            return

        def _answer(self, method: str) -> None:
            parts = urlsplit(self.path)
            path = parts.path.removeprefix(api.prefix)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            api.requests.append((method, path))
            fault = next(
                (f for f in api.faults if f.method == method and re.search(f.path, path)), None
            )
            if fault is not None:
                api.faults.remove(fault)
                if fault.done_first:
                    self._result(method, path, query, data)
                time.sleep(fault.seconds)
                if fault.cut:
                    self.close_connection = True
                    return
                if fault.status:
                    error = ApiError(fault.status, f"the server says {fault.status}", fault.headers)
                    self._send(error.status, _error(error, path), error.headers)
                    return
            self._send(*self._result(method, path, query, data))

        def _result(
            self, method: str, path: str, query: Mapping[str, str], data: bytes
        ) -> tuple[int, Any]:
            def body() -> Any:
                kind = self.headers.get("Content-Type", "")
                return _uploaded(kind, data) if kind.startswith("multipart/") else data

            try:
                bearer = f"Bearer {api.token}"
                if api.token is not None and self.headers.get("Authorization") != bearer:
                    raise ApiError(401, "Unauthorized")
                return 200, api.answer(method, path, query, body)
            except ApiError as error:
                return error.status, _error(error, path)

        def _send(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
            text = isinstance(value, str)
            data = value.encode() if text else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            for name, each in (headers or {}).items():
                self.send_header(name, each)
            self.end_headers()
            self.wfile.write(data)

    return Handler


def _error(error: ApiError, path: str) -> dict[str, Any]:
    if "upload" in path or path.endswith("/log"):
        return {"error_message": str(error), "error_details": str(error)}
    return {"error": str(error), "code": 13, "message": str(error), "details": []}


def _uploaded(kind: str, data: bytes) -> str:
    """Return the file `uploadfile` of a form."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    message = BytesParser(policy=email.policy.HTTP).parsebytes(head + data)
    for part in message.iter_parts():
        if part.get_param("name", header="content-disposition") == "uploadfile":
            return part.get_payload(decode=True).decode()
    raise ApiError(400, "Failed to read pipeline from file")
