"""When to call on a tag: for an alarm at once, else when it has something to say, has mail, or has not been met for long."""

from collections.abc import Callable

from strapline_gateway.enrolment import Enrolled
from strapline_gateway.events import Abandon, Connect, Event
from strapline_wire import frames

CONTACT_PERIOD_S = 120.0
"""A tag that has nothing to say is still called on so often: the answer proves its uptime and tells it that it is at home."""

ASKED_AFTER_S = 10.0
"""A tag that asks for a call so soon after the last contact has not noticed it yet."""

_PENDING, _ASKS = frames.STATE_PENDING, frames.STATE_ASKS

_RECONNECT_S = 5.0
_RECONNECT_LONGEST_S = 60.0
_DOUBLINGS = 10

_STRONG_DBM = -60.0
"""A reader that hears a tag like this calls at once."""

_ALARM_S_PER_DB = 0.02
_ROUTINE_S_PER_DB = 0.5
_DRAWN_SHARE = 0.25
"""How long a weaker reader lets a nearer one go first: with 30 dB less some 0.6 s for an alarm, 15 s for anything else."""

_DB_PER_PERIOD = 5.0
_PERIODS = 10.0
"""A visit without a reason: each 5 dB less make the pause between two of them longer by one period, up to twenty minutes."""


class Calls:
    """Decides for one gateway. `shared`: other readers hear the same tags, and one call on each is enough."""

    def __init__(self, tell: Callable[[Event], None], entropy: Callable[[int], bytes], *, shared: bool) -> None:
        self._tell = tell
        self._entropy = entropy
        self._shared = shared

    def consider(self, enrolled: Enrolled, address: str, flags: int, now: float) -> None:
        """A heartbeat with these state flags has come: call where there is a reason."""
        since_s = now - enrolled.contact_at
        reason = (
            (flags & _PENDING and now >= enrolled.collect_again_at)
            or (flags & _ASKS and since_s >= ASKED_AFTER_S)
            or since_s >= (self._period_s(enrolled) if self._shared else CONTACT_PERIOD_S)
            or enrolled.mailbox
            or enrolled.offset_s is None
        )
        if not reason:
            enrolled.wait_until = None  # another reader has been there
        else:
            self._call_in_turn(enrolled, address, now, alarm=bool(flags & frames.STATE_ALARM_PENDING))

    def alarmed(self, enrolled: Enrolled, address: str, now: float) -> None:
        """A heartbeat has told of an alarm that was not told before."""
        self._call_in_turn(enrolled, address, now, alarm=True)

    def _call_in_turn(self, enrolled: Enrolled, address: str, now: float, *, alarm: bool) -> None:
        if not self._shared or self._is_my_turn(enrolled, alarm, now):
            self.call(enrolled, address, now)

    def _period_s(self, enrolled: Enrolled) -> float:
        return CONTACT_PERIOD_S * min(1 + _weakness_db(enrolled) / _DB_PER_PERIOD, _PERIODS)

    def _is_my_turn(self, enrolled: Enrolled, alarm: bool, now: float) -> bool:
        if enrolled.wait_until is None or (alarm and enrolled.wait_until - now > _ALARM_S_PER_DB * 100):
            per_db = _ALARM_S_PER_DB if alarm else _ROUTINE_S_PER_DB
            drawn = 1 + _DRAWN_SHARE * (self._entropy(1)[0] / 255 - 0.5)
            enrolled.wait_until = now + _weakness_db(enrolled) * per_db * drawn
        return now >= enrolled.wait_until

    def call(self, enrolled: Enrolled, address: str, now: float) -> None:
        """Call, unless a call is under way or must wait."""
        if enrolled.link is None and not enrolled.in_call and now >= enrolled.call_again_at:
            enrolled.in_call = True
            enrolled.calling = address
            enrolled.wait_until = None
            self._tell(Connect(enrolled.tag, address))

    def moved(self, enrolled: Enrolled, address: str) -> None:
        """The tag is heard at this address: a call to another one is in vain."""
        if enrolled.calling not in (None, address):
            enrolled.calling = None
            self._tell(Abandon(enrolled.tag))

    def failed(self, enrolled: Enrolled, now: float) -> None:
        """The tag did not prove itself."""
        enrolled.in_call = False
        enrolled.calling = None
        enrolled.call_again_at = now + _pause_s(enrolled.failures, _RECONNECT_LONGEST_S)
        enrolled.failures += 1

    def abandoned(self, enrolled: Enrolled) -> None:
        """Nobody's failure."""
        enrolled.in_call = False
        enrolled.calling = None

    def proved(self, enrolled: Enrolled, now: float) -> None:
        """The tag has proved itself, whoever called."""
        enrolled.contact_at = now
        enrolled.failures = 0
        enrolled.call_again_at = now

    def unanswered(self, enrolled: Enrolled, now: float) -> None:
        """It brought records, and nobody further up had an answer."""
        enrolled.collect_again_at = now + _pause_s(enrolled.unanswered, CONTACT_PERIOD_S)
        enrolled.unanswered += 1

    def answered(self, enrolled: Enrolled, now: float) -> None:
        """There was something for it."""
        enrolled.unanswered = 0
        enrolled.collect_again_at = now


def _weakness_db(enrolled: Enrolled) -> float:
    return 0.0 if enrolled.rssi_dbm is None else max(_STRONG_DBM - enrolled.rssi_dbm, 0.0)


def _pause_s(times: int, longest_s: float) -> float:
    """The pause after something has failed `times` times before: doubling, up to a limit."""
    return min(_RECONNECT_S * (1 << min(times, _DOUBLINGS)), longest_s)
