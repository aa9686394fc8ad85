"""LCUS-type USB relay boards (LC Technology and its many copies): a CH340 at 9600 baud, one board of 1 to 16 channels.

Command: A0, channel from 1, 01 on or 00 off, the sum of the three (seller's page https://tilga.com/prod/5732195).
Status: FF; answered by a line `CH1: OFF` for each channel (https://github.com/Brasme/usb_ch340_4x_relay_control), on other
boards by a byte 00 or 01 for each; an LCUS-1 has no status. None of them tells of the contacts, only of what was understood.
"""

import re
from contextlib import suppress
from time import sleep

from strapline_hil.ports import open_port
from strapline_hil.verdict import BenchError, RigError

BAUDRATE = 9600
STATUS = b"\xff"
_TRIES = 3
_LEGAL = frozenset(b"\x00\x01 CH:ONF0123456789\r\n")
_LINES = re.compile(rb"(?:CH\d+:(?:ON|OFF))+")
_LINE = re.compile(rb"CH(\d+):(ON|OFF)")


def command(channel: int, on: bool) -> bytes:
    frame = bytes([0xA0, channel, on])
    return frame + bytes([sum(frame) & 0xFF])


def parse_states(answer: bytes, channels: int) -> dict[int, bool] | None:
    """What a status answer says of at least so many channels; None where it is not whole, or garbled."""
    if len(answer) >= channels and max(answer) <= 1:
        return {channel: bool(state) for channel, state in enumerate(answer, 1)}
    text = b"".join(answer.split())
    found = _LINE.findall(text) if _LINES.fullmatch(text) else []
    if len(found) < channels or [int(number) for number, _ in found] != list(range(1, len(found) + 1)):
        return None
    return {int(number): state == b"ON" for number, state in found}


class LcusRelay:
    """A board of `channels` channels; one of a single channel is taken at its word. `settle_s` is left to it after a command.

    `close` switches off what was switched on, so a rig is wired for off to be the state of rest.
    """

    def __init__(
        self,
        port: str,
        *,
        channels: int = 4,
        name: str = "relay board",
        timeout_s: float = 1.0,
        settle_s: float = 0.02,
    ) -> None:
        self.name = name
        self.channels = channels
        self.garbled = 0
        """Answers that were no answers."""
        self._settle_s = settle_s
        self._told: dict[int, bool] = {}
        self._port = open_port(port, baudrate=BAUDRATE, timeout_s=timeout_s, place=f"{name} at {port}")
        try:
            self.states()
        except BaseException:
            self._port.close()
            raise

    def set(self, channel: int, on: bool) -> None:
        self._check_channel(channel)
        self._told[channel] = on
        for _ in range(_TRIES):
            self._port.write(command(channel, on))
            self._port.drain()
            sleep(self._settle_s)
            if self.states()[channel] == on:
                return
        word = "on" if on else "off"
        raise RigError(self._port.place, f"channel {channel} does not switch {word}", "change the relay board")

    def states(self) -> dict[int, bool]:
        """What the board says; for a board of one channel, what it was told."""
        if self.channels == 1:
            return {1: self._told.get(1, False)}
        heard = False
        for attempt in range(_TRIES):
            answer = self._ask(is_first=attempt == 0)
            if (states := parse_states(answer, self.channels)) is not None:
                return states
            heard = heard or bool(answer)
            self.garbled += bool(answer)
        raise self._no_status(heard)

    def check(self) -> list[str]:
        try:
            states = self.states()
        except RigError as error:
            return [str(error)]
        wrong = [channel for channel, on in self._told.items() if states[channel] != on]
        return [f"{self._port.place}: channel {channel} is not as it was told" for channel in wrong]

    def blind_spots(self) -> list[str]:
        if self.channels == 1:
            return [f"{self._port.place}: a board of one channel confirms nothing"]
        return [f"{self._port.place}: it tells what it understood, not what its contacts do"]

    def close(self) -> None:
        with suppress(BenchError):  # a board that has gone cannot be left any better
            for channel in [channel for channel, on in self._told.items() if on]:
                self.set(channel, False)
        self._told.clear()
        self._port.close()

    def _ask(self, *, is_first: bool) -> bytes:
        """All of an answer, or what came until the time was over, or until it could be no answer."""
        self._port.forget() if is_first else self._port.settle()
        self._port.write(STATUS)
        return self._port.read_until(
            lambda data: bool(set(data) - _LEGAL) or parse_states(data, self.channels) is not None
        )

    def _no_status(self, heard: bool) -> BenchError:
        if heard:
            return self._port.no_sense(
                f"what it answers is no status of {self.channels} channels",
                "name the number of channels that it has, or change the cable",
            )
        return self._port.no_sense(
            "no answer", "is this the relay board's port? An LCUS-1 has 1 channel and gives no status"
        )

    def _check_channel(self, channel: int) -> None:
        if not 1 <= channel <= self.channels:
            raise RigError(
                self._port.place, f"no channel {channel} (it has {self.channels})", "correct it in the rig file"
            )
