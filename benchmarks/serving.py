"""How many rows a second a server answers, against calling the SavedModel in a bare loop of batches.

The model parses tf.Examples of 12 features, looks up three words, and has three dense layers. The bare
loop calls it with as many rows as the clients have under way, in a process of its own. Then 32 clients
ask `penstock serve` over HTTP, in one further process that shares the processors with the server: with
two, what the clients take is missing to the server, so their share is printed too.

The bare loop is repeated before and after the clients, and the faster pass counts: on a machine that
others use, whatever runs first would else decide.

    python benchmarks/serving.py [--seconds 5] [--rows 1 16 64] [--swaps 100] [--processes 1] [--json]
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.machine import cores

CLIENTS = 32
NUMBERS = [f"number_{i}" for i in range(9)]
WORDS = {"company": 50, "area": 77, "payment": 5}


def make_model(path: str) -> None:
    """Write the SavedModel."""
    import tensorflow as tf

    spec: dict[str, Any] = {name: tf.io.FixedLenFeature([1], tf.float32, [0.0]) for name in NUMBERS}
    spec |= {name: tf.io.FixedLenFeature([1], tf.string, [""]) for name in WORDS}
    module = tf.Module()
    module.tables, module.weights = [], []
    for name, size in WORDS.items():
        keys = tf.constant([f"{name}_{i}" for i in range(size)])
        values = tf.range(size, dtype=tf.int64)
        filled = tf.lookup.KeyValueTensorInitializer(keys, values)
        module.tables.append(tf.lookup.StaticHashTable(filled, -1))
    width = len(NUMBERS) + sum(WORDS.values())
    for units in (128, 64, 1):
        module.weights.append(tf.Variable(tf.random.normal([width, units], stddev=0.1, seed=1)))
        width = units

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve(examples: Any) -> dict[str, Any]:
        row = tf.io.parse_example(examples, spec)
        parts = [row[name] for name in NUMBERS]
        for (name, size), table in zip(WORDS.items(), module.tables, strict=True):
            parts.append(tf.one_hot(table.lookup(row[name][:, 0]), size))
        x = tf.concat(parts, 1)
        for weight in module.weights[:-1]:
            x = tf.nn.relu(x @ weight)
        return {"probability": tf.sigmoid(x @ module.weights[-1])[:, 0]}

    tf.saved_model.save(module, path, {"serving_default": serve})


def examples(count: int) -> list[bytes]:
    """Return serialized tf.Examples."""
    import tensorflow as tf

    made = []
    for i in range(count):
        example = tf.train.Example()
        for place, name in enumerate(NUMBERS):
            example.features.feature[name].float_list.value.append((i * 7 + place) % 13 / 13)
        for name, size in WORDS.items():
            word = f"{name}_{i % size}".encode()
            example.features.feature[name].bytes_list.value.append(word)
        made.append(example.SerializeToString())
    return made


def bare(path: str, rows: int, seconds: float) -> tuple[float, float]:
    """Return the rows a second, and a second of CPU time, of calling the model in a loop."""
    import tensorflow as tf

    function = tf.saved_model.load(path).signatures["serving_default"]
    given = examples(rows)
    for _ in range(20):
        function(examples=tf.constant(given))
    count, start, used = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() < start + seconds:
        function(examples=tf.constant(given))["probability"].numpy()
        count += rows
    return count / (time.perf_counter() - start), count / (time.process_time() - used)


def predict_request(rows: list[bytes]) -> bytes:
    """Return a request of TensorFlow Serving's REST API."""
    instances = [{"b64": base64.b64encode(each).decode()} for each in rows]
    return _request("/v1/models/m:predict", json.dumps({"instances": instances}).encode())


def infer_request(rows: list[bytes]) -> bytes:
    """Return a request of the open inference protocol, with binary tensors both ways."""
    data = b"".join(struct.pack("<I", len(each)) + each for each in rows)
    tensor = {"name": "examples", "datatype": "BYTES", "shape": [len(rows)]}
    tensor["parameters"] = {"binary_data_size": len(data)}
    content = {"parameters": {"binary_data_output": True}, "inputs": [tensor]}
    head = json.dumps(content).encode()
    header = f"Inference-Header-Content-Length: {len(head)}\r\n"
    return _request("/v2/models/m/infer", head + data, header)


REQUESTS = {"predict": predict_request, "v2 binary": infer_request}


