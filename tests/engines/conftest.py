"""The engines of the suite, and what their workers run in: another venv, an empty folder."""

from __future__ import annotations

import contextlib
import csv
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import textwrap
import time
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import job_servers

REPOSITORY = Path(__file__).resolve().parents[2]
PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism"

# Beam's job servers for clusters; these variables may name a jar.
JARS = {"flink": "PENSTOCK_FLINK_JOB_SERVER", "spark": "PENSTOCK_SPARK_JOB_SERVER"}
CLUSTERS = [pytest.param(name, marks=[pytest.mark.slow, pytest.mark.job_server]) for name in JARS]
REMOTE = [
    *(pytest.param(name, marks=pytest.mark.slow) for name in ("workers", "job-service", "prism")),
    *CLUSTERS,
]
ENGINES = ["in-memory", *REMOTE]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """`beam_pipeline_args` of one engine."""
    return arguments_of(request.param, request)


@pytest.fixture(scope="session", params=REMOTE)
def remote_engine(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """`beam_pipeline_args` of an engine whose workers are other processes."""
    return arguments_of(request.param, request)


def arguments_of(name: str, request: pytest.FixtureRequest) -> tuple[str, ...]:
    if name == "in-memory":
        return ("--runner=FnApiRunner",)
    pool = request.getfixturevalue("worker_pool")
    external = ("--environment_type=EXTERNAL", f"--environment_config={pool}")
    if name == "workers":
        return ("--runner=FnApiRunner", "--direct_num_workers=2", *external)
    if name in ("job-service", "flink", "spark"):
        endpoint = request.getfixturevalue(name.replace("-", "_"))
        # Else Flink and Spark start a worker anew for every stage.
        kept = ("--environment_cache_millis=60000",) if name != "job-service" else ()
        parallelism = ("--parallelism=2",) if name == "flink" else ()
        return (
            "--runner=PortableRunner",
            f"--job_endpoint={endpoint}",
            *parallelism,
            *kept,
            *external,
        )
    return (
        "--runner=PrismRunner",
        f"--prism_location={request.getfixturevalue('prism')}",
        *external,
    )


def jar_of(name: str) -> Path:
    """The jar of a job server: that which the variable names, or one that Maven resolves."""
    given = os.environ.get(JARS[name])
    if given is None:
        return job_servers.build(name)
    if not Path(given).is_file():
        raise FileNotFoundError(f"${JARS[name]} names {given}, which is no file")
    return Path(given)


@pytest.fixture(scope="session")
def flink(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Beam's job server for Flink, with Flink embedded in it."""
    with job_server("flink", tmp_path_factory.mktemp("flink")) as address:
        yield address


@pytest.fixture(scope="session")
def flink_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The addresses of a Flink cluster, a JobManager and a TaskManager, and of its job server."""
    folder = tmp_path_factory.mktemp("flink-session")
    rpc_port, rest_port = free_port(), free_port()
    commands = job_servers.flink_cluster(jar_of("flink"), folder, rpc_port, rest_port)
    with contextlib.ExitStack() as stack:
        for command, name in zip(commands, ("job-manager", "task-manager"), strict=True):
            process, log = stack.enter_context(serving(command, folder, folder / f"{name}.txt"))
            if name == "job-manager":
                wait_for_port(process, log, rest_port)
            else:
                wait_for_text(process, log, "Successful registration at resource manager")
        master = f"localhost:{rest_port}"
        yield master, stack.enter_context(job_server("flink", folder, master))


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Beam's job server for Spark, with Spark embedded in it."""
    with job_server("spark", tmp_path_factory.mktemp("spark")) as address:
        yield address


@contextlib.contextmanager
def job_server(name: str, folder: Path, master: str = "") -> Iterator[str]:
    """Beam's job server for a cluster, in a process of its own."""
    port = free_port()
    command = job_servers.command(name, jar_of(name), port, folder / "artifacts", master)
    with serving(command, folder, folder / "log.txt") as (process, log):
        wait_for_port(process, log, port)
        yield f"localhost:{port}"


def wait_for_text(process: subprocess.Popen, log: Path, text: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def wait_for_port(process: subprocess.Popen, log: Path, port: int, seconds: float = 120) -> None:
    """Wait until a process serves."""
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
            return
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


@pytest.fixture(scope="session")
def worker_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a venv with Penstock's wheel and, by a path, this one's libraries.

    A path file is not followed into this environment's own path files, so neither the repository
    nor a project of the tests can be imported there.
    """
    root = tmp_path_factory.mktemp("worker-venv")
    venv.create(root, with_pip=False, symlinks=True)
    site = (
        root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
    )
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE", "src"):
        path = REPOSITORY / name
        copy = shutil.copytree if path.is_dir() else shutil.copy
        copy(path, source / name)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    pip += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(source), str(source)]
    subprocess.run(pip, check=True)
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return root / "bin" / "python"


@pytest.fixture(scope="session")
def worker_pool(worker_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a pool that starts workers in that venv."""
    folder = tmp_path_factory.mktemp("empty")
    log = tmp_path_factory.mktemp("pool") / "log.txt"
    command = [str(worker_python), "-P", "-m", "penstock.beam.worker_pool", "--service_port=0"]
    with serving(command, folder, log) as (process, lines):
        yield wait_for(process, lines, "Serving workers at ").rsplit(" ", 1)[1]


@pytest.fixture(scope="session")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Beam's portable job service."""
    folder = tmp_path_factory.mktemp("job-service")
    port_file = folder / "port"
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    command += [f"--port_file={port_file}", f"--staging_dir={folder / 'staging'}"]
    with serving(command, folder, folder / "log.txt") as (process, _):
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, (folder / "log.txt").read_text()
            assert time.monotonic() < deadline, (folder / "log.txt").read_text()
            time.sleep(0.1)
        yield f"localhost:{port_file.read_text()}"


@pytest.fixture(scope="session")
def prism() -> str:
    """Prism, Beam's portable runner in Go: from $PRISM, or built from its Go module once."""
    import apache_beam as beam

    given = os.environ.get("PRISM") or shutil.which("prism")
    if given:
        return given
    go = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
    if go is None:
        pytest.skip("Prism needs $PRISM, `prism` on the path, or Go to build it")
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "penstock"
    folder = cache / f"prism-{beam.__version__}"
    if not (folder / "prism").exists():
        command = [go, "install", f"{PRISM}@v{beam.__version__}"]
        environment = {**os.environ, "GOBIN": str(folder)}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=600
            )
        except subprocess.TimeoutExpired:
            pytest.skip(f"Prism was not built in 10 minutes by {' '.join(command)}")
        if done.returncode:
            pytest.skip(f"Prism cannot be built here: {done.stderr[-300:]}")
    return str(folder / "prism")


class serving:
    """A child process with its log, ended at the end."""

    def __init__(self, command: list[str], folder: Path, log: Path) -> None:
        self._log = log
        environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=file, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> tuple[subprocess.Popen, Path]:
        return self._process, self._log

    def __exit__(self, *error: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def wait_for(process: subprocess.Popen, log: Path, beginning: str, seconds: float = 60) -> str:
    """The first line of a process's log that begins so."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines():
            if line.startswith(beginning):
                return line
        time.sleep(0.1)
    raise AssertionError(f"no line {beginning!r} in:\n{log.read_text()}")


WORDS = [
    "ash",
    "birch",
    "cedar",
    "elm",
    "fir",
    "hazel",
    "larch",
    "maple",
    "oak",
    "pine",
    "rowan",
    "willow",
    "yew",
]


def write_trees(folder: Path, files: int, rows: int) -> Path:
    """CSV files about trees: missing cells, line breaks, and columns whose type only all files tell."""
    folder.mkdir(parents=True)
    for number in range(files):
        generator = random.Random(number)
        with (folder / f"trees-{number}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "kind", "height", "rings", "girth", "note", "nothing"])
            for row in range(rows):
                girth = generator.randrange(1000)
                writer.writerow(
                    [
                        number * rows + row,
                        generator.choices(WORDS, weights=range(1, len(WORDS) + 1))[0],
                        "" if generator.random() < 0.1 else f"{generator.gauss(12, 5):.5f}",
                        "" if generator.random() < 0.05 else generator.randrange(300),
                        # Integers in all files but the last.
                        girth + 0.5 if number == files - 1 else girth,
                        "line\nbreak" if generator.random() < 0.01 else f"plot {row % 7}",
                        "",
                    ]
                )
    return folder


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five files of 3,000 rows."""
    return write_trees(tmp_path_factory.mktemp("data") / "trees", files=5, rows=3_000)


@pytest.fixture(scope="session")
def few_trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two files of 600 rows: few enough for the sketches to hold every value."""
    return write_trees(tmp_path_factory.mktemp("data") / "trees", files=2, rows=600)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose module imports a sibling, which reads a data file of its package."""
    root = tmp_path_factory.mktemp("project")
    files = {
        "pyproject.toml": "[tool.penstock]\n",
        "forest/__init__.py": "",
        "forest/evergreens.txt": "cedar\nfir\npine\nyew\n",
        "forest/evergreens.py": """
            from pathlib import Path

            EVERGREENS = set((Path(__file__).parent / "evergreens.txt").read_text().split())
            """,
        "forest/features.py": FEATURES,
        "forest/cached_features.py": CACHED_FEATURES,
        "forest/lines_example_gen.py": LINES_EXAMPLE_GEN,
    }
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(textwrap.dedent(text).lstrip("\n"))
    return root


FEATURES = '''
    """User code of Transform: some of it runs on Beam's workers."""

    import apache_beam as beam
    import numpy as np
    import tensorflow as tf
    import tensorflow_transform as tft

    from forest.evergreens import EVERGREENS


    class CountEvergreens(beam.PTransform):
        """An analyzer of the user's own: how many trees are evergreen."""

        def expand(self, batches):
            return (
                batches
                | beam.ParDo(IsEvergreen())
                | beam.CombineGlobally(sum)
                | beam.Map(lambda count: np.array(count, np.int64))
            )


    class IsEvergreen(beam.DoFn):
        def process(self, batch):
            yield sum(word.decode() in EVERGREENS for word in batch[0].ravel())


    def preprocessing_fn(inputs, custom_config):
        kind = tf.squeeze(inputs["kind"], 1)
        height = inputs["height"]
        if isinstance(height, tf.SparseTensor):
            height = tf.sparse.to_dense(
                tf.SparseTensor(height.indices, height.values, [height.dense_shape[0], 1])
            )
        height = tf.squeeze(height, 1)
        outputs = {
            "kind_index": tft.compute_and_apply_vocabulary(kind, vocab_filename="kinds"),
            "height_z": tft.scale_to_z_score(height),
            "height_bucket": tft.bucketize(height, 5),
        }
        if custom_config["count_evergreens"]:
            (evergreens,) = tft.experimental.ptransform_analyzer(
                [kind], CountEvergreens(), [tf.int64], [[]]
            )
            outputs["evergreens"] = tf.fill(tf.shape(kind), evergreens)
        return outputs


    def of_sequences(inputs):
        """Of tf.SequenceExamples, whose lists are ragged."""
        words = inputs["##SEQUENCE##.words"].merge_dims(1, 2)
        return {
            "age": tft.scale_to_0_1(inputs["age"]),
            "words": tft.compute_and_apply_vocabulary(words, vocab_filename="words"),
        }


    def by_evergreen(batch):
        """A slice function: evergreens and the others."""
        import pyarrow as pa

        column = batch.schema.get_field_index("kind")
        if column < 0:
            return
        kinds = batch.column(column).flatten().to_pylist()
        evergreen = [kind.decode() in EVERGREENS for kind in kinds]
        yield "evergreen", batch.filter(pa.array(evergreen))


    def stats_options_updater_fn(stats_type, options):
        options.experimental_slice_functions = [by_evergreen]
        return options
    '''

CACHED_FEATURES = '''
    """Analyzers whose accumulators are kept."""

    import tensorflow as tf
    import tensorflow_transform as tft


    def one_phase(inputs):
        """An analyzer of each kind of accumulator."""
        x, w = inputs["x"], inputs["w"]
        key, label = tf.reshape(w, [-1]), tf.reshape(inputs["y"], [-1])
        return {
            "z": tft.scale_to_z_score(x),
            "bucket": tft.bucketize(x, 3),
            "unit": tft.scale_to_0_1(x),
            "spread": tf.matmul(x, tft.covariance(x, tf.float32)),
            "word": tft.compute_and_apply_vocabulary(w, vocab_filename="words"),
            "weighted": tft.compute_and_apply_vocabulary(
                key, weights=tf.abs(tf.reshape(x, [-1])), vocab_filename="heavy"
            )[:, tf.newaxis],
            "telling": tft.compute_and_apply_vocabulary(
                key, labels=label, top_k=3, vocab_filename="telling"
            )[:, tf.newaxis],
            "key": tft.scale_to_z_score_per_key(tf.reshape(x, [-1]), key)[:, tf.newaxis],
        }


    def several_phases(inputs):
        """The buckets depend on the greatest value, which depends on the mean."""
        centred = inputs["x"] - tft.mean(inputs["x"])
        return {"bucket": tft.bucketize(centred / tft.max(tf.abs(centred)), 3)}
    '''

LINES_EXAMPLE_GEN = '''
    """An ExampleGen of the user's own, which says where it ran."""

    import os
    import sys

    import pyarrow as pa

    import penstock
    from forest import evergreens
    from penstock.components.example_gen import FileBasedExampleGen
    from penstock.io.ingestion.write_examples import Rows


    class LinesExampleGen(FileBasedExampleGen):
        def read_rows(self, files):
            for path in files:
                with open(path) as file:
                    words = file.read().split()
                here = {
                    "pid": str(os.getpid()),
                    "folder": ",".join(os.listdir(".")),
                    "module": __file__,
                    "penstock": penstock.__file__,
                    "python": sys.prefix,
                }
                columns = {
                    "word": [[word.encode()] for word in words],
                    "evergreen": [[int(word in evergreens.EVERGREENS)] for word in words],
                }
                columns |= {name: [[value.encode()]] * len(words) for name, value in here.items()}
                yield from Rows.of_batches([pa.record_batch(columns)])
    '''
