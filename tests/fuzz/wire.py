"""An attacker's end of a line. The link's header proves nothing, so he puts any frame under one that the other end takes.

What he puts there therefore reaches the seal, or the scene fails: a frame that the link drops proves nothing.
"""

from hand_made_tag import HandMadeTag, frame_of
from station_home import Home
from strapline_gateway.station import Event, Transmit
from strapline_wire import frames, link
from strapline_wire.errors import RemoteProtocolError

_GENERATION = 200


class Wire:
    """Frames in, frames out, each under the next number; the receiver's acknowledgements are not waited for."""

    def __init__(self) -> None:
        self._sent = 0
        self._peer = 0
        self._expected = 0

    def say(self, line: bytes) -> list[bytes]:
        """The lines that the other end answers."""
        raise NotImplementedError

    def put(self, frame: bytes) -> list[bytes]:
        """The frames that the other end answers."""
        line = self._line(frame)
        self._sent += 1
        return self._hear(self.say(line))

    def _line(self, frame: bytes = b"") -> bytes:
        return link.encode(bytes((_GENERATION, self._peer, (self._sent & 15) << 4 | self._expected)) + frame)

    def _hear(self, lines: list[bytes]) -> list[bytes]:
        frames = []
        while lines:
            answers = []
            for line in lines:
                if frame := frame_of(line):
                    frames.append(frame)
                    self._peer, _, numbers = link.decode(line[1:-1])[: link.HEADER_SIZE]  # type: ignore[index]
                    self._expected = ((numbers >> 4) + 1) & 15
                    answers += self.say(self._line())
            lines = answers
        return frames


class StationWire(Wire):
    """To a station, on a connection of its own."""

    def __init__(self, home: Home) -> None:
        super().__init__()
        self.home = home
        self.number = home.station.open_link(home.now)
        self.events: list[Event] = []
        """What the station gave out besides lines, at the last frame."""
        self.tag_wire: TagWire
        """The line to the tag, where this is a tag's connection."""

    def say(self, line: bytes) -> list[bytes]:
        self.home.station.receive_data(self.number, line, self.home.now)
        return self._heard()

    def _heard(self) -> list[bytes]:
        lines = []
        while (event := self.home.station.next_event()) is not None:
            if isinstance(event, Transmit) and event.link == self.number:
                lines.append(event.data)
            else:
                self.events.append(event)
        return lines

    def sent(self) -> list[bytes]:
        """The frames that the station has sent of its own accord."""
        return self._hear(self._heard())

    def took(self, frame: bytes) -> bool:
        """Whether the station took a frame, which it must have judged."""
        station = self.home.station
        self.events.clear()
        accepted, rejected = station.accepted, station.rejected.total()
        self.put(frame)
        taken = station.accepted - accepted
        assert taken + station.rejected.total() - rejected == 1, "the station never saw the frame"
        return taken == 1

    def close(self) -> None:
        self.home.close(self.number)


class TagWire(Wire):
    """To a tag that has said HELLO."""

    def __init__(self, tag: HandMadeTag) -> None:
        super().__init__()
        self._tag = tag
        self._refused = 0
        self._strange = 0

    def say(self, line: bytes) -> list[bytes]:
        try:
            self._tag.receive(line)
        except RemoteProtocolError:
            self._refused += 1
        except AssertionError:  # it opened, and is no command: taken all the same
            self._strange += 1
        self._tag.acknowledgement()
        return []

    def took(self, frame: bytes) -> bool:
        """Whether the tag took a frame (WELCOME or a command), which it must have judged."""
        refused, strange, commands, session = self._refused, self._strange, len(self._tag.taken), self._tag.session
        self.put(frame)
        new_session = self._tag.session is not session
        taken = self._strange - strange + len(self._tag.taken) - commands + new_session
        assert taken + self._refused - refused == 1, "the tag never saw the frame"
        return taken == 1


def hello_of(tag: HandMadeTag, now: float = 0.0) -> bytes:
    """The frame in a new HELLO; from now on the tag waits for its answer."""
    return frame_of(tag.hello(now))


def connect(home: Home, tag: HandMadeTag) -> StationWire:
    """A connection on which the tag has proved itself; the attacker carries the frames between the two."""
    wire = StationWire(home)
    (welcome,) = wire.put(hello_of(tag, home.now))
    wire.tag_wire = TagWire(tag)
    assert wire.tag_wire.took(welcome)
    uptime = int(home.now - tag.booted_at)
    assert wire.took(tag.session.seal(frames.REPLY, frames.pack_reply((tag.boot, uptime))))
    return wire