def _request(path: str, body: bytes, header: str = "") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{header}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@contextlib.contextmanager
def server(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Start a server of the folder's versions; yields its process and port."""
    command = [sys.executable, "-m", "penstock", "serve", f"m={folder}", "--port", "0", *words]
    with (folder.parent / "server.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().split()[2].rpartition(":")[2])
        wait_for(port)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def wait_for(port: int) -> None:
    """Wait until the models of a server are loaded."""
    import http.client

    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        with contextlib.closing(connection):
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)


def clients(port: int, requests: list[bytes], seconds: float, count: int = CLIENTS) -> Any:
    """Start clients; returns their process, whose `communicate` gives what they measured."""
    plan = {"host": "127.0.0.1", "port": port, "clients": count, "seconds": seconds}
    plan["requests"] = [base64.b64encode(each).decode() for each in requests]
    script = str(Path(__file__).with_name("serving_client.py"))
    process = subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    process.stdin = None
    return process


def load(process: int, running: Any, rows: int) -> dict[str, Any]:
    """Wait for clients and return what they measured, with what the server took."""
    before = cpu_seconds(process)
    measured: dict[str, Any] = json.loads(running.communicate()[0])
    measured["rows"] = rows
    measured["rows_per_second"] = measured["requests_per_second"] * rows
    measured["server_cpu_seconds"] = cpu_seconds(process) - before
    return measured


def family(process: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [process, *map(int, children)]


def cpu_seconds(process: int) -> float:
    """Return the CPU time of a process and its children."""
    seconds = 0.0
    for each in family(process):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def peak_megabytes(process: int) -> float:
    """Return the most memory that a process had."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def under_swaps(folder: Path, model: str, swaps: int) -> dict[str, Any]:
    """Replace the version so many times while 32 clients ask."""
    with server(folder) as (process, port):
        requests = [predict_request(examples(8))]
        running = clients(port, requests, seconds=3600)
        latest = max(int(each.name) for each in folder.iterdir() if each.name.isdecimal())
        start = time.perf_counter()
        for version in range(latest + 1, latest + 1 + swaps):
            shutil.copytree(model, folder / ".new")
            os.rename(folder / ".new", folder / str(version))
            wait_for_version(port, version)
            shutil.rmtree(folder / str(version - 1))
        wait = time.perf_counter() - start
        running.send_signal(signal.SIGTERM)
        measured = load(process.pid, running, 8)
        return {
            "swaps": swaps,
            "seconds_a_swap": wait / swaps,
            "peak_rss_mb": peak_megabytes(process.pid),
            **measured,
        }


def wait_for_version(port: int, version: int) -> None:
    """Wait until a version is available."""
    import urllib.request

    while True:
        url = f"http://127.0.0.1:{port}/v1/models/m"
        statuses = json.load(urllib.request.urlopen(url))["model_version_status"]
        if {"version": str(version), "state": "AVAILABLE"}.items() <= statuses[0].items():
            return
        time.sleep(0.02)


def bare_in_process(path: str, rows: int, seconds: float) -> tuple[float, float]:
    """Return `bare`, measured in a process of its own."""
    command = [sys.executable, __file__, "--bare", path, str(rows), str(seconds)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    a_second, a_cpu_second = done.stdout.split()[-2:]
    return float(a_second), float(a_cpu_second)


def bare_loops(model: str, arguments: argparse.Namespace) -> dict[int, tuple[float, float]]:
    """Return `bare` by the rows of a request, of which the clients have as many under way."""
    return {
        rows: bare_in_process(model, min(rows * CLIENTS, 256), arguments.seconds / 2)
        for rows in arguments.rows
    }


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return all that is measured."""
    results: dict[str, Any] = {"cores": cores(), "clients": CLIENTS, "load": []}
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "m")
        model = str(Path(root, "model"))
        make_model(model)
        shutil.copytree(model, folder / "1")
        before = bare_loops(model, arguments)
        words = ("--processes", str(arguments.processes))
        with server(folder, *words) as (process, port):
            for name, request in REQUESTS.items():
                for rows in arguments.rows:
                    running = clients(port, [request(examples(rows))], arguments.seconds)
                    measured = load(process.pid, running, rows)
                    results["load"].append({"interface": name, **measured})
            results["peak_rss_mb"] = sum(map(peak_megabytes, family(process.pid)))
        after = bare_loops(model, arguments)
        for measured in results["load"]:
            rows = measured["rows"]
            a_second, a_cpu_second = map(max, before[rows], after[rows])
            total = measured["requests"] * rows
            measured["bare_rows_per_second"] = a_second
            measured["share"] = measured["rows_per_second"] / a_second
            measured["cpu_share"] = total / measured["server_cpu_seconds"] / a_cpu_second
        with server(folder, *words) as (process, port):
            running = clients(port, [predict_request(examples(64))], arguments.seconds, 1000)
            results["overload"] = {"clients": 1000, **load(process.pid, running, 64)}
        if arguments.swaps:
            results["swaps"] = under_swaps(folder, model, arguments.swaps)
    return results


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--bare"]:
        print(*bare(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
        return
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 16, 64], help="of a request")
    parser.add_argument("--swaps", type=int, default=100, help="versions replaced under load")
    parser.add_argument("--processes", type=int, default=1, help="of the server")
    parser.add_argument("--json", action="store_true")
    results = measure(arguments := parser.parse_args())
    if arguments.json:
        print(json.dumps(results, indent=1))
        return
    print(f"{results['cores']} processors, {CLIENTS} clients; peak {results['peak_rss_mb']:.0f} MB")
    for each in results["load"]:
        print(
            f"{each['interface']:<10} {each['rows']:>3} rows a request: {each['rows_per_second']:>8,.0f} "
            f"rows/s, {each['share']:.0%} of a bare loop ({each['bare_rows_per_second']:,.0f}), "
            f"{each['cpu_share']:.0%} by CPU time; "
            f"p50 {each['p50_ms']:.1f} ms, p99 {each['p99_ms']:.1f} ms; {each['failed']} failed; CPU: "
            f"server {each['server_cpu_seconds']:.1f} s, clients {each['client_cpu_seconds']:.1f} s"
        )
    for name in ("overload", "swaps"):
        if name in results:
            print(name, {key: round(value, 1) for key, value in results[name].items()})


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
