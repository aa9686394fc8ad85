"""Two advertising events at the same time: which of them a listener still reads. Whom it reaches at all is `radio`'s."""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import NamedTuple

PDU_S = 376e-6
"""Air time of 31 bytes of advertising data at 1 Mbit/s: preamble 1, access address 4, header 2, address 6, data 31, CRC 3 bytes."""

DELAY_S = 0.010
"""Core Specification, Vol 6, Part B, 4.4.2.2.1: advDelay is random, 0 to 10 ms."""

CAPTURE_DB = 8.0
"""So much stronger, and a receiver stays with it. The specification asks for 21 dB at most (Vol 6, Part A, 4.2); receivers do better."""


class Sending(NamedTuple):
    """One event on its way."""

    sender: str
    start_s: float

    @property
    def end_s(self) -> float:
        return self.start_s + PDU_S


class Collisions:
    """All who send keep the same distance between their three channels, so that two events meet on all of them or on none.

    A listener is on one of the three: an event is lost to it where another overlaps that is not `CAPTURE_DB` weaker.
    """

    def __init__(self, random: Random, level_dbm: Callable[[str, str], float | None]) -> None:
        self._random = random
        self._level_dbm = level_dbm
        self._recent: deque[Sending] = deque()
        self.drowned_count = 0
        """Events that a listener could not read for another."""

    def send(self, sender: str, now: float) -> Sending:
        """An event that is asked for now: it starts within `DELAY_S`, and can be judged from its end on."""
        sending = Sending(sender, now + self._random.uniform(0.0, DELAY_S))
        while self._recent and self._recent[0].end_s < now - PDU_S:
            self._recent.popleft()
        self._recent.append(sending)
        return sending

    def drowned(self, sending: Sending, listener: str) -> bool:
        """Whether the listener cannot read it."""
        level = self._level_dbm(sending.sender, listener)
        for other in self._recent:
            if other.sender == sending.sender or abs(other.start_s - sending.start_s) >= PDU_S:
                continue
            rival = self._level_dbm(other.sender, listener)
            if level is None or (rival is not None and level - rival < CAPTURE_DB):
                self.drowned_count += 1
                return True
        return False
