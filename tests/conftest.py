"""Fixtures for the whole house: a real Mosquitto, and a watch on threads."""

import gc
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import pytest
from hypothesis import settings

pytest_plugins = ["pytester"]

# How long an example takes says something of the machine, and nothing of the code. The same examples each time, so that a test which fails
# where it passed before speaks of the change; `make search` draws others, and keeps what it finds.
settings.register_profile("strapline", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None, print_blob=True)
settings.load_profile("search" if os.environ.get("STRAPLINE_SEARCH") else "strapline")

# Whoever started the tests in the background (`nohup`, a shell's &) made them deaf for these, and all whom they start with them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

_START_LIMIT_S = 10.0
_STOP_LIMIT_S = 5.0


def pytest_collection_modifyitems(config, items):
    """Slow ones first, and as many of them for each worker: each begins with a part of its own of this list, and steals at its end."""
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    slow = [item for item in items if item.get_closest_marker("slow")]
    fast = [item for item in items if not item.get_closest_marker("slow")]
    size = -(-len(items) // workers)
    ordered = []
    for worker in range(workers):
        share = slow[worker::workers]
        ordered += share + fast[: size - len(share)]
        del fast[: size - len(share)]
    items[:] = ordered + fast


def pytest_collection_finish(session):
    """Modules and tests are no garbage: to look through their 400,000 objects for some takes an eighth of the time of all tests."""
    gc.collect()
    gc.freeze()


class Mosquitto:
    """A broker of the test's own, on a loopback port; without login and persistence, unless `settings(folder, port)` says otherwise."""

    def __init__(self, program, directory, settings=None):
        self._program = program
        self._directory = directory
        self._settings = settings or _plain
        self._process = None
        self.port = 0

    @property
    def url(self):
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self):
        """Start on a free port, which it keeps for later starts, and return once it accepts connections."""
        for _ in range(5):
            port = self.port or _free_port()
            if self._started_on(port):
                self.port = port
                return
        raise RuntimeError(f"mosquitto does not start: {(self._directory / 'mosquitto.log').read_text()}")

    def stop(self):
        """End it; may be called twice."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def restart(self):
        self.stop()
        self.start()

    @property
    def log(self):
        """What it has said so far."""
        return (self._directory / "mosquitto.log").read_text()

    def _started_on(self, port):
        settings = self._directory / "mosquitto.conf"
        settings.write_text(self._settings(self._directory, port))
        with (self._directory / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([self._program, "-c", settings], stdout=log, stderr=log)
        deadline = time.monotonic() + _START_LIMIT_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1.0).close()
            except OSError:
                time.sleep(0.01)
            else:
                return self._process.poll() is None
        self.stop()
        return False


def _plain(_folder, port):
    return f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def mosquitto_with(tmp_path):
    """Makes brokers: `mosquitto_with(settings)`, as `Mosquitto` takes them, gives one that runs."""
    program = shutil.which("mosquitto", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))
    if program is None:
        reason = "no mosquitto on the PATH or in /usr/sbin; install it (Debian: apt install mosquitto)"
        if os.environ.get("STRAPLINE_REQUIRE_MOSQUITTO") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    brokers = []

    def make(settings=None):
        folder = tmp_path / f"mosquitto-{len(brokers)}"
        folder.mkdir()
        broker = Mosquitto(program, folder, settings)
        brokers.append(broker)
        broker.start()
        return broker

    try:
        yield make
    finally:
        for broker in brokers:
            broker.stop()


@pytest.fixture
def mosquitto(mosquitto_with):
    return mosquitto_with()


@pytest.fixture
def no_leaked_threads():
    """Fails the test that leaves a thread behind."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(1.0)
    assert set(threading.enumerate()) <= before
