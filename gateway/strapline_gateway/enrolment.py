"""What a gateway knows of one of its tags. The parts of the station decide; here stands what they have found."""

from collections import deque

from strapline_gateway.suspicion import Suspicion
from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import GatewayKeys
from strapline_wire.hkdf import same
from strapline_wire.replay import ReplayWindow

MAILBOX_SIZE = 64
"""Commands kept for a tag that is not connected; a receipt that is pushed out is asked for again by the tag's next resending."""

LATELY = 12
"""Heartbeats of which each tag's counter, seal and arrival are kept."""

UPTIME_SPAN_S = 4 * 65536
"""A heartbeat's uptime begins anew after so long: three days."""

_NEVER = float("-inf")


class Keyset:
    """One generation of a tag's keys: its ciphers, and the replay window of its heartbeats."""

    __slots__ = ("broadcast", "ended", "enrolled", "generation", "header", "link_key", "window")

    def __init__(self, enrolled: "Enrolled", keys: GatewayKeys, generation: int) -> None:
        self.enrolled = enrolled
        """Whose they are."""
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

    __slots__ = (
        "_believed_until",
        "beyond",
        "boot",
        "call_again_at",
        "calling",
        "collect_again_at",
        "contact_at",
        "curfew_hours",
        "failures",
        "heard_at",
        "in_call",
        "keys",
        "lately",
        "link",
        "loss",
        "mailbox",
        "near_at",
        "newest_uptime_4s",
        "next_keys",
        "offset_s",
        "present",
        "rssi_at",
        "rssi_dbm",
        "suspicion",
        "tag",
        "told_alarm",
        "told_at",
        "told_class",
        "told_dbm",
        "unanswered",
        "wait_until",
    )

    def __init__(self, keys: GatewayKeys, generation: int = 0) -> None:
        self.tag = keys.tag
        self.keys = Keyset(self, keys, generation)
        self.next_keys: dict[int, Keyset] = {}
        """By generation, all later ones: under them it may come from now on; the first genuine frame under one ends those before."""
        self.mailbox: deque[bytes] = deque(maxlen=MAILBOX_SIZE)
        self.contact_at = _NEVER
        self.boot: int | None = None
        self.offset_s: float | None = None
        """Our clock minus the tag's uptime, once a session has proved it."""
        self.told_alarm: int | None = None
        """The alarm that we have told of; None where it had none pending since."""

        # Presence (presence.py).
        self.present = False
        self.heard_at = _NEVER
        self.near_at = _NEVER
        """When it was last heard within reach."""
        self.beyond = False
        """It is heard, and has been out of reach for the debounce: not at home."""
        self.rssi_dbm: float | None = None
        """Smoothed."""
        self.rssi_at = _NEVER
        self.loss = 0.0
        """Share of its heartbeats that do not arrive, lately."""
        self.curfew_hours = False
        """Its schedule says that it stays at home now."""
        self.told_class = ""
        self.told_dbm = 0.0
        self.told_at = _NEVER
        self._believed_until: float | None = None

        # Calls (calls.py).
        self.link: int | None = None
        """The link on which the tag has proved itself."""
        self.in_call = False
        """From `Connect` until that call has failed or its link is closed."""
        self.calling: str | None = None
        """The address that is being called, while the call is not through."""
        self.call_again_at = _NEVER
        self.failures = 0
        """Calls in a row in which the tag did not prove itself."""
        self.collect_again_at = _NEVER
        self.unanswered = 0
        """Connections in a row that brought records and saw no command for the tag: nobody further up answers."""
        self.wait_until: float | None = None
        """Where several readers share the calls: until then another one may be quicker."""

        # Impostors (impostors.py).
        self.lately: deque[tuple[int, bytes, float]] = deque(maxlen=LATELY)
        """Counter, seal and arrival of the last heartbeats."""
        self.newest_uptime_4s: int | None = None
        """What the heartbeat with the highest counter said, of those that we took."""
        self.suspicion: Suspicion | None = None

    def is_believed(self, now: float, patience_s: float) -> bool:
        """Whether heartbeats show presence: after a start only for so long without a session, because recorded ones look the same."""
        if self._believed_until is None:
            self._believed_until = now + patience_s
        return self.offset_s is not None or now < self._believed_until

    def age_s(self, uptime_4s: int, now: float) -> float:
        """How long ago a heartbeat of this uptime was made, 0 to three days; an uptime ahead of ours is nearly three days old."""
        assert self.offset_s is not None
        return (now - self.offset_s - uptime_4s * 4) % UPTIME_SPAN_S

    def uptime_fits(self, uptime_4s: int, now: float, tolerance_s: float) -> bool:
        """Whether a heartbeat's uptime is that of now; nothing can be said before the first session."""
        if self.offset_s is None:
            return True
        off_s = (now - self.offset_s - uptime_4s * 4) % UPTIME_SPAN_S  # `age_s`
        return off_s <= tolerance_s or off_s >= UPTIME_SPAN_S - tolerance_s
