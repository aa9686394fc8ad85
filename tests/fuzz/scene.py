"""Receivers under attack on the radio and on the line: what is genuinely on its way to each, and whether it takes what it is given."""

from random import Random

from hand_made_tag import OTHER_TAG, TAG, HandMadeTag
from station_home import ADDRESS, Home
from strapline_gateway.station import Record, Station, Transmit
from strapline_protocol.cipher import HostCipher
from strapline_wire import frames, link, seal
from strapline_wire.errors import RemoteProtocolError
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


def frame_of(line: bytes) -> bytes:
    (frame,) = link.Deframer().feed(line)
    return frame


def home_of(gateway: int, *tags: HandMadeTag) -> Home:
    """A home with a gateway of another id."""
    home = Home(*tags)
    home.station = Station(gateway, [tag.gateway_keys for tag in tags], home._draw.randbytes, home=True)
    return home


def sent_up(tag: HandMadeTag) -> list[bytes]:
    """Frames of the tag's present session that nobody has received, the counters ahead of what the scene reaches."""
    return [frame_of(tag.send(tag.event())) for _ in range(AHEAD + FOREIGN)][AHEAD:]


def sent_down(home: Home, tag: HandMadeTag, ahead: int = AHEAD, count: int = FOREIGN) -> list[bytes]:
    """The same of the gateway's, while the tag is connected."""
    lines = []
    for _ in range(ahead + count):
        home.station.send_command(tag.ident, home._draw.randbytes(34), home.now)
        lines += [event.data for event in home.take() if isinstance(event, Transmit)]
    return [frame_of(line) for line in lines[ahead:]]


def heartbeats_of(tag: HandMadeTag) -> list[bytes]:
    return [tag.heartbeat(0.0) for _ in range(FOREIGN)]


class Heartbeats(Scene):
    """Advertisements at the station."""

    name = "heartbeats at the station"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        number = self.home.open(self.tag)
        up, down = sent_up(self.tag), sent_down(self.home, self.tag)
        self.home.close(number)
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


class Connected(Scene):
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
            number = home.open(tag)
            self.up[where], self.down[where] = sent_up(tag), sent_down(home, tag)
            home.close(number)
        self.beats = heartbeats_of(self.tag)
        self.number = self.home.open(self.tag)


class SessionUp(Connected):
    """Frames under a session key, from the tag to the station."""

    name = "session frames at the station"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.foreign = {where: self.as_if(frames.RECORD, sent) for where, sent in self.up.items()} | {
            "other direction": self.as_if(frames.RECORD, sent_down(self.home, self.tag)),
            "heartbeat": self.as_if(frames.RECORD, self.beats),
            "other key": self.made_up(frames.RECORD, self.tag.event(), seal.UP),
        }

    def genuine(self) -> bytes:
        return frame_of(self.tag.send(self.draw.choice((self.tag.event, self.tag.fix))(now=self.home.now)))

    def offer(self, data: bytes) -> bool:
        before = self.home.station.accepted
        self.home.say(self.number, link.encode(data))
        return self.home.station.accepted > before


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
        return sent_down(self.home, self.tag, 0, 1)[0]

    def offer(self, data: bytes) -> bool:
        before = len(self.tag.taken)
        try:
            self.tag.receive(link.encode(data))
        except RemoteProtocolError:
            return False
        except AssertionError:  # it opened, and is no command: taken all the same
            return True
        return len(self.tag.taken) > before


class Hellos(Scene):
    """HELLO at the station. A copy of a genuine one is answered: see `Recordings` for what that is worth."""

    name = "HELLO at the station"
    replayable = False

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag)
        welcomes = [self.answer(frame_of(self.tag.hello(0.0))) for _ in range(FOREIGN)]
        strangers = [
            TagHandshake(draw.randbytes(16), HostCipher(bytes(16)), self.tag.pseudonym, draw.randbytes(8), HostCipher)
            for _ in range(FOREIGN)
        ]
        self.foreign = {
            "other tag": self.as_if(frames.HELLO, [frame_of(self.other.hello(0.0)) for _ in range(FOREIGN)]),
            "other direction": self.as_if(frames.HELLO, welcomes),
            "other key": [stranger.hello for stranger in strangers],
            "heartbeat": self.as_if(frames.HELLO, heartbeats_of(self.tag)),
        }

    def answer(self, hello: bytes) -> bytes:
        """The WELCOME that a new link gives, or nothing."""
        number = self.home.station.open_link(self.home.now)
        sent = [event.data for event in self.home.say(number, link.encode(hello)) if isinstance(event, Transmit)]
        self.home.close(number)
        return frame_of(sent[0]) if sent else b""

    def genuine(self) -> bytes:
        return frame_of(self.tag.hello(self.home.now))

    def offer(self, data: bytes) -> bool:
        return self.answer(data) != b""


class Welcomes(Scene):
    """WELCOME at the tag, while it waits for one."""

    name = "WELCOME at the tag"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag, self.other)
        neighbour = home_of(OTHER_GATEWAY, self.tag)
        to_other = [self.welcome(self.home, self.other) for _ in range(FOREIGN)]
        hellos = [frame_of(self.tag.hello(0.0)) for _ in range(FOREIGN)]
        self.foreign = {
            "other tag": self.as_if(frames.WELCOME, to_other),
            "other gateway": [self.welcome(neighbour, self.tag) for _ in range(FOREIGN)],
            "other direction": self.as_if(frames.WELCOME, hellos),
            "heartbeat": self.as_if(frames.WELCOME, heartbeats_of(self.tag)),
        }

    def welcome(self, home: Home, tag: HandMadeTag) -> bytes:
        """The answer to a new HELLO; from then on the tag waits for that one."""
        number = home.station.open_link(home.now)
        (sent,) = home.say(number, tag.hello(home.now))
        home.close(number)
        return frame_of(sent.data)

    def genuine(self) -> bytes:
        return self.welcome(self.home, self.tag)

    def offer(self, data: bytes) -> bool:
        before = self.tag.session
        try:
            self.tag.receive(link.encode(data))
        except RemoteProtocolError:
            return False
        return self.tag.session is not before


class Recordings(Scene):
    """A whole connection played to the station again, HELLO and all: WELCOME comes, and proves nothing to anyone."""

    name = "recorded connections"

    def __init__(self, draw: Random) -> None:
        super().__init__(draw)
        self.home = Home(self.tag, self.other)
        self.live = False
        self.foreign = {"other tag": [self.connection(self.other)[0] for _ in range(4)]}

    def connection(self, tag: HandMadeTag) -> tuple[bytes, bool]:
        """(what the tag said, whether its record went through) of a genuine one."""
        hello = tag.hello(self.home.now)
        number = self.home.station.open_link(self.home.now)
        (welcome,) = self.home.say(number, hello)
        tag.receive(welcome.data)
        rest = tag.reply(self.home.now) + tag.send(tag.event(now=self.home.now))
        heard = self.home.say(number, rest)
        self.home.close(number)
        return hello + rest, any(isinstance(event, Record) for event in heard)

    def genuine(self) -> bytes:
        said, self.live = self.connection(self.tag)
        return said

    def offer(self, data: bytes) -> bool:
        number = self.home.station.open_link(self.home.now)
        self.home.say(number, data)
        proved = self.home.station._connections[number].tag is not None
        self.home.close(number)
        return proved

    def deliver(self, _data: bytes) -> bool:
        return self.live


RADIO = (Heartbeats, SessionUp, SessionDown, Hellos, Welcomes, Recordings)
