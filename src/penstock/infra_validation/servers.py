"""Model servers for one model, each in processes of its own: ours, a program's, a container's."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import IO, Any, Protocol, Self

from penstock.infra_validation.specs import LocalBinary, LocalDockerConfig
from penstock.installation import install_command
from penstock.io.processes.child_process import ChildProcess, describe_status

_LOOPBACK = "127.0.0.1"
_DOCKER_SECONDS = 60
_SERVER_MODULES = ("uvicorn", "starlette")


class ServerFailed(Exception):
    """The server or the model in it failed; the message says how."""


class Server(Protocol):
    """A running model server; a context manager that ends it."""

    label: str

    @property
    def pid(self) -> int | None:
        """The process whose memory counts; None if it is not on this machine's account."""

    def address(self, deadline: float) -> tuple[str, int]:
        """Return the host and the port of its REST interface.

        Args:
            deadline: Until when it must be known, by `time.monotonic`.

        Raises:
            ServerFailed: If it ended before, or is too late.
        """

    def ended(self) -> str | None:
        """Return how it ended, such as "was killed by SIGSEGV"; None while it runs."""

    def kill(self) -> None:
        """End it at once; may be called by any thread."""

    def memory(self) -> int | None:
        """Return the bytes that it uses, where only it knows; None otherwise."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


class PenstockServer:
    """Penstock's model server in a child process.

    Args:
        folder: The folder of versions.
        name: The model's name.
        log: Gets its lines.
    """

    label = "Penstock's server"

    def __init__(self, folder: str, name: str, log: logging.Logger) -> None:
        for module in _SERVER_MODULES:
            if importlib.util.find_spec(module) is None:
                raise ImportError(
                    f"The InfraValidator starts Penstock's model server, which needs {module!r}: "
                    f"{install_command('run', 'serving')}"
                )
        self._child = ChildProcess(
            _serve,
            (folder, name),
            name="server",
            environment={"TF_CPP_MIN_LOG_LEVEL": "3"},
            print_line=log.debug,
        )

    @property
    def pid(self) -> int | None:
        """The child's process id."""
        return self._child.pid

    def address(self, deadline: float) -> tuple[str, int]:
        """Return where it listens; see `Server.address`."""
        try:
            if not self._child.connection.poll(max(0.0, deadline - time.monotonic())):
                raise ServerFailed("did not start in time")
            address: str = self._child.connection.recv()
        except (EOFError, OSError) as error:
            raise ServerFailed("ended while it started") from error
        host, _, port = address.rpartition("://")[2].rpartition(":")
        return host.strip("[]"), int(port)

    def ended(self) -> str | None:
        """Return how it ended; None while it runs."""
        status = self._child.poll()
        return None if status is None else describe_status(status)

    def kill(self) -> None:
        """End it at once."""
        _kill_group(self._child.pid)

    def memory(self) -> int | None:
        """Return None: its process is on this machine."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()


def _serve(connection: Any, argument: tuple[str, str]) -> None:
    """Serve one model; runs in the child."""
    # If memory runs out, this process goes first.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    from penstock.server.config import ModelSource, ServerConfig
    from penstock.server.running import serve

    folder, name = argument
    config = ServerConfig((ModelSource(name, folder),), port=0, drain_seconds=0)
    serve(config, lambda address, *_: connection.send(address))


class _CommandServer:
    """A server that a command starts, which gets its port from us."""

    def __init__(self, label: str, command: Sequence[str], port: int, log: logging.Logger) -> None:
        self.label = label
        self._port = port
        self._host = _LOOPBACK
        try:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ServerFailed(f"cannot be started: {error.strerror}: {command[0]}") from error
        self.last_line = ""
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._read, args=(self._process.stdout, log), daemon=True
        )
        self._reader.start()

    def _read(self, output: IO[bytes], log: logging.Logger) -> None:
        with output:
            for line in output:
                text = line.decode("utf-8", "replace").rstrip()
                self.last_line = text or self.last_line
                log.debug("[server] %s", text)

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid

    def address(self, deadline: float) -> tuple[str, int]:
        """Return where it was told to listen."""
        del deadline
        return self._host, self._port

    def ended(self) -> str | None:
        """Return how it ended, with its last line; None while it runs."""
        status = self._process.poll()
        if status is None:
            return None
        self._reader.join(5)
        said = f", after: {self.last_line}" if self.last_line else ""
        return f"{describe_status(status)}{said}"

    def kill(self) -> None:
        """End it at once."""
        _kill_group(self._process.pid)

    def memory(self) -> int | None:
        """Return None: its process is on this machine."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()
        self._process.wait()
        self._reader.join(5)


