"""Receivers under attack on the radio and on the line: what is genuinely on its way to each, and whether it takes what it is given."""

from random import Random

from fuzz.wire import StationWire, TagWire, connect, hello_of
from hand_made_tag import OTHER_TAG, TAG, HandMadeTag
from station_home import ADDRESS, Home
from strapline_gateway.station import Record, Station
from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, link, seal
from strapline_wire.session import TagHandshake

FOREIGN = 24
"""Frames of each sort that are genuine elsewhere."""

AHEAD = 96
"""Frames passed over before those: a counter that was seen already would be refused before the key has its say."""

HELD_BACK_S = 60.0
"""How long an attacker keeps a heartbeat that nobody else has heard."""

OTHER_GATEWAY = 0x6A7E0002


class Scene:
    """One receiver, under keys of its own. `foreign` holds what is genuine elsewhere, by where that is."""

    name = ""
    attacker = "outsider"
    replayable = True
    """Whether a second copy must bring nothing; else it may be answered again, and what comes of that is another scene."""

    def __init__(self, draw: Random) -> None:
        self.draw = draw
        self.secret, self.other_secret = draw.randbytes(16), draw.randbytes(16)
        self.tag = HandMadeTag(TAG, self.secret)
        self.other = HandMadeTag(OTHER_TAG, self.other_secret)
        self.foreign: dict[str, list[bytes]] = {}

    def genuine(self) -> bytes:
        """What is on its way next."""
        raise NotImplementedError

    def offer(self, data: bytes) -> bool:
        """Whether the receiver took it."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go what it holds open."""

    def deliver(self, data: bytes) -> bool:
        """The positive control: what `genuine` gave arrives untouched."""
        return self.offer(data)

    def reaches(self, _forged: bytes) -> bool:
        """Whether a forgery gets as far as the receiver; what is lost before it proves nothing."""
        return True

    def says_the_same(self, _forged: bytes, _genuine: bytes) -> bool:
        """Whether a forgery is only another spelling of the same message."""
        return False

    def made_up(self, kind: int, body: bytes, direction: int) -> list[bytes]:
        """Frames for this tag under keys that the attacker has made up."""
        return [
            seal.seal_frame(
                kind,
                self.tag.pseudonym,
                self.draw.randrange(1 << 12),
                body,
                HostCipher(self.draw.randbytes(16)),
                HostCipher(self.draw.randbytes(16)),
                direction,
            )
            for _ in range(FOREIGN)
        ]

    def as_if(self, kind: int, others: list[bytes]) -> list[bytes]:
        """Somebody else's frames, as they are and with the head that the receiver looks for."""
        head = bytes([seal.VERSION << 6 | kind]) + self.tag.pseudonym.to_bytes(4, "big")
        return others + [head + frame[5:] for frame in others]


class LineScene(Scene):
    """A receiver of frames on a line: the link carries any frame of a size that it knows."""

    def reaches(self, forged: bytes) -> bool:
        return 0 < len(forged) <= link.FRAME_LIMIT


def home_of(gateway: int, *tags: HandMadeTag) -> Home:
    """A home with a gateway of another id."""
    home = Home(*tags)
    home.station = Station(gateway, [tag.gateway_keys for tag in tags], home._draw.randbytes, home=True)
    return home


def sent_up(tag: HandMadeTag) -> list[bytes]:
    """Frames of the tag's present session that nobody has received, the counters ahead of what the scene reaches."""
    return [tag.session.seal(frames.RECORD, tag.event()) for _ in range(AHEAD + FOREIGN)][AHEAD:]


def sent_down(wire: StationWire, tag: HandMadeTag, ahead: int = AHEAD, count: int = FOREIGN) -> list[bytes]:
    """The same of the gateway's, while the tag is connected."""
    sent = []
    for _ in range(ahead + count):
        wire.home.station.send_command(tag.ident, wire.home._draw.randbytes(34), wire.home.now)
        sent += wire.sent()
    return sent[ahead:]


