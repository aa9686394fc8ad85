"""The second half of a walk: each instrument does something to a worn, armed tag, and the tag must tell of it."""

from collections.abc import Callable, Iterator
from statistics import fmean
from typing import TypeVar

from strapline_hil.rig.file import RigFile
from strapline_hil.rig.parts import StrapDecade, StrapRelay
from strapline_hil.rig.session import RigSession
from strapline_hil.rig.walk.step import Step
from strapline_hil.verdict import BenchError

T = TypeVar("T")

_TELLS_WITHIN_S = 15.0
_ALTERED = 0.2
"""Of the loop's resistance: what the tag takes for another loop."""

_BATTERY_MV = 3900
_MEASURE_S = 10.0
_LEAST_MICRO_A, _MOST_MICRO_A = 1.0, 500_000.0
_LISTEN_S = 60.0
_LEAST_HEARD = 3
_CONTACTS = {
    "case_open": ("opens the case", "case_open", "case_closed"),
    "charging": ("puts it on the charger", "charging", "unplugged"),
    "immersed": ("bridges its water contacts", "immersed", "surfaced"),
}


class TagWalk:
    """Of one rig with a session on it."""

    def __init__(self, file: RigFile, session: RigSession) -> None:
        self._file = file
        self._session = session
        self._rig = session.rig

    def steps(self) -> Iterator[Step]:
        """In the order in which a person would look."""
        ways: dict[str, Callable[[], Iterator[Step]]] = {
            "strap": self._strap,
            "contacts": self._contacts,
            "heat": self._heat,
            "supply": self._supply,
            "meter": self._meter,
            "sniffer": self._sniffer,
            "mains": self._mains,
        }
        for role, way in ways.items():
            if self._rig.has(role):
                yield from way()

    def _strap(self) -> Iterator[Step]:
        strap = self._rig.strap
        yield self._told("strap", "opens the strap", strap.cut, "strap_open")
        yield self._told("strap", "closes it again", strap.mend, "strap_closed")
        for number, ohm in enumerate(_other_loops(self._file)):
            what, deed = f"makes the loop {ohm} Ω", self._loop(ohm)
            # The tag latches it: another one it does not tell.
            yield self._done("strap", what, deed) if number else self._told("strap", what, deed, "strap_altered")
        yield self._done("strap", "makes it as it was", self._loop(_closed_ohm(self._file)))

    def _loop(self, ohm: int) -> Callable[[], None]:
        return lambda: self._rig.strap.set_ohm(ohm)

    def _contacts(self) -> Iterator[Step]:
        contacts = self._rig.contacts
        there = getattr(contacts, "names", frozenset(_CONTACTS))
        for name in sorted(there & set(_CONTACTS)):
            what, begins, ends = _CONTACTS[name]
            yield self._told("contacts", what, lambda: contacts.set(name, on=True), begins)  # noqa: B023
            yield self._told("contacts", "and undoes it", lambda: contacts.set(name, on=False), ends)  # noqa: B023
        if "button" in there:
            yield self._done(
                "contacts", "presses the button, of which a tag without a message says nothing", self._press
            )

    def _press(self) -> None:
        self._rig.contacts.set("button", on=True)
        self._rig.contacts.set("button", on=False)

    def _heat(self) -> Iterator[Step]:
        yield self._done(
            "heat", "skin at 33 °C and surroundings at 22 °C, as measured", lambda: self._rig.heat.set(3300, 2200)
        )

    def _supply(self) -> Iterator[Step]:
        supply = self._rig.supply
        yield self._done("supply", f"{_BATTERY_MV} mV, as measured", lambda: supply.set_mv(_BATTERY_MV))

    def _meter(self) -> Iterator[Step]:
        what = f"the tag's current over {_MEASURE_S:.0f} s"
        try:
            micro_a = self._measured_micro_a()
        except BenchError as error:
            yield Step("meter", what, (str(error),))
            return
        if _LEAST_MICRO_A < micro_a < _MOST_MICRO_A:
            yield Step("meter", f"{what}: {micro_a:,.0f} µA")
        else:
            yield Step("meter", what, (f"{micro_a:,.1f} µA; is the tag's supply led through the meter?",))

    def _measured_micro_a(self) -> float:
        meter = self._rig.meter
        self._session.act(meter.start)
        self._session.sleep(_MEASURE_S)
        samples = self._session.act(meter.read)
        self._session.act(meter.stop)
        return fmean(sample.micro_a for sample in samples) if samples else 0.0

    def _sniffer(self) -> Iterator[Step]:
        heard = self._session.act(self._rig.sniffer.heard)
        self._session.sleep(_LISTEN_S)
        heard = self._session.act(self._rig.sniffer.heard)
        what = f"hears the tag at least {_LEAST_HEARD} times in {_LISTEN_S:.0f} s"
        if len(heard) < _LEAST_HEARD:
            yield Step(
                "sniffer", what, (f"{len(heard)} times; put its adapter nearer, and look whether it is the right one",)
            )
            return
        yield Step("sniffer", f"{what}: {len(heard)} times, {fmean(one.rssi_dbm for one in heard):.0f} dBm")

    def _mains(self) -> Iterator[Step]:
        if not self._file.is_virtual:
            what = "unplugs the base station and plugs it in; what it says, only you can see"
            yield self._done("mains", what, lambda: (self._rig.mains.off(), self._rig.mains.on()))  # type: ignore[func-returns-value]
            return
        for what, deed, word in (
            ("unplugs the base station", self._rig.mains.off, "mains_lost"),
            ("plugs it in", self._rig.mains.on, "mains_back"),
        ):
            yield self._noticed("mains", what, deed, word)

    # What is tried, and what came of it.

    def _done(self, where: str, what: str, deed: Callable[[], T]) -> Step:
        """The instrument confirms it."""
        try:
            self._session.act(deed)
        except BenchError as error:
            return Step(where, what, (str(error),))
        return Step(where, what)

    def _told(self, where: str, what: str, deed: Callable[[], T], code: str) -> Step:
        """The tag tells of it, too."""
        what = f"{what}; the tag tells `{code}` within {_TELLS_WITHIN_S:.0f} s"
        since_s = self._session.now_s
        step = self._done(where, what, deed)
        if not step.wrong and self._session.wait_for(code, _TELLS_WITHIN_S, since_s) is None:
            return step._replace(wrong=(f"it told nothing; look at the wires between {where} and tag",))
        return step

    def _noticed(self, where: str, what: str, deed: Callable[[], T], word: str) -> Step:
        """The base station tells of it, too."""
        what = f"{what}; the base station tells `{word}` within {_LISTEN_S:.0f} s"
        before = len(self._session.happenings)
        step = self._done(where, what, deed)
        if step.wrong:
            return step
        self._session.sleep(_LISTEN_S)
        if any(word in happening.text for happening in self._session.happenings[before:]):
            return step
        return step._replace(wrong=(f"it told nothing; look at the wires between {where} and base station",))


def _closed_ohm(file: RigFile) -> int:
    part = file.instruments["strap"]
    if isinstance(part, StrapRelay):
        return part.loops["closed"]
    return part.closed_ohm if isinstance(part, StrapDecade) else 1000


def _other_loops(file: RigFile) -> list[int]:
    """Those that the tag can tell from its own."""
    part = file.instruments["strap"]
    loops: list[int] = []
    if isinstance(part, StrapRelay):
        loops = [ohm for loop, ohm in part.loops.items() if loop in part.channels]
    elif isinstance(part, StrapDecade):
        loops = [part.base_ohm, part.base_ohm + sum(part.steps.values())]
    closed = _closed_ohm(file)
    return [ohm for ohm in loops if abs(ohm - closed) > _ALTERED * closed]
