"""A Mosquitto on the configuration that is shipped, with certificates of the test's own."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest

from strapline_protocol.certificates import files_of, issue, make_authority
from strapline_protocol.tls import utc_now

ROOT = Path(__file__).resolve().parents[2]
CLIENTS = ("centre", "6a7e0001", "6a7e00ce", "6a7e0002")


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    """A folder of them: CA, broker, clients; one that has expired, and under `stranger` those of another CA."""
    folder = tmp_path_factory.mktemp("certificates")
    now = utc_now()
    make_authority(folder, now, 30)
    issue(folder, "broker", now, 30, hosts=["127.0.0.1"])
    for name in CLIENTS:
        issue(folder, name, now, 30)
    issue(folder, "expired", now - timedelta(days=9), 8)
    make_authority(folder / "stranger", now, 30)
    issue(folder / "stranger", "6a7e0001", now, 30)
    return folder


class Production:
    """The shipped configuration in a test's folder, on a loopback port."""

    def __init__(self, mosquitto, certificates):
        self.mosquitto = mosquitto
        self.certificates = certificates

    @property
    def port(self):
        return self.mosquitto.port

    @property
    def log(self):
        return self.mosquitto.log

    def url(self, user, *, version="5", ca=None):
        """The URL for `user`; `{user}` for the simulator."""
        files = files_of(self.certificates, user)
        ca = ca or self.certificates / "ca.pem"
        query = f"version={version}&ca={ca}&cert={files.certificate}&key={files.key}"
        return f"mqtts://127.0.0.1:{self.port}?{query}"


def shipped(folder, certificates, port):
    """The configuration as it is shipped, but for where things are, and the user whom a root shell would need."""
    (folder / "acl").write_text((ROOT / "deploy/mosquitto/acl").read_text())
    text = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()
    text = text.replace("/etc/mosquitto/strapline/certificates", str(certificates))
    text = text.replace("/etc/mosquitto/strapline", str(folder)).replace("/var/lib/mosquitto", str(folder))
    text, count = re.subn(r"^listener 8883$", f"listener {port} 127.0.0.1", text, flags=re.MULTILINE)
    assert count == 1
    return text + ("user root\n" if os.geteuid() == 0 else "")


@pytest.fixture
def production(mosquitto_with, certificates):
    return Production(mosquitto_with(lambda folder, port: shipped(folder, certificates, port)), certificates)
