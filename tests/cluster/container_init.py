"""What runs a container: it makes its namespaces and its file system, and waits for its command.

The mounts, processes, host name and IPC are the container's own, the network is its pod's. The root is an
overlay on this machine's own, so that whatever is written disappears with the container. Only
the standard library is used; see `container_process.py` for the fields of its argument.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
from typing import Any

READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC = 0x00020000, 0x04000000, 0x08000000
NEW_PROCESSES, NEW_NETWORK = 0x20000000, 0x40000000
PR_SET_PDEATHSIG = 1
_CANNOT_RUN = 128
_LIBRARY = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> None:
    """Call a function of the C library that this Python may not have.

    Raises:
        OSError: If it fails.
    """
    if getattr(_LIBRARY, name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Call mount(2).

    Raises:
        OSError: If it fails.
    """
    given = [each.encode() if each else None for each in (source, target, kind)]
    call("mount", *given, ctypes.c_ulong(flags), data.encode() if data else None)


def overlay(lower: str, folder: str, target: str) -> None:
    """Mount `lower` at `target`, writable; what is written lies in `folder`."""
    for each in ("upper", "work"):
        os.makedirs(f"{folder}/{each}")
    os.chmod(f"{folder}/upper", 0o755)
    given = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    mount("overlay", target, "overlay", 0, given)


def bind(source: str, target: str, read_only: bool = False) -> None:
    """Show a file or folder at `target`, which is made if it is missing."""
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.isfile(target) or os.path.islink(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(target):
            os.unlink(target)
        open(target, "w").close()
    mount(source, target, "", BIND | RECURSIVE)
    if read_only:
        mount("", target, "", BIND | REMOUNT | READ_ONLY)


def inside(root: str, path: str) -> str:
    """Return `path` without links, as it will be found when `root` is the root."""
    done, left = "", path.split("/")[::-1]
    while left:
        part = left.pop()
        if part == "..":
            done = os.path.dirname(done)
        elif os.path.islink(f"{root}{done}/{part}"):
            link = os.readlink(f"{root}{done}/{part}")
            done = "" if link.startswith("/") else done
            left.extend(link.split("/")[::-1])
        elif part not in ("", "."):
            done = f"{done}/{part}"
    return done


def make_root(told: dict[str, Any]) -> str:
    """Make the file system; return its path."""
    top = told["folder"]
    mount("tmpfs", top, "tmpfs", 0, "mode=755")
    root = f"{top}/root"
    os.mkdir(root)
    overlay("/", f"{top}/written", root)
    device = os.stat("/").st_dev
    for each in told["programs"]:
        if os.stat(each).st_dev != device:
            bind(each, root + each)
        path = root
        for part in each.strip("/").split("/"):
            path = f"{path}/{part}"
            if not os.path.islink(path):
                os.chmod(path, os.stat(path).st_mode | 0o555)
    os.makedirs(f"{root}/app", exist_ok=True)
    overlay(told["project"], f"{top}/project", f"{root}/app")
    os.makedirs(f"{root}/home/penstock", exist_ok=True)
    for each in ("/app", "/home/penstock"):
        os.chown(root + each, told["user"], told["group"])
    mount("proc", f"{root}/proc", "proc")
    bind("/sys", f"{root}/sys")
    _devices(f"{root}/dev", told["shared_memory"])
    bind(told["tmp"], f"{root}/tmp")
    for source, target, read_only in told["mounts"]:
        bind(source, root + inside(root, target), read_only)
    for each in told["programs"]:
        if each.startswith("/tmp/"):  # where a clone may lie, and a pod has a folder of its own
            bind(each, root + each)
    if told["read_only"]:
        mount("", root, "", BIND | REMOUNT | READ_ONLY)
    return root


def _devices(target: str, shared_memory: str) -> None:
    mount("tmpfs", target, "tmpfs", 0, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        bind(f"/dev/{name}", f"{target}/{name}")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{number}", f"{target}/{name}")
    os.symlink("/proc/self/fd", f"{target}/fd")
    os.mkdir(f"{target}/shm")
    mount("tmpfs", f"{target}/shm", "tmpfs", 0, f"mode=1777,size={shared_memory}")


def become(told: dict[str, Any]) -> None:
    """Make the container and become its command; the exit code is 128 if that cannot be."""
    try:
        mount("none", "/", "", RECURSIVE | PRIVATE)
        root = make_root(told)
        socket.sethostname(told["hostname"])
        os.chroot(root)
        os.makedirs(told["working_folder"], exist_ok=True)
        os.chdir(told["working_folder"])
        os.setgroups(told["groups"])
        os.setgid(told["group"])
        os.setuid(told["user"])
        os.umask(0o022)
        # With another user the kernel forgets it.
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execvpe(told["command"][0], told["command"], told["environment"])
    except OSError as error:
        print(
            f"the container cannot run {told['command'][:1]}: {error}", file=sys.stderr, flush=True
        )
        os._exit(_CANNOT_RUN)


def main(path: str) -> int:
    """Run the container that the JSON file describes; return its exit code."""
    with open(path, encoding="utf-8") as text:
        told = json.load(text)
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    with open(told["network"]) as network:
        call("setns", network.fileno(), NEW_NETWORK)
    call("unshare", NEW_MOUNTS | NEW_HOSTNAME | NEW_IPC | NEW_PROCESSES)
    child = os.fork()
    if not child:
        call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
        become(told)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - code if code < 0 else code


sys.exit(main(sys.argv[1]))