def heartbeats_of(tag: HandMadeTag) -> list[bytes]:
    return [tag.heartbeat(0.0) for _ in range(FOREIGN)]


class Heartbeats(Scene):
    """Advertisements at the station."""

    name = "heartbeats at the station"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        wire = connect(self.home, self.tag)
        up, down = sent_up(self.tag), sent_down(wire, self.tag)
        wire.close()
        held_back = heartbeats_of(self.tag)
        self.home.now += HELD_BACK_S
        self.foreign = {
            "held back": held_back,
            "other tag": self.as_if(frames.HEARTBEAT, heartbeats_of(self.other)),
            "other key": self.made_up(frames.HEARTBEAT, frames.pack_heartbeat((0, 0, 90, 0, 0)), seal.UP),
            "other direction": self.as_if(frames.HEARTBEAT, down),
            "session": self.as_if(frames.HEARTBEAT, up),
        }

    def genuine(self) -> bytes:
        self.home.now += 1.0
        return self.tag.heartbeat(self.home.now, flags=self.draw.getrandbits(9), newest_alarm=self.draw.getrandbits(8))

    def offer(self, data: bytes) -> bool:
        before = self.home.station.accepted
        self.home.station.receive_advertisement(ADDRESS, -60, data, self.home.now)
        self.home.take()
        return self.home.station.accepted > before


class Connected(LineScene):
    """A connection that stands, and what was said in others before it."""

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag, self.other)
        neighbour = home_of(OTHER_GATEWAY, self.tag)
        self.up, self.down = {}, {}
        for where, home, tag in (
            ("earlier session", self.home, self.tag),
            ("other gateway", neighbour, self.tag),
            ("other tag", self.home, self.other),
        ):
            wire = connect(home, tag)
            self.up[where], self.down[where] = sent_up(tag), sent_down(wire, tag)
            wire.close()
        self.beats = heartbeats_of(self.tag)
        self.wire = connect(self.home, self.tag)


class SessionUp(Connected):
    """Frames under a session key, from the tag to the station."""

    name = "session frames at the station"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.foreign = {where: self.as_if(frames.RECORD, sent) for where, sent in self.up.items()} | {
            "other direction": self.as_if(frames.RECORD, sent_down(self.wire, self.tag)),
            "heartbeat": self.as_if(frames.RECORD, self.beats),
            "other key": self.made_up(frames.RECORD, self.tag.event(), seal.UP),
        }

    def genuine(self) -> bytes:
        return self.tag.session.seal(frames.RECORD, self.draw.choice((self.tag.event, self.tag.fix))(now=self.home.now))

    def offer(self, data: bytes) -> bool:
        return self.wire.took(data)


class SessionDown(Connected):
    """Frames under a session key, from the station to the tag."""

    name = "session frames at the tag"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.foreign = {where: self.as_if(frames.COMMAND, sent) for where, sent in self.down.items()} | {
            "other direction": self.as_if(frames.COMMAND, sent_up(self.tag)),
            "heartbeat": self.as_if(frames.COMMAND, self.beats),
            "other key": self.made_up(frames.COMMAND, bytes(34), seal.DOWN),
        }

    def genuine(self) -> bytes:
        return sent_down(self.wire, self.tag, 0, 1)[0]

    def offer(self, data: bytes) -> bool:
        return self.wire.tag_wire.took(data)


