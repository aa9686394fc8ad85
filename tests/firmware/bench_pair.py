"""Bodies in lock step: the same bench messages to each, the same answers from each, and a gateway and a centre that answer them."""

import json
import struct
from collections import deque
from collections.abc import Sequence
from typing import Any

from firmware.tag_pair import HEADER, LINK_KEY, SECRET, Centre, Draw, Line
from strapline_protocol.cipher import HostCipher
from strapline_simulator.bodies import Body
from strapline_tag import bench
from strapline_tag import outputs as out
from strapline_wire import frames
from strapline_wire.session import welcome


class LockStep:
    """Any number of bodies that must say the same. `dial(bearer)` and `lose()` are the world's moods."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        self._bodies = bodies
        self.now = 0
        self.deadline = 0
        self.centre = Centre()
        self.centre_receipts = True
        self.coverage: bool | None = True
        self.lines: dict[int, Line] = {}
        self.outputs: dict[int, int] = {}
        """How many outputs of each kind there were."""
        self.requests = 0
        self.gnss_on = False
        self._entropy = Draw("gateway")
        self._heard: deque[bytes] = deque()
        self._listening = False

    def boot(self, seed: bytes, config: dict[str, int] | None = None, memory: dict[str, int] | None = None) -> None:
        given = {"secret": SECRET.hex(), "seed": seed.hex(), "config": config or {}, "memory": memory or {}}
        self.now = 0
        self.lines.clear()
        self.gnss_on = False
        self.request(bench.BOOT, json.dumps(given).encode())

    def request(self, code: int, content: bytes = b"") -> None:
        """One message to all bodies, and what the world answers to what they say, in the order in which they say it."""
        self._heard += self._ask(code, content, self.now)[:-1]
        self._listen()

    def _listen(self) -> None:
        if self._listening:
            return  # whoever listens already will come to it
        self._listening = True
        while self._heard:
            answer = self._heard.popleft()
            self._carry_out(answer[9], answer[10:])
        self._listening = False

    def _ask(self, code: int, content: bytes, at: int) -> list[bytes]:
        message = struct.pack(">BQ", code, at) + content
        first, *others = [body.request(message) for body in self._bodies]
        for other in others:
            assert other == first, f"message {self.requests}: {message.hex()}"
        self.requests += 1
        self.now, self.deadline = struct.unpack_from(">QQ", first[-1], 1)
        return first

    def advance(self, until: int) -> None:
        while True:
            answers = self._ask(bench.ADVANCE, b"", until)
            if len(answers) == 1:
                return
            self._heard += answers[:-1]
            self._listen()

    def measure(self) -> list[dict[str, Any]]:
        message = struct.pack(">BQ", bench.MEASURE, self.now)
        return [json.loads(body.request(message)[0][9:]) for body in self._bodies]

    def sense(self, sensor: str, value: int) -> None:
        self.request(bench.SENSOR, struct.pack(">Bi", bench.SENSORS.index(sensor), value))

    def connect(self, bearer: int, *, home: bool) -> None:
        self.lines[bearer] = Line(home)
        self.request(bench.LINK_UP, bytes([bearer]))

    def disconnect(self, bearer: int) -> None:
        if self.lines.pop(bearer, None) is not None:
            self.request(bench.LINK_DOWN, bytes([bearer]))

    def _carry_out(self, kind: int, content: bytes) -> None:
        self.outputs[kind] = self.outputs.get(kind, 0) + 1
        if kind == out.LINK_SEND:
            self._take(content[0], content[1:])
        elif kind == out.LINK_OPEN and self.coverage:
            self.connect(content[0], home=False)
        elif kind == out.LINK_OPEN and self.coverage is False:
            self.request(bench.LINK_DOWN, content)
        elif kind == out.LINK_CLOSE:
            self.disconnect(content[0])
        elif kind == out.GNSS_POWER:
            self.gnss_on = bool(content[0])

    def _take(self, bearer: int, data: bytes) -> None:
        line = self.lines.get(bearer)
        if line is None:
            return
        for frame in line.link.receive_data(data, self.now):
            if line.session is None:
                nonce = self._entropy(8)
                _, answer, line.session = welcome(frame, LINK_KEY, HEADER, 7, int(line.home), nonce, HostCipher)
                line.link.send(answer)
                continue
            kind, body = line.session.open(frame)
            if kind == frames.RECORD:
                self._record(line, body)
        for told in line.link.data_to_send(self.now):
            self.request(bench.LINK_DATA, bytes([bearer]) + told)

    def _record(self, line: Line, sealed: bytes) -> None:
        envelope, _ = self.centre.open(sealed)
        if envelope.kind == frames.TIME_REQUEST:
            nonce = envelope.origin.to_bytes(4, "big") + envelope.number.to_bytes(4, "big")
            answer = self.centre.time(nonce, self.now)
        else:
            self.centre.held.setdefault(envelope.origin, set()).add(envelope.number)
            answer = self.centre.receipt(envelope.origin, envelope.number)
        if self.centre_receipts and line.session is not None:
            line.link.send(line.session.seal(frames.COMMAND, answer))
