"""Real database servers for tests: Debian's binaries, a temporary folder, a loopback port."""

from __future__ import annotations

import contextlib
import glob
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

START_SECONDS = 60.0


class Absent(Exception):
    """The server's binaries are not installed; the message says how to get them."""


def _find(name: str, *patterns: str) -> str:
    found = shutil.which(name)
    for pattern in patterns:
        found = found or next(iter(sorted(glob.glob(pattern), reverse=True)), None)
    if found is None:
        raise Absent(f"{name} is not installed (Debian: apt-get install postgresql mariadb-server)")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _unprivileged() -> Mapping[str, Any]:
    """Return what makes subprocess run as nobody when we are root, whom these servers refuse."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def _folder() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="penstock-server-")
    try:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _running(
    command: list[str], folder: str, environment: Mapping[str, str], answers: Callable[[], object]
) -> Iterator[None]:
    log = os.path.join(folder, "server.log")
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(environment),
            **_unprivileged(),
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                answers()
                break
            except Exception:
                if process.poll() is not None or time.monotonic() > deadline:
                    with open(log, errors="replace") as text:
                        raise RuntimeError(f"{command[0]} did not start:\n{text.read()}") from None
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def postgresql(host: str = "127.0.0.1", network: str = "127.0.0.1/32") -> Iterator[str]:
    """Run a PostgreSQL server; yield the URL of its database `postgres`.

    Args:
        host: Address that it listens on.
        network: Who may connect, without a password.
    """
    import psycopg

    initdb = _find("initdb", "/usr/lib/postgresql/*/bin/initdb")
    server = _find("postgres", "/usr/lib/postgresql/*/bin/postgres")
    with _folder() as folder:
        data, port = f"{folder}/data", _free_port()
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": folder}
        subprocess.run(
            [initdb, "-D", data, "-U", "penstock", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            cwd=folder,
            env=environment,
            **_unprivileged(),
        )
        with open(f"{data}/pg_hba.conf", "a") as rules:
            rules.write(f"host all all {network} trust\n")
        command = [server, "-D", data, "-p", str(port), "-h", host, "-k", folder]
        url = f"postgresql://penstock@{host}:{port}/postgres"
        with _running(command, folder, environment, lambda: psycopg.connect(url).close()):
            yield url


@contextlib.contextmanager
def mariadb() -> Iterator[str]:
    """Run a MariaDB server; yield the URL of its database `test`."""
    import pymysql

    install = _find("mariadb-install-db", "/usr/bin/mariadb-install-db")
    server = _find("mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
    with _folder() as folder:
        data, port = f"{folder}/data", _free_port()
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "LC_ALL": "C.UTF-8"}
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        subprocess.run(
            [
                install,
                "--no-defaults",
                f"--datadir={data}",
                "--auth-root-authentication-method=normal",
                "--skip-test-db",
                f"--user={user}",
            ],
            check=True,
            capture_output=True,
            cwd=folder,
            env=environment,
            **_unprivileged(),
        )
        command = [
            server,
            "--no-defaults",
            f"--datadir={data}",
            f"--port={port}",
            "--bind-address=127.0.0.1",
            f"--socket={folder}/mysql.sock",
            f"--pid-file={folder}/mysql.pid",
            "--innodb-flush-log-at-trx-commit=1",
            "--max-connections=100",
        ]

        def answers() -> None:
            with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
                connection.cursor().execute("CREATE DATABASE IF NOT EXISTS test")

        with _running(command, folder, environment, answers):
            yield f"mysql://root@127.0.0.1:{port}/test"


def create_database(url: str, name: str) -> None:
    """Create the database `name` on the server whose database `url` names."""
    if url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return
    import pymysql

    port = int(url.rpartition(":")[2].partition("/")[0])
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
        connection.cursor().execute(f"CREATE DATABASE {name}")
