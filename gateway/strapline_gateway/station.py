"""The station: which tags are here, what they have to say, and when to call on them. Bytes and `now` in, events out; no radio inside.

It takes in and hands out; its parts decide: `roster` whose frame it is, `presence` who is here, `calls` whom to call on, `impostors` what
is no genuine life, `jamming` whether the air is free, `curfew` who should be at home.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping

from strapline_gateway.calls import ASKED_AFTER_S, CONTACT_PERIOD_S, Calls
from strapline_gateway.connection import CALLER_IDLE_S, CALLER_PROVE_WITHIN_S, IDLE_S, PROVE_WITHIN_S
from strapline_gateway.conversations import Conversations
from strapline_gateway.curfew import GRACE_S
from strapline_gateway.enrolment import Enrolled, Keyset
from strapline_gateway.events import (
    Abandon,
    Connect,
    Event,
    HangUp,
    Presence,
    Provisional,
    Record,
    Ring,
    TimeRequest,
    Transmit,
)
from strapline_gateway.impostors import TOLERANCE_S, Impostors
from strapline_gateway.jamming import AirWatch
from strapline_gateway.presence import LEAVE_AFTER_S, PresenceLimits, PresenceWatch
from strapline_gateway.range_test import RangeReport, RangeTest
from strapline_gateway.roster import Roster
from strapline_gateway.schedules import Schedules
from strapline_gateway.status import TagStatus, status_of
from strapline_protocol.definitions import State
from strapline_protocol.keys import GatewayKeys
from strapline_protocol.notices import Notice, NoticeCode
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError

__all__ = [
    "ASKED_AFTER_S",
    "CALLER_IDLE_S",
    "CALLER_PROVE_WITHIN_S",
    "CONTACT_PERIOD_S",
    "IDLE_S",
    "LEAVE_AFTER_S",
    "PROVE_WITHIN_S",
    "REPLAY_TOLERANCE_S",
    "Abandon",
    "Connect",
    "Event",
    "HangUp",
    "Presence",
    "PresenceLimits",
    "Provisional",
    "Record",
    "Ring",
    "Station",
    "TagStatus",
    "TimeRequest",
    "Transmit",
]

REPLAY_TOLERANCE_S = TOLERANCE_S
"""A heartbeat whose uptime is further off than this was recorded earlier and sent again."""

_USED = ("replayed", "too_old")


class Station:
    """One gateway's state machine.

    `gateway` is its id, `entropy(n)` gives n random bytes. `home` says whether its tags live here (a base station) or only pass
    through (the cellular ingress). Times are seconds on any clock that does not go back. `limits` say what counts as here. `utc_s()` is the
    wall clock, None while it cannot be trusted; without it no schedule is judged. `shared`: other readers hear the same tags.
    """

    def __init__(
        self,
        gateway: int,
        tags: Iterable[GatewayKeys],
        entropy: Callable[[int], bytes],
        *,
        home: bool,
        now: float = 0.0,
        limits: PresenceLimits | None = None,
        utc_s: Callable[[], float | None] | None = None,
        curfew_grace_s: int = GRACE_S,
        shared: bool = False,
    ) -> None:
        self._home = home
        self._roster = Roster()
        self._tags = self._roster.tags
        self._pseudonyms = self._roster.pseudonyms
        self.events: deque[Event] = deque()
        """What is told and not taken yet, the oldest first; `next_event` takes it."""
        tell = self.events.append
        self._calls = Calls(tell, entropy, shared=shared)
        self._presence = PresenceWatch(tell, PresenceLimits() if limits is None else limits)
        self._impostors = Impostors(tell)
        self._air = AirWatch(tell)
        self._schedules = Schedules(tell, self._presence, utc_s, curfew_grace_s)
        self._lines = Conversations(tell, gateway, entropy)
        self._connections = self._lines.connections
        self._range_tests: dict[str, RangeTest] = {}
        self.accepted = 0
        self.rejected: Counter[str] = Counter()
        for keys in tags:
            self.enrol(keys, now)

    def next_event(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def resume(self, slots: Mapping[str, int]) -> None:
        """Go on with the slots (tag: index) that `take_slots` gave before a restart; tags that are not ours are passed over."""
        self._roster.resume(slots)

    def take_slots(self) -> dict[str, int]:
        """The tags that were heard in a later slot since the last call, and the slot. Kept over a restart, they are found at once."""
        return self._roster.take_slots()

    # Who is ours.

    def enrol(self, keys: GatewayKeys, now: float, generation: int = 0) -> bool:
        """A tag of ours from now on; False where it is so already. Under other keys it is a tag made anew.

        `generation` where it has come under keys since it was provisioned that are not the provisioned ones.
        """
        if keys.tag in self._tags and not self._tags[keys.tag].keys.is_of(keys):
            self.withdraw(keys.tag)
        return self._roster.enrol(keys, now, generation) is not None

    def withdraw(self, tag: str) -> bool:
        """No tag of ours any more: it is forgotten, and what is open with it is closed. False where it was none."""
        enrolled = self._roster.withdraw(tag)
        if enrolled is None:
            return False
        self._presence.forget(enrolled)
        self._schedules.forget(tag)
        self._range_tests.pop(tag, None)
        self._lines.hang_up_tag(tag)
        if enrolled.calling is not None:
            self.events.append(Abandon(tag))
        return True

    def expect_keys(self, keys: GatewayKeys, generation: int, now: float) -> bool:
        """The tag may come under these keys from now on; the first genuine frame under them ends those of earlier generations.

        False where it is no tag of ours, and for keys that are over: whoever repeats an old message brings none of them back.
        """
        if keys.tag not in self._tags:
            self.rejected["unknown_tag"] += 1
            return False
        return self._roster.expect(keys, generation, now)

    def set_schedule(self, tag: str, revision: int, curfew: bytes, now: float) -> bool:
        """A tag's schedule to judge by, as in CURFEW, or none any more (empty). False for an old one and for a tag that is not ours.

        Raises `RemoteProtocolError` for bytes that a tag would refuse.
        """
        enrolled = self._tags.get(tag)
        if enrolled is None:
            self.rejected["unknown_tag"] += 1
            return False
        return self._schedules.set(enrolled, revision, curfew, self._is_away(enrolled), now)

    def status(self, now: float) -> list[TagStatus]:
        """Where things stand with each tag; no keys."""
        return [status_of(enrolled, self._presence.limits, now) for enrolled in self._tags.values()]

    # The radio.

    def receive_advertisement(self, address: str, rssi_dbm: int, data: bytes, now: float) -> None:
        """The service data of one advertisement. What is not ours or not genuine is counted in `rejected`."""
        self._air.worked_at = now
        try:
            kind, pseudonym = seal.peek(data)
            if kind != frames.HEARTBEAT:
                raise RemoteProtocolError("unexpected")
            self._take_heartbeat(address, rssi_dbm, data, pseudonym, now)
        except RemoteProtocolError as error:
            self.rejected[error.reason] += 1

    def _take_heartbeat(self, address: str, rssi_dbm: int, data: bytes, pseudonym: int, now: float) -> None:
        refusal = None
        for keys in self._pseudonyms.find(pseudonym, now):
            enrolled, before = keys.enrolled, keys.window.newest
            try:
                counter, body = seal.open_frame(data, keys.broadcast, keys.header, seal.UP, keys.window)
                heartbeat = frames.unpack_heartbeat(body)
            except RemoteProtocolError as error:
                if error.reason in _USED and self._impostors.used_counter(enrolled, keys, data, now):
                    self._calls.call(enrolled, address, now)
                refusal = error
                continue
            break
        else:
            raise refusal or RemoteProtocolError("unknown_tag")
        if keys is not enrolled.keys:
            self._renew(enrolled, keys)
        uptime_4s = heartbeat.uptime_4s
        if not enrolled.uptime_fits(uptime_4s, now, REPLAY_TOLERANCE_S):
            self._impostors.stale(enrolled, counter, uptime_4s, data, now)
            # A tag that has started again looks the same until it says so under a session key.
            self._calls.call(enrolled, address, now)
            raise RemoteProtocolError("delayed_replay")
        if self._pseudonyms.heard(keys, pseudonym, now):
            self._roster.moved(enrolled)
        self.accepted += 1
        self._impostors.accepted(enrolled, counter, uptime_4s, data, now)
        self._hear(enrolled, address, rssi_dbm, heartbeat, counter - before - 1, now)

    def _renew(self, enrolled: Enrolled, keys: Keyset) -> None:
        if self._roster.renew(enrolled, keys):
            self._impostors.renewed(enrolled)
            # What is open under the old keys may be anyone's who had them. The tag comes again under the new ones.
            self._lines.hang_up_old(enrolled)

    def _hear(
        self, enrolled: Enrolled, address: str, rssi_dbm: int, heartbeat: frames.Heartbeat, missed: int, now: float
    ) -> None:
        was_away = not enrolled.present
        self._presence.hear(enrolled, rssi_dbm, missed, now)
        self._air.hear(self._presence.count, now)
        if was_away and enrolled.present:
            self._schedules.judge(enrolled, self._is_away(enrolled), now)
        if (test := self._range_tests.get(enrolled.tag)) is not None:
            test.hear(rssi_dbm, missed, now)
        if enrolled.calling is not None:
            self._calls.moved(enrolled, address)
        flags = heartbeat.flags
        told, enrolled.told_alarm = enrolled.told_alarm, None
        if flags & frames.STATE_ALARM_PENDING:
            enrolled.told_alarm = alarm = heartbeat.newest_alarm
            if alarm != told:
                self.events.append(Provisional(enrolled.tag, alarm, State(flags)))
                enrolled.call_again_at = now
                self._calls.alarmed(enrolled, address, now)
                return
        self._calls.consider(enrolled, address, flags, now)

    def _is_away(self, enrolled: Enrolled) -> bool | None:
        """None while that cannot be known: the tag has not been heard since the start, or nobody can be."""
        if enrolled.heard_at == float("-inf") or self._air.jammed_since is not None:
            return None
        return not enrolled.present

    def receive_noise(self, noise_dbm: float, now: float) -> None:
        """What a receiver that can measure it finds on the advertising channels between frames; each ten seconds or oftener."""
        self._air.receive_noise(noise_dbm, now)

    def radio_works(self, now: float) -> None:
        """The radio has heard somebody, of ours or not: silence means something. That it was restarted shows nothing of the kind."""
        self._air.worked_at = now

    # The range test.

    def begin_range_test(self, tag: str, now: float) -> bool:
        """Listen to a tag that is carried from spot to spot. False where it is none of ours."""
        if tag not in self._tags:
            return False
        self._range_tests[tag] = RangeTest(tag, self._presence.limits, now)
        return True

    def begin_spot(self, tag: str, name: str, now: float, *, is_home: bool = True) -> None:
        """The walker stands at this spot; `is_home` False where the wearer may not be. KeyError without a test."""
        self._range_tests[tag].begin_spot(name, now, is_home=is_home)

    def end_spot(self, tag: str, now: float) -> None:
        """The walker goes on. KeyError without a test."""
        self._range_tests[tag].end_spot(now)

    def range_report(self, tag: str) -> RangeReport:
        """What the walk has shown so far. KeyError without a test."""
        return self._range_tests[tag].report()

    def end_range_test(self, tag: str, now: float) -> RangeReport:
        """The walk is over; the centre is told. KeyError without a test."""
        test = self._range_tests.pop(tag)
        test.end_spot(now)
        report = test.report()
        dead = sum(spot.is_dead for spot in report.spots if spot.is_home)
        detail = {"spots": len(report.spots), "dead_spots": dead}
        if report.proposed_reach_dbm is not None:
            detail["proposed_reach_dbm"] = report.proposed_reach_dbm
        self.events.append(Notice(NoticeCode.RANGE_TEST, tag, detail))
        return report

    # Calls.

    def call_failed(self, tag: str, now: float) -> None:
        """The connection that `Connect` asked for did not come about."""
        if (enrolled := self._tags.get(tag)) is not None:
            self._calls.failed(enrolled, now)

    def call_abandoned(self, tag: str) -> None:
        """The call that `Abandon` named is ended: nobody's failure, and the next heartbeat may bring another."""
        if (enrolled := self._tags.get(tag)) is not None:
            self._calls.abandoned(enrolled)

    # Links.

    def open_link(self, now: float, tag: str | None = None) -> int:
        """A connection stands; gives its number. `tag` where we called: until it has proved itself that is only a supposition."""
        if tag is not None and tag in self._tags:
            self._tags[tag].calling = None
        return self._lines.open(now, tag)

    def tag_of(self, link: int) -> str | None:
        """The tag that has proved itself on this link; None while nobody has."""
        connection = self._connections.get(link)
        return None if connection is None else connection.tag

    def close_link(self, link: int, now: float) -> None:
        """The connection is gone, whoever ended it."""
        connection = self._lines.close(link)
        enrolled = self._tags.get(connection.tag or "")
        if enrolled is not None:
            if enrolled.link == link:
                enrolled.link = None
            if connection.brought_records and not connection.took_commands:
                self._calls.unanswered(enrolled, now)
        called = self._tags.get(connection.called or "")
        if called is not None and called is not enrolled:
            self._calls.failed(called, now)
        elif called is not None:
            called.in_call = False

    def receive_data(self, link: int, data: bytes, now: float) -> None:
        """Bytes from a link, in any portions."""
        connection = self._connections.get(link)
        if connection is None:
            self.rejected["closed_link"] += 1
            return
        for frame in connection.frames(data, now):
            try:
                self._take(link, frame, now)
                self.accepted += 1
            except RemoteProtocolError as error:
                self.rejected[error.reason] += 1
        if connection.tag in self._tags:
            self._deliver(self._tags[connection.tag], now)  # an acknowledgement may have made room
        self._lines.transmit(link, now)

    def _take(self, link: int, frame: bytes, now: float) -> None:
        connection = self._connections[link]
        kind, pseudonym = seal.peek(frame)
        if kind == frames.HELLO:
            self._greet(link, frame, pseudonym, now)
            return
        before = connection.tag
        kind, body = connection.open(frame)
        assert connection.keys is not None
        enrolled = self._tags[connection.tag or ""]
        self._renew(enrolled, connection.keys)
        connection.active_at = now
        if enrolled.link != link:
            self._prove(enrolled, before, link, now)
        if kind == frames.REPLY:
            self._confirm(enrolled, frames.unpack_reply(body), pseudonym, now)
        elif kind == frames.RECORD:
            envelope = seal.peek_envelope(body)
            is_request = envelope.kind == frames.TIME_REQUEST
            connection.brought_records |= not is_request
            tag = enrolled.tag
            self.events.append(TimeRequest(tag, body) if is_request else Record(tag, envelope, body))
        else:
            raise RemoteProtocolError("unexpected")

    def _greet(self, link: int, frame: bytes, pseudonym: int, now: float) -> None:
        refusal = RemoteProtocolError("unknown_tag")
        for keys in self._pseudonyms.find(pseudonym, now):
            enrolled = keys.enrolled
            try:
                # Who is beyond the reach that counts as home is served, and not told that this is home.
                self._connections[link].greet(frame, enrolled.tag, keys, is_home=self._home and not enrolled.beyond)
            except RemoteProtocolError as error:
                refusal = error
                continue
            return
        raise refusal

    def _prove(self, enrolled: Enrolled, before: str | None, link: int, now: float) -> None:
        # Only a frame under the session key shows that HELLO was not an old recording.
        if before is not None and before != enrolled.tag and before in self._tags and self._tags[before].link == link:
            self._tags[before].link = None
        enrolled.link = link
        self._calls.proved(enrolled, now)
        self._deliver(enrolled, now)

    def _confirm(self, enrolled: Enrolled, reply: frames.Reply, pseudonym: int, now: float) -> None:
        offset_s = now - reply.uptime_s
        self._impostors.session(enrolled, reply.boot, offset_s, now)
        is_first = enrolled.offset_s is None
        enrolled.offset_s = offset_s
        if enrolled.boot not in (None, reply.boot):
            enrolled.told_alarm = None  # its journal begins anew, and so may the number of its alarm
        enrolled.boot = reply.boot
        if self._pseudonyms.heard(enrolled.keys, pseudonym, now):
            self._roster.moved(enrolled)
        if is_first:
            self._presence.prove(enrolled, now)

    # Downlink.

    def send_command(self, tag: str, sealed: bytes, now: float) -> bool:
        """A sealed command for a tag: sent at once where it is connected, else at its next contact.

        False where the tag is not ours, and for what no frame has room for.
        """
        enrolled = self._tags.get(tag)
        if enrolled is None or not self._lines.takes(sealed):
            self.rejected["unknown_tag" if enrolled is None else "oversized"] += 1
            return False
        enrolled.mailbox.append(sealed)
        self._deliver(enrolled, now)
        if enrolled.mailbox and not self._home and enrolled.link is None and self._lines.is_urgent(sealed):
            self.events.append(Ring(tag))
        return True

    def _deliver(self, enrolled: Enrolled, now: float) -> None:
        if enrolled.link is not None and self._lines.deliver(enrolled.link, enrolled.mailbox, now):
            self._calls.answered(enrolled, now)

    # Time.

    def next_deadline(self) -> float | None:
        parts = (self._lines, self._presence, self._schedules, self._air)
        return min([at for part in parts if (at := part.next_deadline()) is not None], default=None)

    def handle_timer(self, now: float) -> None:
        self._lines.handle_timer(now)
        self._air.handle_timer(now, self._tags.values())
        for enrolled in self._presence.handle_timer(now):
            self._schedules.judge(enrolled, self._is_away(enrolled), now)
        for tag in self._schedules.due(now):
            self._schedules.judge(self._tags[tag], self._is_away(self._tags[tag]), now)
