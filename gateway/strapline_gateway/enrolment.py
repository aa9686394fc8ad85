"""What a gateway knows of one of its tags."""

from collections import deque

from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import GatewayKeys
from strapline_wire.hkdf import same
from strapline_wire.replay import ReplayWindow

MAILBOX_SIZE = 64
"""Commands kept for a tag that is not connected; a receipt that is pushed out is asked for again by the tag's next resending."""

_UPTIME_SPAN_S = 4 * 65536


class Keyset:
    """One generation of a tag's keys: its ciphers, and the replay window of its heartbeats."""

    def __init__(self, keys: GatewayKeys, generation: int) -> None:
        self.generation = generation
        self.link_key = keys.link
        self.broadcast = HostCipher(keys.broadcast)
        self.header = HostCipher(keys.header)
        self.window = ReplayWindow()
        self.ended = False
        """The tag has come under later keys: these open nothing any more."""

    def is_of(self, keys: GatewayKeys) -> bool:
        """Whether it was made of these."""
        return same(self.link_key, keys.link)


class Enrolled:
    """One tag: its keys, and where things stand with it."""

    def __init__(self, keys: GatewayKeys) -> None:
        self.keys = Keyset(keys, 0)
        self.next_keys: dict[int, Keyset] = {}
        """By generation, all later ones: under them it may come from now on; the first genuine frame under one ends those before."""
        self.mailbox: deque[bytes] = deque(maxlen=MAILBOX_SIZE)
        self.present = False
        self.heard_at = float("-inf")
        self.contact_at = float("-inf")
        self.boot: int | None = None
        self.offset_s: float | None = None
        """Our clock minus the tag's uptime, once a session has proved it."""
        self._believed_until: float | None = None
        self.told_alarm: int | None = None
        """The alarm that we have told of; None where it had none pending since."""
        self.link: int | None = None
        """The link on which the tag has proved itself."""
        self.in_call = False
        """From `Connect` until that call has failed or its link is closed."""
        self.calling: str | None = None
        """The address that is being called, while the call is not through."""
        self.call_again_at = float("-inf")
        self.failures = 0
        """Calls in a row in which the tag did not prove itself."""
        self.collect_again_at = float("-inf")
        self.unanswered = 0
        """Connections in a row that brought records and saw no command for the tag: nobody further up answers."""

    def is_believed(self, now: float, patience_s: float) -> bool:
        """Whether heartbeats show presence: after a start only for so long without a session, because recorded ones look the same."""
        if self._believed_until is None:
            self._believed_until = now + patience_s
        return self.offset_s is not None or now < self._believed_until

    def uptime_fits(self, uptime_4s: int, now: float, tolerance_s: float) -> bool:
        """Whether a heartbeat's uptime is that of now; nothing can be said before the first session."""
        if self.offset_s is None:
            return True
        off_s = (now - self.offset_s - uptime_4s * 4) % _UPTIME_SPAN_S
        return off_s <= tolerance_s or off_s >= _UPTIME_SPAN_S - tolerance_s
