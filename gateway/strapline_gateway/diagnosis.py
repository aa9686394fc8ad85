"""What the gateway finds on a machine: a radio, its libraries, a broker, its service manager."""

import sys
from collections.abc import Iterator
from pathlib import Path

from strapline_protocol.diagnosis import Finding, find_program, library, program, system_package

_SYSFS = Path("/sys/class/bluetooth")


def findings() -> Iterator[Finding]:
    yield adapter()
    yield library("radio", "bleak", "gateway")
    yield library("radio", "pyserial", "gateway")
    yield library("brokers", "paho-mqtt", "gateway")
    yield library("service", "structlog", "gateway")
    yield library("service", "prometheus-client", "gateway")
    yield program("brokers", "mosquitto", find_program("mosquitto"), ("-h",), system_package("mosquitto", "mosquitto"))


def adapter(sysfs: Path = _SYSFS, system: str = sys.platform) -> Finding:
    """The Bluetooth adapters that the kernel knows, without touching them."""
    if system != "linux":
        detail = f"cannot be seen from here on {system}"
        return Finding("radio", "Bluetooth adapter", present=False, detail=detail, mend="the first scan will tell")
    # An entry with a colon ("hci0:11") is a connection.
    names = sorted(entry.name for entry in sysfs.glob("hci*") if ":" not in entry.name)
    mend = "" if names else "plug in a Bluetooth LE adapter; everything simulated works without"
    return Finding("radio", "Bluetooth adapter", bool(names), ", ".join(names) or f"none in {sysfs}", mend)
