"""What the centre tells a tag: documents, messages, orders, new keys. A part of `Centre`.

It goes through all gateways that have the tag's keys, since nobody knows which of them it meets next; the tag takes it once. It goes again
when the tag is heard without having answered, after a restart too.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, NamedTuple

from strapline_centre.database import LedgerDownError
from strapline_centre.ledger import Ledger
from strapline_centre.orders import OpenOrders, Order, seal
from strapline_centre.schedule import Schedule, curfew_document
from strapline_protocol.codes import Kind
from strapline_protocol.desk import Desk
from strapline_protocol.keys import CentreKeys
from strapline_protocol.rekeying import SALT_SIZE, next_generation, root_of
from strapline_wire.errors import LocalProtocolError

_NEWEST = "newest_identity"
_GIVEN = "given/"


class Person(NamedTuple):
    """What the centre knows of one monitored person: the tag's key and the schedule, no name."""

    keys: CentreKeys
    schedule: Schedule | None = None
    other_keys: tuple[CentreKeys, ...] = ()
    """Further keys of the same tag that its records may be sealed with: of before it was provisioned anew, say."""
    gateways: tuple[str, ...] | None = None
    """Ids of the gateways that hold this tag's keys: new keys go to them, and wait until each has them. None: all of the centre's."""
    judged_by: tuple[str, ...] = ()
    """Ids of the gateways that judge by the schedule themselves."""


