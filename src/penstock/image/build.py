"""Building an image with podman or docker, under a tag that follows from its content."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from penstock.image.base_lock import BaseLock
from penstock.image.context import context_files

# What pip is told of this machine's network, if it is told; it changes nothing of the image.
_PASSED_ON = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_TRUSTED_HOST")
_BASE = re.compile(r"^\s*ARG\s+PYTHON_IMAGE=(\S+)\s*$", re.MULTILINE | re.IGNORECASE)


class ImageError(RuntimeError):
    """No engine, no Dockerfile, or a build that failed; the message says which and what to do."""


@dataclasses.dataclass(frozen=True)
class ImageBuild:
    """One image of a project.

    The tag is the start of a SHA-256 over the Dockerfile, the files that the engine would send, the
    build arguments (but pip's own settings) and the base image's digest: the same content has the same
    name, and other content another. So Kubeflow's cache, which compares names, is right about images.

    Args:
        folder: The project's root; the context of the build.
        name: The image's name without a tag, as `europe-docker.pkg.dev/project/images/penguin`.
        variant: The build argument VARIANT (cpu, gpu, tpu or slim, in Penstock's Dockerfile); "" leaves it.
        arguments: Further build arguments.
        dockerfile: Path of the Dockerfile below the folder.
        base: The base image; by default the one that the Dockerfile names in `ARG PYTHON_IMAGE=`.

    Example:
        build = ImageBuild(".", "registry.example.com/penguin")
        engine = find_engine()
        if not build.exists(engine):
            build.run(engine)
        print(build.reference)   # registry.example.com/penguin:3f2a9c0d1b7e
    """

    folder: str
    name: str
    variant: str = ""
    arguments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    dockerfile: str = "Dockerfile"
    base: str | None = None

    @property
    def dockerfile_text(self) -> str:
        """The Dockerfile.

        Raises:
            ImageError: If the project has none.
        """
        path = os.path.join(self.folder, self.dockerfile)
        try:
            with open(path, encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            raise ImageError(
                f"There is no {path}. `penstock init` writes a project with one; --file names another."
            ) from None

    @property
    def base_tag(self) -> str | None:
        """The base image's tag; None if the Dockerfile has no `ARG PYTHON_IMAGE=`."""
        if self.base is not None:
            return self.base
        found = _BASE.search(self.dockerfile_text)
        return found.group(1) if found else None

    @property
    def pinned_base(self) -> str | None:
        """The base image by digest, if the lock file has one for its tag."""
        tag = self.base_tag
        return None if tag is None else BaseLock.read(self.folder).pinned(tag)

    @property
    def build_arguments(self) -> dict[str, str]:
        """All build arguments, with the base image and the variant."""
        base = self.pinned_base or self.base
        return {
            **({"PYTHON_IMAGE": base} if base else {}),
            **({"VARIANT": self.variant} if self.variant else {}),
            **self.arguments,
        }

    @property
    def reference(self) -> str:
        """The image's name with its tag."""
        digest = hashlib.sha256()
        for key, value in sorted(self.build_arguments.items()):
            if not key.startswith("PIP_"):  # where packages come from, not what they are
                digest.update(f"{key}={value}\0".encode())
        _add(digest, "Dockerfile", self.dockerfile_text.encode())
        for path in context_files(self.folder):
            full = os.path.join(self.folder, path)
            mode = "x" if os.access(full, os.X_OK) else "-"
            if os.path.islink(full):
                _add(digest, f"l {path}", os.readlink(full).encode())
            else:
                with open(full, "rb") as file:
                    _add(digest, f"{mode} {path}", file.read())
        short = digest.hexdigest()[:12]
        return f"{self.name}:{f'{self.variant}-' if self.variant else ''}{short}"

    def command(self, engine: Sequence[str], options: Sequence[str] = ()) -> list[str]:
        """Return the command that builds it.

        Args:
            engine: As `find_engine` returns it.
            options: Further options of the engine's `build`.
        """
        command = [*engine, "build", "--tag", self.reference]
        command += ["--file", os.path.join(self.folder, self.dockerfile)]
        for key, value in self.build_arguments.items():
            command += ["--build-arg", f"{key}={value}"]
        for key in _PASSED_ON:
            if key in os.environ and key not in self.arguments:
                command += ["--build-arg", key]
        return [*command, *options, self.folder]

    def exists(self, engine: Sequence[str]) -> bool:
        """Return whether this machine's engine has it already."""
        return _call([*engine, "image", "inspect", self.reference]).returncode == 0

    def run(self, engine: Sequence[str], options: Sequence[str] = ()) -> None:
        """Build it; what the engine prints goes to standard error.

        Raises:
            ImageError: If the build fails, or files changed meanwhile: the tag would not tell the content.
        """
        before = self.reference
        _told(self.command(engine, options), "The build failed; what it printed is above.")
        if self.reference != before:
            _call([*engine, "rmi", before])
            raise ImageError(
                "Files of the project changed while its image was built. Build it again."
            )

    def push(self, engine: Sequence[str]) -> None:
        """Push it to its registry.

        Raises:
            ImageError: If that fails.
        """
        _told([*engine, "push", self.reference], "The push failed; what it printed is above.")


def find_engine(named: str | None = None) -> list[str]:
    """Return the command of a container engine.

    Args:
        named: A command with options, as "podman --runtime=runc"; by default podman or docker, which
            ever is on the path.

    Raises:
        ImageError: If there is none.
    """
    given = named or os.environ.get("PENSTOCK_CONTAINER_ENGINE")
    if given:
        words = shlex.split(given)
        if not words or shutil.which(words[0]) is None:
            raise ImageError(f"There is no program {given!r} on the path.")
        return words
    for name in ("podman", "docker"):
        if shutil.which(name):
            return [name]
    raise ImageError("Neither podman nor docker is on the path. Install one, or name it: --engine.")


def digest_of(engine: Sequence[str], tag: str, pull: bool = True) -> str:
    """Return the digest that a tag stands for.

    Args:
        engine: As `find_engine` returns it.
        tag: The image's name with its tag.
        pull: Whether to ask the registry; else what this machine has counts.

    Raises:
        ImageError: If the registry or the machine has no such image.
    """
    if pull:
        _told([*engine, "pull", tag], f"The registry gave no image {tag}.")
    done = _call([*engine, "image", "inspect", "--format", "{{json .RepoDigests}}", tag])
    found = re.search(r"@(sha256:[0-9a-f]{64})", done.stdout)
    if done.returncode or found is None:
        raise ImageError(f"This machine has no image {tag} with a digest: {done.stderr.strip()}")
    return found.group(1)


def _add(digest: hashlib._Hash, name: str, content: bytes) -> None:
    digest.update(f"{name}\0{len(content)}\0".encode())
    digest.update(content)


def _call(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _told(command: Sequence[str], failure: str) -> None:
    # BuildKit: older versions of docker build without it, and know no mounts.
    environment = {**os.environ, "DOCKER_BUILDKIT": os.environ.get("DOCKER_BUILDKIT", "1")}
    ended = subprocess.run(command, stdout=sys.stderr, env=environment, check=False)
    if ended.returncode:
        raise ImageError(f"{failure} Command: {shlex.join(command)}")
