"""What the stand-in does wrong on demand. Each fault is one that adapters, the kernel or bluetoothd show in the field."""

from dataclasses import dataclass
from enum import Enum

BURST_LIMIT = 92
"""Notifications that wait for bluetoothd. What comes while so many wait is lost.

The kernel's buffer of an ATT socket takes 212,992 bytes (net.core.rmem_default), and a packet from a controller takes up 2,304 of
them, however short it is (Linux 6.1: HCI_MAX_FRAME_SIZE in 2,048 bytes of memory, and its struct sk_buff).
"""

DISCONNECT_DELAY_S = 2.0
"""DISCONNECT_TIMER of bluetoothd (src/device.c): so long after the call the link ends."""

KERNEL_SCAN_S = 10.24
"""DISCOV_LE_TIMEOUT of Linux: it scans in phases of this length. One outlives a bluetoothd that dies, and until its end the next
bluetoothd is refused with InProgress: 6 s measured."""


class Deafness(Enum):
    """What it takes until a deaf adapter hears again. Nothing says that it is deaf."""

    HEARS = "off"
    UNTIL_SCAN = "scan"
    """The next StartDiscovery cures it."""
    UNTIL_POWER = "power"
    """Only switching it off and on, or replugging, cures it."""
    FOR_EVER = "on"


@dataclass
class Faults:
    """Read by the stand-in at each use, so a change counts at once. Counters count down."""

    deaf: Deafness = Deafness.HEARS
    scans_in_progress: int = 0
    """So many calls of StartDiscovery are refused with InProgress."""
    connects_in_progress: int = 0
    """So many calls of Connect are refused with InProgress."""
    connects_without_answer: int = 0
    """So many calls of Connect get no answer, until somebody calls Disconnect."""
    silent_loss: bool = False
    """A link that ends is not told: the device stays Connected, and what is written to it is answered and goes nowhere."""
    burst_limit: int | None = BURST_LIMIT
    """None: every notification is delivered."""
    # No faults, but what makes a test wait.
    disconnect_delay_s: float = DISCONNECT_DELAY_S
    kernel_scan_s: float = KERNEL_SCAN_S

    def scanning_anew(self) -> None:
        if self.deaf is Deafness.UNTIL_SCAN:
            self.deaf = Deafness.HEARS

    def powered_anew(self) -> None:
        if self.deaf in {Deafness.UNTIL_SCAN, Deafness.UNTIL_POWER}:
            self.deaf = Deafness.HEARS

    def take(self, counter: str) -> bool:
        """Whether the fault that this counter counts happens now."""
        left: int = getattr(self, counter)
        if left:
            setattr(self, counter, left - 1)
        return left > 0
