"""What runs first in a container: it makes the container's file system and becomes its command.

It is started in new mount, process, host name and IPC namespaces and in the pod's network namespace. The
root is an overlay on this machine's own, so that whatever is written disappears with the container. Only
the standard library is used; see `container_process.py` for the fields of its argument.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from typing import Any

READ_ONLY, REMOUNT, BIND, RECURSIVE = 1, 32, 4096, 16384
_CANNOT_RUN = 128


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """Call mount(2).

    Raises:
        OSError: If it fails.
    """
    library = ctypes.CDLL(None, use_errno=True)
    given = [each.encode() if each else None for each in (source, target, kind)]
    if library.mount(*given, ctypes.c_ulong(flags), data.encode() if data else None):
        number = ctypes.get_errno()
        raise OSError(number, f"mount {kind or source}: {os.strerror(number)}", target)


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


def main(path: str) -> None:
    """Make the container that the JSON file describes, and run its command."""
    with open(path, encoding="utf-8") as text:
        told = json.load(text)
    try:
        root = make_root(told)
        socket.sethostname(told["hostname"])
        os.chroot(root)
        os.makedirs(told["working_folder"], exist_ok=True)
        os.chdir(told["working_folder"])
        os.setgroups(told["groups"])
        os.setgid(told["group"])
        os.setuid(told["user"])
        os.umask(0o022)
        os.execvpe(told["command"][0], told["command"], told["environment"])
    except OSError as error:
        print(f"the container cannot run {told['command'][:1]}: {error}", file=sys.stderr)
        sys.exit(_CANNOT_RUN)


main(sys.argv[1])