class Hellos(LineScene):
    """HELLO at the station. A copy of a genuine one is answered: see `Recordings` for what that is worth."""

    name = "HELLO at the station"
    replayable = False

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        welcomes = [self.answer(hello_of(self.tag)) for _ in range(FOREIGN)]
        strangers = [
            TagHandshake(draw.randbytes(16), HostCipher(bytes(16)), self.tag.pseudonym, draw.randbytes(8), HostCipher)
            for _ in range(FOREIGN)
        ]
        self.foreign = {
            "other tag": self.as_if(frames.HELLO, [hello_of(self.other) for _ in range(FOREIGN)]),
            "other direction": self.as_if(frames.HELLO, welcomes),
            "other key": [stranger.hello for stranger in strangers],
            "heartbeat": self.as_if(frames.HELLO, heartbeats_of(self.tag)),
        }

    def answer(self, hello: bytes) -> bytes:
        """The WELCOME that a new link gives, or nothing."""
        wire = StationWire(self.home)
        sent = wire.put(hello)
        wire.close()
        return sent[0] if sent else b""

    def genuine(self) -> bytes:
        return hello_of(self.tag, self.home.now)

    def offer(self, data: bytes) -> bool:
        wire = StationWire(self.home)
        taken = wire.took(data)
        wire.close()
        return taken


class Welcomes(LineScene):
    """WELCOME at the tag, while it waits for one."""

    name = "WELCOME at the tag"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag, self.other)
        neighbour = home_of(OTHER_GATEWAY, self.tag)
        to_other = [self.welcome(self.home, self.other) for _ in range(FOREIGN)]
        hellos = [hello_of(self.tag) for _ in range(FOREIGN)]
        self.foreign = {
            "other tag": self.as_if(frames.WELCOME, to_other),
            "other gateway": [self.welcome(neighbour, self.tag) for _ in range(FOREIGN)],
            "other direction": self.as_if(frames.WELCOME, hellos),
            "heartbeat": self.as_if(frames.WELCOME, heartbeats_of(self.tag)),
        }

    def welcome(self, home: Home, tag: HandMadeTag) -> bytes:
        """The answer to a new HELLO; from then on the tag waits for that one."""
        wire = StationWire(home)
        (sent,) = wire.put(hello_of(tag, home.now))
        wire.close()
        return sent

    def genuine(self) -> bytes:
        sent = self.welcome(self.home, self.tag)
        self.wire = TagWire(self.tag)
        return sent

    def offer(self, data: bytes) -> bool:
        return self.wire.took(data)


class Recordings(Scene):
    """A whole connection played to the station again, HELLO and all: WELCOME comes, and proves nothing to anyone.

    The frames stand one behind the other, each as long as in a genuine one.
    """

    name = "recorded connections"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag, self.other)
        self.live = False
        self.sizes: tuple[int, int] = (0, 0)
        """Of HELLO and REPLY."""
        self.foreign = {"other tag": [self.connection(self.other)[0] for _ in range(4)]}

    def connection(self, tag: HandMadeTag) -> tuple[bytes, bool]:
        """(what the tag said, whether its record went through) of a genuine one."""
        wire = StationWire(self.home)
        hello = hello_of(tag, self.home.now)
        (welcome,) = wire.put(hello)
        assert TagWire(tag).took(welcome)
        reply = tag.session.seal(frames.REPLY, frames.pack_reply((tag.boot, 0)))
        record = tag.session.seal(frames.RECORD, tag.event(now=self.home.now))
        taken = [wire.took(frame) for frame in (reply, record)]
        live = all(taken) and any(isinstance(event, Record) for event in wire.events)
        wire.close()
        self.sizes = len(hello), len(reply)
        return hello + reply + record, live

    def genuine(self) -> bytes:
        said, self.live = self.connection(self.tag)
        return said

    def reaches(self, forged: bytes) -> bool:
        return forged != b""

    def offer(self, data: bytes) -> bool:
        hello, reply = self.sizes
        wire = StationWire(self.home)
        for frame in (data[:hello], data[hello : hello + reply], data[hello + reply :]):
            if frame:
                wire.took(frame)
        proved = self.home.station._connections[wire.number].tag is not None
        wire.close()
        return proved

    def deliver(self, _data: bytes) -> bool:
        return self.live


RADIO = (Heartbeats, SessionUp, SessionDown, Hellos, Welcomes, Recordings)
"""Receivers on the radio and on the line."""
