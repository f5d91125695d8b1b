"""The Kubernetes control plane's programs: built from their Go modules, once a machine.

`python tests/cluster/binaries.py` builds what is missing. That takes about 15 minutes of CPU and 1 GB
of disk, and needs Go and a module proxy.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

KUBERNETES = "1.35.4"
ETCD = "3.6.16"


class Absent(Exception):
    """A program is not there; the message says how to get it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Binaries:
    """Paths of the programs.

    Attributes:
        etcd: The store of the API server.
        apiserver: The API server.
        controllers: The controller manager: jobs, deployments, garbage collection and so on.
    """

    etcd: Path
    apiserver: Path
    controllers: Path


def cache_folder() -> Path:
    """Return `$PENSTOCK_CLUSTER_CACHE`, or a folder below the user's cache."""
    given = os.environ.get("PENSTOCK_CLUSTER_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(home) / "penstock-cluster"


def binaries() -> Binaries:
    """Return the programs that were built before.

    Raises:
        Absent: If one is missing.
    """
    found = _paths()
    for each in dataclasses.astuple(found):
        if not each.exists():
            raise Absent(f"{each} is not there. Build it: python tests/cluster/binaries.py")
    return found


def build(jobs: int = 2) -> Binaries:
    """Build what is missing and return the programs.

    Args:
        jobs: Compilers at once.

    Raises:
        Absent: If Go is missing or a build fails.
    """
    found = _paths()
    found.etcd.parent.mkdir(parents=True, exist_ok=True)
    with open(cache_folder() / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.etcd.exists():
            module = _module("etcd", f"go.etcd.io/etcd/server/v3 v{ETCD}", "1.24")
            _compile(module, "go.etcd.io/etcd/server/v3", found.etcd, jobs)
        for path, name in (
            (found.apiserver, "kube-apiserver"),
            (found.controllers, "kube-controller-manager"),
        ):
            if not path.exists():
                _compile(_kubernetes(), f"k8s.io/kubernetes/cmd/{name}", path, jobs)
    return found


def _paths() -> Binaries:
    folder = cache_folder() / "bin"
    return Binaries(
        folder / f"etcd-{ETCD}",
        folder / f"kube-apiserver-{KUBERNETES}",
        folder / f"kube-controller-manager-{KUBERNETES}",
    )


def _kubernetes() -> Path:
    """Return a module that requires Kubernetes, whose own go.mod names parts of its repository."""
    requirement = f"k8s.io/kubernetes@v{KUBERNETES}"
    folder = _module("kubernetes", "", "1.25")
    described = json.loads(_go(folder, "mod", "download", "-json", requirement))
    told = json.loads(_go(folder, "mod", "edit", "-json", described["GoMod"]))
    staged = [
        each["Old"]["Path"]
        for each in told["Replace"]
        if each["New"]["Path"].startswith("./staging/")
    ]
    version = "v0." + KUBERNETES.partition(".")[2]
    replaced = "".join(f"replace {each} => {each} {version}\n" for each in staged)
    return _module("kubernetes", requirement.replace("@", " "), told["Go"], replaced)


def _module(name: str, requirement: str, go: str, more: str = "") -> Path:
    folder = cache_folder() / "modules" / name
    folder.mkdir(parents=True, exist_ok=True)
    required = f"require {requirement}\n" if requirement else ""
    text = f"module penstock.cluster/{name}\n\ngo {go}\n\n{required}{more}"
    (folder / "go.mod").write_text(text, encoding="utf-8")
    return folder


def _compile(module: Path, package: str, path: Path, jobs: int) -> None:
    print(f"building {path.name} (minutes, once)", file=sys.stderr, flush=True)
    major, minor, _ = KUBERNETES.split(".")
    stamped = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
    flags = " ".join(
        f"-X k8s.io/component-base/version.{key}={each}" for key, each in stamped.items()
    )
    made = path.with_suffix(".part")
    _go(module, "build", "-p", str(jobs), "-ldflags", f"-s -w {flags}", "-o", str(made), package)
    made.rename(path)


def _go(folder: Path, *arguments: str) -> str:
    go = shutil.which("go")
    if go is None:
        raise Absent("Go is not installed: get 1.25 or newer from https://go.dev/dl")
    environment: Mapping[str, str] = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false"}
    done = subprocess.run(
        [go, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Absent(f"go {' '.join(arguments)} failed in {folder}:\n{done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    try:
        print(build(int(os.environ.get("JOBS", "2"))).apiserver.parent)
    except Absent as reason:
        sys.exit(str(reason))
