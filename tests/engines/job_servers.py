"""Beam's job servers for Flink and Spark, put together from the modules that Maven Central serves.

    python tests/engines/job_servers.py flink     # prints the path of a jar that `java -jar` starts

Beam publishes each as one shaded jar; this one is a jar with only a class path, beside the modules
that Maven resolves. It needs Java 11 or newer and Maven. The modules are kept in
`$PENSTOCK_CLUSTER_CACHE`, by default `~/.cache/penstock-cluster`.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape


@dataclasses.dataclass(frozen=True)
class JobServer:
    """How one job server is built and started.

    Args:
        modules: `group:artifact:version` of its direct dependencies.
        main_class: its driver.
        master: the argument that names its cluster.
        embedded: what that argument says for a cluster within the job server.
    """

    modules: tuple[str, ...]
    main_class: str
    master: str
    embedded: str

    @property
    def version(self) -> str:
        """That of Beam's modules."""
        return self.modules[0].rsplit(":", 1)[1]


# The newest versions of Beam whose modules can be resolved without its shaded jars.
JOB_SERVERS = {
    "flink": JobServer(
        modules=(
            "org.apache.beam:beam-runners-flink-1.19:2.62.0",
            "org.slf4j:slf4j-simple:1.7.30",
        ),
        main_class="org.apache.beam.runners.flink.FlinkJobServerDriver",
        master="--flink-master",
        embedded="[local]",
    ),
    "spark": JobServer(
        modules=(
            "org.apache.beam:beam-runners-spark-3:2.50.0",
            "org.apache.spark:spark-core_2.12:3.3.4",
            "org.apache.spark:spark-streaming_2.12:3.3.4",
            "org.apache.spark:spark-sql_2.12:3.3.4",
            # Jackson's Scala module refuses a databind of another minor version.
            "com.fasterxml.jackson.core:jackson-databind:2.14.1",
            "com.fasterxml.jackson.module:jackson-module-scala_2.12:2.14.1",
        ),
        main_class="org.apache.beam.runners.spark.SparkJobServerDriver",
        master="--spark-master-url",
        embedded="local[2]",
    ),
}

# What Flink's and Spark's serializers look into on Java 17.
ADD_OPENS = (
    "java.base/java.io java.base/java.lang java.base/java.lang.invoke java.base/java.lang.reflect "
    "java.base/java.math java.base/java.net java.base/java.nio java.base/java.text "
    "java.base/java.time java.base/java.util java.base/java.util.concurrent "
    "java.base/java.util.concurrent.atomic java.base/sun.nio.ch java.base/sun.util.calendar"
)


def build(name: str) -> Path:
    """Return the jar of a job server, resolved once.

    Raises:
        FileNotFoundError: if there is no Maven or Java here.
        RuntimeError: if Maven cannot resolve the modules.
    """
    server = JOB_SERVERS[name]
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise FileNotFoundError(
                f"{program} is not on the path; the job server of {name} needs it"
            )
    cache = Path(
        os.environ.get("PENSTOCK_CLUSTER_CACHE") or Path.home() / ".cache" / "penstock-cluster"
    )
    folder = cache / f"beam-{name}-{server.version}"
    jar = folder / "job-server.jar"
    if jar.exists():
        return jar
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as work:
        (Path(work) / "pom.xml").write_text(pom(server.modules))
        command = ["mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies"]
        command += ["-DincludeScope=runtime", "-DoutputDirectory=modules"]
        done = subprocess.run(
            command, cwd=work, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        if done.returncode:
            raise RuntimeError(f"Maven did not resolve {server.modules}:\n{done.stdout[-2000:]}")
        modules = sorted(path.name for path in (Path(work) / "modules").iterdir())
        with zipfile.ZipFile(Path(work) / "job-server.jar", "w") as archive:
            archive.writestr("META-INF/MANIFEST.MF", manifest(server.main_class, modules))
        try:
            os.rename(work, folder)
        except OSError:
            if not jar.exists():  # Another process was not faster.
                raise
        else:
            os.mkdir(work)  # For TemporaryDirectory to remove.
    return jar


def pom(modules: tuple[str, ...]) -> str:
    """A project of nothing but dependencies."""
    dependencies = ""
    for module in modules:
        group, artifact, version = map(escape, module.split(":"))
        dependencies += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>\n"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>\n'
        "<groupId>penstock</groupId><artifactId>job-server</artifactId><version>1</version>\n"
        f"<dependencies>\n{dependencies}</dependencies></project>\n"
    )


