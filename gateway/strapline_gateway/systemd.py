"""What systemd is told: the notification protocol of sd_notify(3), which is one datagram to the socket in NOTIFY_SOCKET."""

import os
import socket
import time
from collections.abc import Mapping


class Notifier:
    """Tells systemd; outside a unit it tells nobody. Environment variables are those of the process unless given."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environment is None else environment
        address = variables.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        for_us = variables.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit_us = variables.get("WATCHDOG_USEC", "") if for_us else ""
        self.watchdog_s = int(limit_us) / 1e6 if limit_us.isdigit() and int(limit_us) else None
        """So long without `feed`, and systemd ends this process; None where nobody watches."""

    def ready(self, status: str) -> None:
        self._send(f"READY=1\nSTATUS={status}")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1\nSTATUS=ending")

    def status(self, text: str) -> None:
        self._send(f"STATUS={text}")

    def feed(self) -> None:
        """All is well."""
        self._send("WATCHDOG=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as to_systemd:
                to_systemd.setblocking(False)
                to_systemd.sendto(text.encode(), self._address)
        except OSError:  # nobody there, or no room: the next one is on its way
            return
