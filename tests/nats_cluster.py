"""Three nodes of NATS on the configuration that is shipped, on loopback ports that the system chose."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

DEPLOY = Path(__file__).resolve().parents[1] / "deploy/nats"
NODES = ("n1", "n2", "n3")
START_LIMIT_S = 120.0


def program():
    return shutil.which("nats-server", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"]))


def free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Cluster:
    """Use as a context manager; on entering, each node says that it is healthy."""

    def __init__(self, folder, certificates):
        self._folder = folder
        self._certificates = certificates
        ports = free_ports(12)
        self._ports = {node: ports[4 * index : 4 * index + 4] for index, node in enumerate(NODES)}
        self._running = {}

    def url(self, user, *, first="n1"):
        nodes = sorted(NODES, key=lambda node: node != first)
        hosts = ",".join(f"127.0.0.1:{self._ports[node][2]}" for node in nodes)
        files = f"cert={self._certificates}/{user}.pem&key={self._certificates}/{user}.key"
        return f"mqtts://{hosts}?version=3.1.1&ca={self._certificates}/ca.pem&{files}"

    def __enter__(self):
        try:
            for node in NODES:
                self.start(node)
            self.until(self.is_whole)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        for node in list(self._running):
            self.kill(node)

    def start(self, node):
        folder = self._folder / node
        folder.mkdir(exist_ok=True)
        (folder / "users.conf").write_text((DEPLOY / "users.conf").read_text())
        settings = folder / "node.conf"
        settings.write_text(self._shipped(node, folder))
        with (folder / "log").open("ab") as log:
            environment = {**os.environ, "NODE": node}
            command = [program(), "-c", settings]
            self._running[node] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _shipped(self, node, folder):
        """As it is shipped, but for where things are."""
        client, http, mqtt, cluster = self._ports[node]
        routes = ", ".join(f"nats://127.0.0.1:{self._ports[one][3]}" for one in NODES)
        text = (DEPLOY / "node.conf").read_text()
        for old, new in (
            ("127.0.0.1:4222", f"127.0.0.1:{client}"),
            ("127.0.0.1:8222", f"127.0.0.1:{http}"),
            ("0.0.0.0:8883", f"127.0.0.1:{mqtt}"),
            ("0.0.0.0:6222", f"127.0.0.1:{cluster}"),
            ("/var/lib/nats", str(folder / "store")),
            ("/etc/nats/strapline/certificates", str(self._certificates)),
        ):
            assert old in text
            text = text.replace(old, new)
        return re.sub(r"routes: \[[^]]*\]", f"routes: [ {routes} ]", text)

    def kill(self, node):
        """As a power cut would."""
        process = self._running.pop(node)
        process.kill()
        process.wait()

    def is_whole(self):
        """All nodes are there and every stream's copies have caught up. (What /healthz says takes minutes after a kill.)"""
        if len(self._running) < len(NODES):
            return False
        if not all(self._ask(node, "/jsz").get("meta_cluster", {}).get("leader") for node in NODES):
            return False
        copies = [copy for told in self._streams() for copy in told.get("cluster", {}).get("replicas") or []]
        return all(copy.get("current") and not copy.get("offline") for copy in copies)

    def leader(self, stream):
        """The node that leads one of the MQTT streams; None while nobody does."""
        leaders = (told.get("cluster", {}).get("leader") for told in self._streams() if told["name"] == stream)
        return next((leader for leader in leaders if leader), None)

    def _streams(self):
        """What each node says of its streams; of replicas only a leader tells."""
        for node in self._running:
            for account in self._ask(node, "/jsz?streams=true").get("account_details") or []:
                yield from account.get("stream_detail") or []

    def _ask(self, node, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[node][1]}{path}", timeout=2) as answer:
                return json.load(answer)
        except OSError:
            return {}

    def until(self, condition):
        deadline = time.monotonic() + START_LIMIT_S
        while not condition():
            if time.monotonic() > deadline:
                logs = {node: (self._folder / node / "log").read_text()[-1500:] for node in NODES}
                raise TimeoutError(f"the cluster does not come together: {logs}")
            time.sleep(0.1)