class BinaryServer(_CommandServer):
    """A model server that is installed here and takes TensorFlow Serving's flags.

    Args:
        binary: The program.
        folder: The folder of versions.
        name: The model's name.
        log: Gets its lines.
    """

    def __init__(self, binary: LocalBinary, folder: str, name: str, log: logging.Logger) -> None:
        port = _free_port()
        command = [
            os.path.expanduser(binary.path),
            f"--port={_free_port()}",
            f"--rest_api_port={port}",
            f"--model_name={name}",
            f"--model_base_path={folder}",
            *binary.flags,
        ]
        super().__init__(os.path.basename(binary.path), command, port, log)


class ContainerServer(_CommandServer):
    """TensorFlow Serving in a container.

    Args:
        image: The image.
        docker: Where containers run.
        folder: The folder of versions, whose one version is a link to the model.
        name: The model's name.
        log: Gets its lines.
        most_memory: The bytes that it may use; None for any number.
    """

    def __init__(
        self,
        image: str,
        docker: LocalDockerConfig,
        folder: str,
        name: str,
        log: logging.Logger,
        *,
        most_memory: int | None,
    ) -> None:
        self._docker = docker
        self._container = f"penstock-infra-{uuid.uuid4().hex[:12]}"
        port = _free_port()
        model = os.path.realpath(os.path.join(folder, "1"))
        bound = [f"--memory={most_memory}", f"--memory-swap={most_memory}"] if most_memory else []
        command = [
            *_docker(docker),
            "run",
            "--rm",
            f"--name={self._container}",
            f"--publish={docker.host_ip_address or _LOOPBACK}:{port}:8501",
            f"--volume={model}:/models/{name}/1:ro",
            f"--env=MODEL_NAME={name}",
            *bound,
            image,
        ]
        super().__init__(image, command, port, log)
        self._host = docker.host_ip_address or _LOOPBACK

    @property
    def pid(self) -> int | None:
        """None: the container is a child of the daemon."""
        return None

    def memory(self) -> int | None:
        """Return the bytes that the container uses, as `docker stats` says."""
        found = self._run("stats", "--no-stream", "--format={{.MemUsage}}", self._container)
        return _bytes_of(found.partition("/")[0].strip())

    def kill(self) -> None:
        """End it at once."""
        self._run("rm", "--force", self._container)
        super().kill()

    def _run(self, *arguments: str) -> str:
        seconds = self._docker.client_timeout_seconds or _DOCKER_SECONDS
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            done = subprocess.run(
                [*_docker(self._docker), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
            return done.stdout if done.returncode == 0 else ""
        return ""


def _docker(config: LocalDockerConfig) -> list[str]:
    """Return the command of Docker, with what the configuration says of its daemon."""
    host = [f"--host={config.client_base_url}"] if config.client_base_url else []
    version = (
        ["env", f"DOCKER_API_VERSION={config.client_api_version}"]
        if config.client_api_version
        else []
    )
    return [*version, "docker", *host]


def _bytes_of(text: str) -> int | None:
    """Return a size as Docker writes it.

    Example:
        >>> _bytes_of("1.5MiB")
        1572864
    """
    units = {"KiB": 10, "MiB": 20, "GiB": 30, "TiB": 40}
    number, power = text.rstrip("BKMGTki"), units.get(text[-3:], 0)
    try:
        return int(float(number) * (1 << power))
    except ValueError:
        return None


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((_LOOPBACK, 0))
        port: int = found.getsockname()[1]
        return port


@contextlib.contextmanager
def version_folder(model: str, parent: str) -> Iterator[str]:
    """Give a folder of versions whose version 1 is a model.

    Args:
        model: The model's folder.
        parent: The folder to make it in.
    """
    folder = os.path.join(parent, f"served-{uuid.uuid4().hex[:8]}")
    os.makedirs(folder)
    link = os.path.join(folder, "1")
    os.symlink(os.path.abspath(model), link)
    try:
        yield folder
    finally:
        os.remove(link)
        os.rmdir(folder)