def manifest(main_class: str, modules: list[str]) -> str:
    """The manifest of a jar that starts a class of its modules; lines have at most 72 bytes."""
    headers = {
        "Manifest-Version": "1.0",
        "Main-Class": main_class,
        "Class-Path": " ".join(f"modules/{name}" for name in modules),
        "Add-Opens": ADD_OPENS,
    }
    lines = []
    for name, value in headers.items():
        rest = f"{name}: {value}"
        while len(rest) > 72:
            lines.append(rest[:72])
            rest = f" {rest[72:]}"
        lines.append(rest)
    return "".join(f"{line}\r\n" for line in lines) + "\r\n"


def command(name: str, jar: Path, port: int, artifacts: Path, master: str = "") -> list[str]:
    """The command that serves on loopback.

    Args:
        port: of the job service; the others are chosen.
        artifacts: folder for what jobs stage.
        master: the cluster's address; by default one is embedded.
    """
    return [
        "java",
        "-Xmx1g",
        "-jar",
        str(jar),
        f"{JOB_SERVERS[name].master}={master or JOB_SERVERS[name].embedded}",
        "--job-host=localhost",
        f"--job-port={port}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={artifacts}",
    ]


def flink_cluster(jar: Path, folder: Path, rpc_port: int, rest_port: int) -> list[list[str]]:
    """The commands of a Flink session cluster: a JobManager and a TaskManager, each a process.

    Args:
        jar: of the job server, beside whose modules they run.
        folder: for the configuration; must exist.
        rpc_port: where the TaskManager finds the JobManager.
        rest_port: of Flink's REST API, which is the address of the cluster.
    """
    (folder / "flink-conf.yaml").write_text(
        FLINK_CONFIGURATION.format(rpc_port=rpc_port, rest_port=rest_port, folder=folder)
    )
    java = ["java", "-XX:MaxDirectMemorySize=768m"]
    java += [f"--add-opens={name}=ALL-UNNAMED" for name in ADD_OPENS.split()]
    java += ["-cp", f"{jar.parent / 'modules'}/*"]
    places = [
        ("-Xmx512m", "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"),
        ("-Xmx1g", "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"),
    ]
    return [[*java, heap, main_class, "--configDir", str(folder)] for heap, main_class in places]


# Flink's scripts would work the sizes of a TaskManager out.
FLINK_CONFIGURATION = """\
jobmanager.rpc.address: localhost
jobmanager.rpc.port: {rpc_port}
rest.address: localhost
rest.bind-address: localhost
rest.port: {rest_port}
taskmanager.host: localhost
taskmanager.numberOfTaskSlots: 8
taskmanager.cpu.cores: 2
taskmanager.memory.framework.heap.size: 128m
taskmanager.memory.framework.off-heap.size: 128m
taskmanager.memory.task.heap.size: 512m
taskmanager.memory.task.off-heap.size: 64m
taskmanager.memory.network.min: 384m
taskmanager.memory.network.max: 384m
taskmanager.network.sort-shuffle.min-buffers: 64
pekko.ask.timeout: 120 s
heartbeat.timeout: 180000
taskmanager.memory.managed.size: 128m
taskmanager.memory.jvm-metaspace.size: 256m
taskmanager.memory.jvm-overhead.min: 192m
taskmanager.memory.jvm-overhead.max: 192m
io.tmp.dirs: {folder}
"""


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in JOB_SERVERS:
        sys.exit(f"usage: python {sys.argv[0]} {'|'.join(JOB_SERVERS)}")
    print(build(sys.argv[1]))
