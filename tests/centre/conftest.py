"""A real PostgreSQL of the tests' own, on a Unix socket in a folder of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_SERVER_ARGUMENTS = "-c listen_addresses='' -c fsync=off -c max_connections=20 -c shared_buffers=16MB"


def _programs():
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True):
        if (folder / "initdb").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).parent if found else None


def _as_somebody():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return [], None
    for name in ("postgres", "nobody"):
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        setpriv = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--"]
        if shutil.which("setpriv"):
            return setpriv, user
    return None, None


class Postgres:
    """One server; each `url()` is a database of its own."""

    def __init__(self, programs, folder, somebody):
        self._programs = programs
        self._folder = folder
        self._somebody = somebody
        self._numbers = itertools.count(1)

    def make(self):
        self._run("initdb", "-D", f"{self._folder}/data", "-U", "strapline", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self):
        options = f"{_SERVER_ARGUMENTS} -k {self._folder}"
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-l", f"{self._folder}/log", "-o", options, "-w", "start")

    def stop(self):
        self._run("pg_ctl", "-D", f"{self._folder}/data", "-m", "immediate", "-w", "stop")

    def url(self):
        name = f"ledger{next(self._numbers)}"
        self._run("createdb", "-h", str(self._folder), "-U", "strapline", name)
        return f"postgresql://strapline@/{name}?host={self._folder}"

    def _run(self, program, *arguments):
        command = [*self._somebody, str(self._programs / program), *arguments]
        done = subprocess.run(command, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()


@pytest.fixture(scope="session")
def postgres_server():
    programs, (somebody, user) = _programs(), _as_somebody()
    if programs is None or somebody is None:
        reason = "no PostgreSQL here, or no user to run it as; install it (Debian: apt install postgresql)"
        if os.environ.get("STRAPLINE_REQUIRE_POSTGRES") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    with tempfile.TemporaryDirectory(prefix="strapline-pg-") as folder:  # a short path: a socket's has 107 bytes
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
        server = Postgres(programs, Path(folder), somebody)
        server.make()
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))])
def ledger_url(request, tmp_path):
    """A new ledger on each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.sqlite"
    return request.getfixturevalue("postgres_server").url()
