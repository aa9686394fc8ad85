"""The tag's side of the wire, made by hand from `strapline_wire`: it says what a test wants, when the test wants it."""

from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import State
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_wire import frames, link, seal
from strapline_wire.arq import ReliableLink
from strapline_wire.keys import Slot, derive
from strapline_wire.session import TagHandshake

TAG = "7a900001"
OTHER_TAG = "7a900002"
SECRET = bytes(range(16))
OTHER_SECRET = bytes(range(16, 32))

LINK_RETRY_MS = 1000

ALARM = State.ARMED | State.PENDING | State.ALARM_PENDING


def strangers_line(frame, generation=200, sequence=0):
    """A frame as bytes for the line from somebody whom the other end has never heard."""
    return link.encode(bytes((generation, 0, sequence << 4)) + frame)


def frame_of(line):
    """The frame in a line; empty in a bare acknowledgement."""
    return link.decode(line[1:-1])[link.HEADER_SIZE :]


class HandMadeTag:
    """One tag that was switched on at `booted_at` (seconds, the gateway's clock)."""

    def __init__(self, ident=TAG, secret=SECRET, *, booted_at=0.0, slot=0, journal=0x4A0B0001):
        self.ident = ident
        self.gateway_keys = gateway_keys(ident, secret)
        self.centre_keys = centre_keys(ident, secret)
        self.booted_at = booted_at
        self.boot = 1
        self.counter = 0
        self.slot = slot
        self.journal = journal
        self.sequence = 0
        self.session = None
        self.taken = []
        """Sealed commands that came over the link."""
        self._link_key = derive(secret, "link")
        self._header = HostCipher(derive(secret, "header"))
        self._broadcast = HostCipher(derive(secret, "broadcast"))
        self._end_to_end = HostCipher(derive(secret, "end-to-end"))
        self._handshake = None
        self.link = None
        self._nonces = 0

    # The radio.

    @property
    def pseudonym(self):
        return Slot(self._header, self.slot).pseudonym

    @property
    def address(self):
        return Slot(self._header, self.slot).address

    def heartbeat(self, now, flags=0, newest_alarm=0, battery_percent=90):
        """The service data of one advertisement."""
        body = frames.pack_heartbeat((int(flags), 0, battery_percent, self._uptime(now) // 4 & 0xFFFF, newest_alarm))
        self.counter += 1
        return seal.seal_frame(
            frames.HEARTBEAT, self.pseudonym, self.counter - 1, body, self._broadcast, self._header, seal.UP
        )

    # The link.

    def hello(self, now):
        """Bytes for a new link."""
        self._nonces += 1
        nonce = self._nonces.to_bytes(8, "big")
        self.session = None
        self.link = ReliableLink(1 + (int(self.ident, 16) + 16 * self._nonces) % 255, LINK_RETRY_MS)
        self._handshake = TagHandshake(self._link_key, self._header, self.pseudonym, nonce, HostCipher)
        return self.line(self._handshake.hello)

    def receive(self, data):
        """Bytes from the gateway; WELCOME opens the session, commands are kept in `taken`."""
        for frame in self.link.receive_data(data, 0):
            if self.session is None:
                self.welcome, self.session = self._handshake.receive(frame)
            else:
                kind, body = self.session.open(frame)
                assert kind == frames.COMMAND
                self.taken.append(body)

    def line(self, frame):
        """Any frame as bytes for the line, under the next number of the link; what the link owes goes with it."""
        self.link.send(frame)
        (line,) = self.link.data_to_send(0)
        return line

    def acknowledgement(self):
        """The bytes that acknowledge what has come, where something is owed."""
        return b"".join(self.link.data_to_send(0))

    def reply(self, now):
        return self.line(self.session.seal(frames.REPLY, frames.pack_reply((self.boot, self._uptime(now)))))

    def send(self, sealed):
        return self.line(self.session.seal(frames.RECORD, sealed))

    # Records.

    def event(self, code=frames.EVENT_BEACON, now=0.0, *, sequence=None, utc_s=0, detail=0):
        """A sealed EVENT, under the next sequence of the journal unless another is given."""
        alarm = int(code in frames.EVENT_ALARMS)
        uptime = self._uptime(now)
        body = frames.pack_event((code, alarm, self.boot, uptime, 0, utc_s, detail))
        return self.record(frames.EVENT, body, sequence=sequence, flags=alarm)

    def fix(self, now=0.0, *, sequence=None):
        body = frames.pack_fix((self.boot, self._uptime(now), 0, 0, 532487000, 104078000, 35, 0, 0))
        return self.record(frames.FIX, body, sequence=sequence)

    def record(self, kind, body, *, sequence=None, flags=0):
        if sequence is None:
            self.sequence += 1
            sequence = self.sequence
        return seal.seal_envelope((kind, flags, self.journal, sequence), body, self._end_to_end, seal.UP)

    def time_request(self, nonce, now=0.0):
        origin, number = int.from_bytes(nonce[:4], "big"), int.from_bytes(nonce[4:], "big")
        body = frames.pack_time_request((self.boot, self._uptime(now)))
        return seal.seal_envelope((frames.TIME_REQUEST, 0, origin, number), body, self._end_to_end, seal.UP)

    def open_command(self, sealed):
        """(envelope, body) of a command from the centre."""
        return seal.open_envelope(sealed, self._end_to_end, seal.DOWN)

    def _uptime(self, now):
        return int(now - self.booted_at)
