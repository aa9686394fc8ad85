"""The tag's side of one recorded connection, said again in a session of its own. Bytes and `now` in, bytes out."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import Kind
from strapline_simulator.traces.keybox import KeyBox, Share
from strapline_simulator.traces.reading import LINKS, Reading
from strapline_wire import frames, seal
from strapline_wire.arq import ReliableLink, draw_generation
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import Session, TagHandshake

_RETRY_MS = 2000


class Saying(NamedTuple):
    """A frame that the tag has sent in its session."""

    utc_s: float
    kind: int
    body: bytes


class Conversation(NamedTuple):
    """One connection of a trace, opened."""

    share: Share
    pseudonym: int
    utc_s: float
    said: list[Saying]
    commands: list[bytes]
    """What the gateway has sent to the tag in it, under its inner seal; empty where that could not be opened."""


class Found(NamedTuple):
    """What of a trace can be said again, and what cannot."""

    conversations: list[Conversation]
    unopened: int
    """Connections without a key for them, or whose beginning is not in the trace."""
    heartbeats: int
    """Of the radio: no wire carries them."""


def conversations(readings: Iterable[Reading], keys: KeyBox) -> Found:
    """The connections of a trace, by their beginning."""
    shares = {share.tag: share for share in reversed(keys.shares)}
    open_now: dict[tuple[str, str], Conversation] = {}
    strange: set[tuple[str, str]] = set()
    found: list[Conversation] = []
    seen: set[bytes] = set()
    unopened = heartbeats = 0
    for reading in readings:
        packet = reading.packet
        if packet.interface not in LINKS:
            continue
        if reading.kind == "heartbeat":
            heartbeats += 1
            continue
        key = packet.interface, packet.notes.get("line", "")
        if packet.data in seen:
            continue  # on the line again, for want of an acknowledgement
        seen.add(packet.data)
        if reading.kind == "hello":
            open_now.pop(key, None)
            strange.discard(key)
            if reading.tag in shares:
                pseudonym = int(reading.fields["pseudonym"], 16)
                open_now[key] = Conversation(shares[reading.tag], pseudonym, packet.utc_s, [], [])
                found.append(open_now[key])
        if key not in open_now:
            unopened += key not in strange
            strange.add(key)
        elif reading.kind in ("reply", "record") and reading.body:
            open_now[key].said.append(Saying(packet.utc_s, _KINDS[reading.kind], reading.body))
        elif reading.kind == "command":
            open_now[key].commands.append(reading.body)
    return Found([one for one in found if one.said], unopened, heartbeats)


_KINDS = {"reply": int(Kind.REPLY), "record": int(Kind.RECORD)}


def records_of(conversation: Conversation) -> Iterator[bytes]:
    """The sealed records in it; a request for the time is none, and stale."""
    for saying in conversation.said:
        if saying.kind == Kind.RECORD and seal.peek_envelope(saying.body).kind != Kind.TIME_REQUEST:
            yield saying.body


class TagSide:
    """Says one conversation to a gateway. `entropy(n)` gives n random bytes; times are in seconds."""

    def __init__(self, conversation: Conversation, entropy: Callable[[int], bytes]) -> None:
        share = conversation.share
        self._share = share
        self._link = ReliableLink(draw_generation(entropy), _RETRY_MS)
        self._handshake = TagHandshake(share.link, share.header, conversation.pseudonym, entropy(8), HostCipher)
        self._session: Session | None = None
        self.commands: list[bytes] = []
        """What the gateway has sent to the tag, each under its inner seal."""
        self.refused = 0
        """Frames that were not this gateway's."""
        self._link.send(self._handshake.hello)

    @property
    def is_open(self) -> bool:
        """Whether the gateway has answered, and knows the tag's key."""
        return self._session is not None

    @property
    def has_failed(self) -> bool:
        """The gateway acknowledges nothing."""
        return bool(self._link.failed)

    @property
    def is_done(self) -> bool:
        """Everything that was said has been acknowledged."""
        return bool(self._link.idle)

    @property
    def has_room(self) -> bool:
        """Whether `say` takes a frame now."""
        return self.is_open and self._link.room() > 0

    def say(self, kind: int, body: bytes) -> None:
        """Once it is open and has room."""
        assert self._session is not None
        self._link.send(self._session.seal(kind, body))

    def receive(self, data: bytes, now_s: float) -> None:
        """Bytes from the gateway."""
        for frame in self._link.receive_data(data, _ms(now_s)):
            try:
                self._take(frame)
            except RemoteProtocolError:
                self.refused += 1

    def _take(self, frame: bytes) -> None:
        if self._session is None:
            _, self._session = self._handshake.receive(frame)
            return
        kind, body = self._session.open(frame)
        if kind == frames.COMMAND:
            self.commands.append(bytes(body))

    def lines(self, now_s: float) -> list[bytes]:
        """What goes on the line now."""
        self._link.handle_timer(_ms(now_s))
        return list(self._link.data_to_send(_ms(now_s)))


def _ms(now_s: float) -> int:
    return round(now_s * 1000)
