"""One simulated tag on the virtual clock: a body on one side, radio, modem, receiver and sensors on the other."""

import asyncio
import hashlib
import json
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from strapline_simulator.bodies import Body, SuppliedBody
from strapline_simulator.clock import VirtualClockLoop
from strapline_simulator.taps import Passage, PassageTap
from strapline_tag import bench, outputs
from strapline_wire import link

_ROUNDING_S = 1e-7
_UART_PORTION = 256
_STORE_PORTION = 256
_MOTION_PORTION = 480
"""Bytes; whole vectors, within a line's limit. A body with another limit says so in `motion_portion`."""


class Meter(Protocol):
    """Who counts what a tag does."""

    def output(self, now_s: float, kind: int, content: bytes) -> None: ...

    def line(self, now_s: float, bearer: int, *, up: bool) -> None: ...


class TagNode:
    """An `Actor` of the clock. Its own time counts milliseconds from its start."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._boot_s = 0.0
        self._deadline_ms: int | None = None
        self._held: list[bytes] = []
        self._digest = hashlib.sha256()
        self.frames_sent = 0
        self.has_power = False
        self.dark: list[tuple[float, float]] = []
        """When it had no power, loop time."""
        self._dark_since: float | None = None
        self.boots: list[float] = []
        """When it started, loop time; each record says which start it counts from."""
        self._deframers = {outputs.BLE: link.Deframer(), outputs.CELLULAR: link.Deframer()}
        self._heard = {outputs.BLE: link.Deframer(), outputs.CELLULAR: link.Deframer()}
        self.on_advertise: Callable[[bytes, bytes], None] = _ignore
        self.on_send: Callable[[int, bytes], None] = _ignore
        self.on_dial: Callable[[int], None] = _ignore
        self.on_hang_up: Callable[[int], None] = _ignore
        self.on_gnss_power: Callable[[bool], None] = _ignore
        self.meter: Meter | None = None
        self.on_frame: PassageTap | None = None
        """Told of each frame that it says and of each that it hears."""
        self.on_vibrate: Callable[[int], None] = _ignore
        """Told of each vibration: ms."""
        self.on_restart: Callable[[], None] = lambda: None
        """Told that it wants to start again."""
        self.on_show: Callable[[str], None] = _ignore
        """Told of what is on the display from now on; empty: nothing."""

    def boot(
        self,
        now: float,
        secret: bytes,
        seed: bytes,
        config: Mapping[str, int],
        memory: Mapping[str, int] | None = None,
    ) -> None:
        """Start the firmware at this loop time. The secret stays between this process and the body.

        What it kept in an earlier life is there again; `memory` stands for one before the first start.
        """
        given: dict[str, Any] = {"secret": secret.hex(), "seed": seed.hex(), "config": dict(config)}
        if not self.boots:
            given["memory"] = dict(memory or {})
        self._boot_s = now
        self.boots.append(now)
        if self._dark_since is not None:
            self.dark.append((self._dark_since, now))
            self._dark_since = None
        self.has_power = True
        self._request(bench.BOOT, 0, json.dumps(given, sort_keys=True).encode())

    def write_store(self, area: int, data: bytes, at: int = 0) -> None:
        """Into the boot program's store, as `bench.FACTORY` has it; bits can only be cleared."""
        for start in range(0, len(data), _STORE_PORTION):
            portion = struct.pack(">BI", area, at + start) + data[start : start + _STORE_PORTION]
            self.body.request(_message(bench.FACTORY, 0, portion))

    def fail_flash(self, what: int, argument: int = 0) -> None:
        """A fault of the journal's flash, as `bench.FLASH` has them."""
        self._request(bench.FLASH, self._now_ms(), struct.pack(">BL", what, argument))

    def lose_power(self) -> None:
        """From now on until the next `boot` it says nothing and hears nothing; its sensors go on."""
        self.deliver()
        if self.has_power:
            self._dark_since = asyncio.get_running_loop().time()
        self.has_power = False
        self._deadline_ms = None
        self.on_gnss_power(False)
        if isinstance(self.body, SuppliedBody):
            self.body.lose_power()

    def measure(self) -> dict[str, Any]:
        """What the interpreter says of itself."""
        answers = self.body.request(_message(bench.MEASURE, self._now_ms()))
        return dict(json.loads(answers[0][9:]))

    @property
    def frames_digest(self) -> str:
        """SHA-256 over all frames that the tag has sent, in order, without what the link adds to them."""
        return "sha256:" + self._digest.hexdigest()

    # What the world does to it.

    def sense(self, sensor: str, value: int) -> None:
        """From now on this sensor reads `value`."""
        self._request(bench.SENSOR, self._now_ms(), struct.pack(">Bi", bench.SENSORS.index(sensor), value))

    def motion(self, rate_hz: int, vectors: bytes) -> None:
        """What the accelerometer says next: x, y, z in mg by turns, big-endian. After it, it sleeps."""
        portion = getattr(self.body, "motion_portion", _MOTION_PORTION)
        for start in range(0, len(vectors), portion):
            self._request(bench.MOTION, self._now_ms(), bytes([rate_hz]) + vectors[start : start + portion])

    def strap_edge(self, is_open: bool) -> None:
        self._request(bench.STRAP_EDGE, self._now_ms(), bytes([is_open]))

    def gnss(self, data: bytes) -> None:
        """Bytes on the receiver's UART, in portions as a UART's buffer hands them over."""
        for start in range(0, len(data), _UART_PORTION):
            self._request(bench.GNSS, self._now_ms(), data[start : start + _UART_PORTION])

    def link_up(self, bearer: int) -> None:
        self._deframers[bearer] = link.Deframer()
        self._heard[bearer] = link.Deframer()
        self._note_line(bearer, up=True)
        self._request(bench.LINK_UP, self._now_ms(), bytes([bearer]))

    def link_data(self, bearer: int, data: bytes) -> None:
        if self.on_frame is not None and self.has_power:
            for piece in self._heard[bearer].feed(data):
                if frame := piece[link.HEADER_SIZE :]:
                    self._tell(self._now_ms(), bearer, frame, sent=False)
        self._request(bench.LINK_DATA, self._now_ms(), bytes([bearer]) + data)

    def link_down(self, bearer: int) -> None:
        self._note_line(bearer, up=False)
        self._request(bench.LINK_DOWN, self._now_ms(), bytes([bearer]))

    def present_key(self, sealed: bytes) -> None:
        self._request(bench.KEY, self._now_ms(), sealed)

    def button(self, *, pressed: bool) -> None:
        self._request(bench.BUTTON, self._now_ms(), bytes([pressed]))

    def ring(self) -> None:
        """The network pages the modem."""
        self._request(bench.RING, self._now_ms(), b"")

    def touch(self) -> None:
        """Somebody acts on the body itself, or has: its time goes on to now, and it may say something."""
        self._request(bench.ADVANCE, self._now_ms(), b"")

    # The clock's side.

    def next_deadline(self) -> float | None:
        return None if self._deadline_ms is None or not self.has_power else self._boot_s + self._deadline_ms / 1000

    def advance(self, until: float) -> float | None:
        answers = self.body.request(_message(bench.ADVANCE, self._to_ms(until)))
        self._note_done(answers[-1])
        self._held += answers[:-1]
        return self._boot_s + struct.unpack_from(">Q", answers[-1], 1)[0] / 1000 if len(answers) > 1 else None

    def deliver(self) -> None:
        held, self._held = self._held, []
        for answer in held:
            self._carry_out(answer)

    # The body's side.

    def _now_ms(self) -> int:
        return self._to_ms(asyncio.get_running_loop().time())

    def _to_ms(self, loop_s: float) -> int:
        return int((loop_s - self._boot_s + _ROUNDING_S) * 1000)

    def _request(self, code: int, now_ms: int, content: bytes) -> None:
        if not self.has_power and code != bench.SENSOR:
            return
        self.deliver()  # what it said before must be heard before
        answers = self.body.request(_message(code, now_ms, content))
        self._note_done(answers[-1])
        for answer in answers[:-1] if self.has_power else ():
            self._carry_out(answer)

    def _note_line(self, bearer: int, *, up: bool) -> None:
        if self.meter is not None:
            self.meter.line(self._now_ms() / 1000, bearer, up=up)

    def _note_done(self, answer: bytes) -> None:
        self._deadline_ms = struct.unpack_from(">Q", answer, 9)[0]

    def _carry_out(self, answer: bytes) -> None:
        kind, content = answer[9], answer[10:]
        if self.meter is not None:
            self.meter.output(self._now_ms() / 1000, kind, content)
        if kind == outputs.ADVERTISE:
            self._count(content)
            self._tell(struct.unpack_from(">Q", answer, 1)[0], None, content, sent=True)
            self.on_advertise(content[:6], content[6:])
        elif kind == outputs.LINK_SEND:
            self._count_line(content, struct.unpack_from(">Q", answer, 1)[0])
            self.on_send(content[0], content[1:])
        elif kind == outputs.LINK_OPEN:
            self.on_dial(content[0])
        elif kind == outputs.LINK_CLOSE:
            self.on_hang_up(content[0])
        elif kind == outputs.GNSS_POWER:
            self.on_gnss_power(bool(content[0]))
        elif kind == outputs.VIBRATE:
            self.on_vibrate(int.from_bytes(content, "big"))
        elif kind == outputs.RESTART:
            self.on_restart()
        elif kind == outputs.SHOW:
            self.on_show(content.decode())

    def _count(self, frame: bytes) -> None:
        self.frames_sent += 1
        self._digest.update(struct.pack(">I", len(frame)) + frame)

    def _tell(self, at_ms: int, bearer: int | None, data: bytes, *, sent: bool) -> None:
        if self.on_frame is not None:
            self.on_frame(Passage(self._boot_s - self.boots[0] + at_ms / 1000, bearer, sent, data))

    def _count_line(self, content: bytes, at_ms: int) -> None:
        # What the link adds depends on which of two things at the same moment a broker lets happen first; the frames do not.
        bearer, line = content[:1], content[1:]
        for piece in self._deframers[bearer[0]].feed(line):
            if frame := piece[link.HEADER_SIZE :]:
                self._count(bearer + frame)
                self._tell(at_ms, bearer[0], frame, sent=True)


def _message(code: int, now_ms: int, content: bytes = b"") -> bytes:
    return struct.pack(">BQ", code, now_ms) + content


def _ignore(*_arguments: object) -> None:
    """Nobody is connected to this output yet."""


def virtual_loop() -> VirtualClockLoop:
    """The running loop, which must be virtual."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClockLoop), "a simulation runs on the virtual clock"
    return loop