class Telling:
    """`Centre` has the attributes named here."""

    desk: Desk
    ledger: Ledger
    orders: OpenOrders
    _persons: dict[str, Person]
    _gateways: tuple[str, ...]
    _utc: Callable[[], datetime]
    _entropy: Callable[[int], bytes]
    _newest: int
    """The last revision, or id of a message, over restarts too."""
    _judging: dict[str, set[str]]
    """The tags whose schedules each gateway judges by."""
    _scheduled: dict[str, int]
    """The start of each gateway in which it was last given its schedules by us."""
    _proved: dict[str, int]
    """The generation of keys that the ledger knows a tag to have come under, where it is not the provisioned one."""

    def commit(self, work: Callable[[], Any]) -> Any:
        raise NotImplementedError

    # Keys that a person carries.

    def issue_arm(self, tag: str, key_id: int) -> bytes:
        """The sealed ARM that an electronic key carries to this tag; it works once."""
        return self.desk.sealer(tag).arm(key_id, self._utc())

    def issue_disarm(self, tag: str, key_id: int) -> bytes:
        """The same for the end of monitoring."""
        return self.desk.sealer(tag).disarm(key_id, self._utc())

    # What a tag is told.

    def send_curfew(self, tag: str, schedule: Schedule | None = None) -> int:
        """Give the tag its wearer's schedule, or from now on this one; gives the revision. From then on the tag itself judges."""
        if schedule is not None:
            self._persons[tag] = self._persons[tag]._replace(schedule=schedule)
        kept = self._persons[tag].schedule
        if kept is None:
            raise LocalProtocolError("this wearer has no schedule", tag)
        revision = self._order(tag, Kind.CURFEW, kept.curfew(self._utc())._asdict())
        for gateway, tags in self._judging.items():
            if tag in tags:
                self.send_schedule(tag, gateway)
        return revision

    def send_config(self, tag: str, *, homes: Iterable[int] = (), settings: Iterable[Sequence[int]] = ()) -> int:
        """As `CommandSealer.config`; gives the revision. What was set before stays, but for `homes`: they are those given now."""
        chosen = [(int(setting), int(value)) for setting, value in settings]
        return self._order(tag, Kind.CONFIG, {"homes": tuple(homes), "settings": chosen})

    def send_message(self, tag: str, text: str, *, language: str = "", flags: int = 0, answer_within_s: int = 0) -> int:
        """As `CommandSealer.message`; gives the message's id."""
        more = {"language": language, "flags": flags, "answer_within_s": answer_within_s}
        return self._order(tag, Kind.MESSAGE, {"text": text, **more})

    def set_zones(self, tag: str, zones: Iterable[Sequence[Any]]) -> int:
        """As `CommandSealer.zones`; gives their revision."""
        return self._order(tag, Kind.ZONES, {"zones": tuple(zones)})

    def locate(self, tag: str, within_s: int) -> int:
        """Ask for a position now; gives the id under which the answer comes."""
        return self._order(tag, Kind.LOCATE, {"within_s": within_s})

    def send_schedule(self, tag: str, gateway: str) -> int:
        """Give a gateway the tag's schedule to judge by, now and whenever it starts anew; gives its revision."""
        kept = self._persons[tag].schedule
        if kept is None:
            raise LocalProtocolError("this wearer has no schedule", tag)
        revision = self._next_identity()
        document = curfew_document(revision, kept.curfew(self._utc()))

        def work() -> None:
            self._note_newest(revision)
            self.ledger.notes.put(f"{_GIVEN}{gateway}/{tag}", revision)

        self.commit(work)
        self._judging.setdefault(gateway, set()).add(tag)
        self.desk.send_schedule(tag, gateway, revision, document)
        return revision

    def take_schedule(self, tag: str, gateway: str) -> int:
        """From now on this gateway does not judge any more; gives the revision that says so."""
        revision = self._next_identity()
        self.commit(lambda: self._note_newest(revision))
        self._judging.get(gateway, set()).discard(tag)
        self.desk.send_schedule(tag, gateway, revision, b"")
        return revision

    def give_schedules(self, gateway: str) -> None:
        """All that this gateway is to judge by. What it was given once and is not to have now is taken back."""
        wanted = {tag for tag in self._judging.get(gateway, ()) if self._persons[tag].schedule is not None}
        for tag in sorted(wanted | self.ledger.notes.all(f"{_GIVEN}{gateway}/").keys()):
            (self.send_schedule if tag in wanted else self.take_schedule)(tag, gateway)

    def _follow_start(self, gateway: str, start: int) -> None:
        """A gateway is online. One that has started anew has no schedules; since we have, ours may be others."""
        if self._scheduled.get(gateway) != start:
            with suppress(LedgerDownError):  # its next beat shows it again
                self.give_schedules(gateway)
                self._scheduled[gateway] = start

    def _next_identity(self) -> int:
        # Unix time rises too, and a restored ledger knows less.
        newest = max(self._newest, self.orders.newest)
        return max(newest + 1, int(self._utc().timestamp())) & 0x7FFFFFFF

    def _note_newest(self, identity: int) -> None:
        self.ledger.notes.put(_NEWEST, identity)
        self._newest = identity

    def _order(self, tag: str, kind: Kind, parameters: dict[str, Any]) -> int:
        identity = self._next_identity()
        order = Order(kind, identity, parameters, self._utc())
        commands = seal(self.desk.sealer(tag), order)

        def work() -> None:
            self.orders.add(tag, order, self._utc())
            self._note_newest(identity)

        self.commit(work)
        for gateway in self._gateways_of(tag):
            self.desk.send(tag, gateway, *commands)
        return identity

    def _resume_newest(self) -> int:
        return int(self.ledger.notes.all(_NEWEST).get("", 0))

    def _say(self, tag: str, order: Order) -> None:
        sealed = seal(self.desk.sealer(tag), order)
        for gateway in self._gateways_of(tag):
            self.desk.send(tag, gateway, *sealed)

    def rekey(self, tag: str) -> int:
        """Begin to give a tag new keys; gives their generation. One that is under way already goes on instead of a further one."""
        known = self.rekeyings(tag)
        if known and not known[-1][2]:
            return known[-1][0]
        number, salt = len(known) + 1, self._entropy(SALT_SIZE)
        generation = next_generation(self.desk.keys(tag)[0], number, salt)
        self.ledger.begin_rekeying(tag, self._root(tag), number, salt)
        self.desk.rekey(generation, self._gateways_of(tag))
        return number

    def rekeyings(self, tag: str) -> list[tuple[int, bytes, bool]]:
        """As `Ledger.rekeyings`, since the tag was provisioned last."""
        return self.ledger.rekeyings(tag, self._root(tag))

    def _root(self, tag: str) -> str:
        return root_of(self._persons[tag].keys)

    def gateways_of(self, tag: str) -> tuple[str, ...]:
        """Those that have this tag's keys; none for a tag that is unknown here."""
        return self._gateways_of(tag) if tag in self._persons else ()

    def _gateways_of(self, tag: str) -> tuple[str, ...]:
        chosen = self._persons[tag].gateways
        return self._gateways if chosen is None else chosen

    def _resume_keys(self, tag: str) -> None:
        known = self.rekeyings(tag)
        newest = self._proved[tag] = max((number for number, _, proved in known if proved), default=0)
        for number, salt, proved in known:
            generation = next_generation(self.desk.keys(tag)[0], number, salt)
            self.desk.rekey(generation, self._gateways_of(tag) if number >= newest else (), proved=proved)
