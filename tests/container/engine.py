"""A container engine for tests: found, or set up on a Debian machine where we are root.

What is done, in this order:

1. `podman` or `docker` is taken if it is there and can run something.
2. Else, as root on a machine with apt-get, Debian's podman and runc are installed.
3. The base image that the Dockerfile names is taken from the machine, else pulled, else made of
   Debian's own packages (debootstrap) and imported under that name: registries may be out of reach.
4. Where pip here is told of an index or a certificate, the build is told of it as well, by build
   arguments. Nothing of it stays in the image.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from penstock.testing.kubeflow import ContainerCall

BASE = "docker.io/library/python:3.11-slim"
REPOSITORY = Path(__file__).resolve().parents[2]
_BARE = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=32768:32768")
"""What nested and virtual machines need, whose own limits are below the engines' defaults."""


class NoEngine(RuntimeError):
    """No container engine can be had; the message says why."""


class Engine:
    """Podman or Docker by its command line.

    Args:
        command: The program and the options before its verb.
        options: Options of `run` and `build`.
    """

    def __init__(self, command: Sequence[str], options: Sequence[str] = ()) -> None:
        self._command = list(command)
        self._options = list(options)

    @property
    def name(self) -> str:
        return " ".join([*self._command, *self._options])

    def call(self, *arguments: str, seconds: float = 600, check: bool = True) -> str:
        ended = subprocess.run(
            [*self._command, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        if check and ended.returncode:
            raise RuntimeError(f"{' '.join(arguments)} failed:\n{ended.stdout[-4000:]}")
        return ended.stdout

    def works(self) -> bool:
        """Return whether it can run a program of its base image."""
        try:
            said = self.call("run", "--rm", *self._options, BASE, "python3.11", "-c", "print('ok')")
        except (RuntimeError, OSError, subprocess.TimeoutExpired):
            return False
        return said.strip().endswith("ok")

    def has(self, image: str) -> bool:
        return bool(self.call("images", "--quiet", image, check=False).strip())

    def build(self, tag: str, folder: Path, **build_arguments: str) -> None:
        """Build a Dockerfile's image with pip's settings of this machine."""
        arguments = ["build", "--network=host", *self._options, "--tag", tag]
        for name, value in build_arguments.items():
            arguments += ["--build-arg", f"{name}={value}"]
        for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST"):
            if name in os.environ:
                arguments += ["--build-arg", name]
        certificate = os.environ.get("PIP_CERT")
        if certificate and "podman" in self._command[0]:
            inside = "/usr/local/share/pip-cert.pem"
            arguments += ["--volume", f"{certificate}:{inside}:ro"]
            arguments += ["--build-arg", f"PIP_CERT={inside}"]
        self.call(*arguments, str(folder), seconds=3600)

    def run_once(self, image: str, *command: str) -> str:
        return self.call("run", "--rm", *self._options, image, *command)

    def start(self, *arguments: str) -> list[str]:
        """Return the command that starts a container and waits for its end."""
        return [*self._command, "run", "--rm", *self._options, *arguments]


class Containers:
    """What `CompiledPipeline` starts containers with.

    Args:
        engine: The engine.
        folder: Mounted under its own path in every container, in place of Kubeflow's object store.
    """

    def __init__(self, engine: Engine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder

    def run(self, call: ContainerCall) -> tuple[int, str]:
        options = ["--network=host", "--volume", f"{self._folder}:{self._folder}"]
        for name, value in call.environment.items():
            options += ["--env", f"{name}={value}"]
        ended = subprocess.run(
            self._engine.start(*options, call.image, *call.command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=call.timeout,
            check=False,
        )
        return ended.returncode, ended.stdout


@functools.cache
def find_engine() -> Engine:
    """Return an engine that works and has the base image.

    Raises:
        NoEngine: If none can be had.
    """
    tried: list[str] = []
    for name in ("podman", "docker"):
        if shutil.which(name) is None:
            tried.append(f"there is no {name}")
            continue
        engine = _working(name)
        if engine is not None:
            return engine
        tried.append(f"{name} cannot run a container")
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoEngine("; ".join([*tried, "and only root with apt-get could install one"]))
    _install("podman", "runc", "debootstrap")
    engine = _working("podman")
    if engine is None:
        raise NoEngine("podman was installed with apt-get, but cannot run a container here")
    return engine


def _working(name: str) -> Engine | None:
    plain = Engine([name])
    try:
        plain.call("info")
        if not plain.has(BASE):
            _get_base(plain)
    except (RuntimeError, subprocess.SubprocessError):
        return None
    candidates = [plain, Engine([name], _BARE)]
    if name == "podman" and shutil.which("runc"):
        candidates.append(Engine([name, "--runtime=runc"], _BARE))
    return next((each for each in candidates if each.works()), None)


def _get_base(engine: Engine) -> None:
    try:
        engine.call("pull", BASE, seconds=300)
        return
    except (RuntimeError, subprocess.TimeoutExpired):
        if os.geteuid() != 0:
            raise
    if shutil.which("debootstrap") is None:
        _install("debootstrap")
    with tempfile.TemporaryDirectory() as folder:
        root, archive = f"{folder}/root", f"{folder}/root.tar"
        # The venv package asks for python3.11-distutils, which these provide and debootstrap
        # does not look for.
        packages = "ca-certificates,python3.11,python3.11-venv,python3-distutils,python3-lib2to3"
        _run("debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", root)
        _run("tar", "--directory", root, "--create", "--file", archive, ".")
        engine.call("import", archive, BASE)


def _install(*packages: str) -> None:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NoEngine(f"{', '.join(packages)} is missing, and only root with apt-get installs it")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    arguments = ["install", "--yes", "--no-install-recommends", *packages]
    try:
        _run("apt-get", *arguments, environment=environment)
    except RuntimeError:
        _run("apt-get", "update", environment=environment)
        _run("apt-get", *arguments, environment=environment)


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    ended = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout[-2000:]}")
