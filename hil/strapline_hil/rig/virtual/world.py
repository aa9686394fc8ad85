"""What is wired to a virtual board: instruments' outputs on one side, the board's chips and pins on the other.

Its callbacks are called by the fakes' threads while the host's waits for the answer that confirms its command.
"""

from collections.abc import Callable
from typing import NamedTuple

from strapline_hil.rig.file import RigFile
from strapline_hil.rig.parts import Contacts, MainsRelay, StrapDecade, StrapRelay
from strapline_simulator.board.wiring import Wiring
from strapline_simulator.world.battery import percent_at

OPEN_OHM = 1_000_000
_HEATED = {"skin": "skin_centi_c", "ambient": "ambient_centi_c"}

Switch = Callable[[bool], None]


class Happened(NamedTuple):
    """What an instrument did that concerns more than the tag's wires: `power` of the tag, `mains` of the base station."""

    what: str
    on: bool


class World:
    """Of one virtual rig. `wires` gives the board's wiring as it is now: a power cut makes it anew."""

    def __init__(self, file: RigFile, wires: Callable[[], Wiring]) -> None:
        self._wires = wires
        self._happened: list[Happened] = []
        self._nmea = b""
        self._is_open = False
        self._loops: dict[str, int] = {}
        self._switched: set[str] = set()
        self._steps_ohm: dict[int, int] = {}
        self._loop_ohm = wires().strap_ohm
        self.supplied_mv: int | None = None
        """What the supply gives; None: there is none, or none yet."""
        self.switches: dict[tuple[str, int], Switch] = {}
        """What each channel of each resource is wired to."""
        for part in file.instruments.values():
            self._wire(part)

    def take(self) -> list[Happened]:
        """What has happened since the last time."""
        happened, self._happened = self._happened, []
        return happened

    def settle(self) -> None:
        """What came in pieces has come whole: an epoch's sentences reach the board together."""
        nmea, self._nmea = self._nmea, b""
        if nmea:
            self._wires().gnss.epoch(nmea)

    # The wires, from the rig file.

    def _wire(self, part: object) -> None:
        match part:
            case StrapRelay():
                self._loops = {str(name): ohm for name, ohm in part.loops.items()}
                for name, channel in part.channels.items():
                    self.switches[part.on, channel] = self._cut if name == "open" else self._looper(name)
            case StrapDecade():
                self._loops = {"closed": part.base_ohm}
                self.switches[part.on, part.open] = self._cut
                for channel, ohm in part.steps.items():
                    self.switches[part.on, channel] = self._stepper(channel, ohm)
            case Contacts():
                for contact, channel in part.channels.items():
                    self.switches[part.on, channel] = self._contact(contact)
            case MainsRelay():
                self.switches[part.on, part.channel] = self._plug(on_at_rest=part.on_at_rest)
            case _:
                pass

    def relay(self, resource: str) -> Callable[[int, bool], None]:
        """For a fake's relays: what moves with each channel."""

        def move(channel: int, on: bool) -> None:
            switch = self.switches.get((resource, channel))
            if switch is not None:
                switch(on)

        return move

    # The strap.

    def loop_ohm(self) -> int | None:
        """As an instrument measures it; None where it is open."""
        return None if self._is_open else self._loop_ohm

    def _cut(self, is_open: bool) -> None:
        self._is_open = is_open
        self._wires().sense("strap_ohm", OPEN_OHM if is_open else self._loop_ohm)
        self._wires().strap_edge(is_open=is_open)

    def _looper(self, name: str) -> Switch:
        def switch(on: bool) -> None:
            (self._switched.add if on else self._switched.discard)(name)
            self._set_loop(self._loops[next(iter(self._switched), "closed")])

        return switch

    def _stepper(self, channel: int, ohm: int) -> Switch:
        def switch(on: bool) -> None:
            self._steps_ohm[channel] = ohm if on else 0
            self._set_loop(self._loops["closed"] + sum(self._steps_ohm.values()))

        return switch

    def _set_loop(self, ohm: int) -> None:
        self._loop_ohm = ohm
        if not self._is_open:
            self._wires().sense("strap_ohm", ohm)

    # What else touches the tag.

    def _contact(self, contact: str) -> Switch:
        if contact == "button":
            return lambda on: self._wires().button(pressed=on)
        return lambda on: self._wires().sense(contact, int(on))

    def heat(self, heater: str, centi_c: int) -> None:
        if heater in _HEATED:
            self._wires().sense(_HEATED[heater], centi_c)

    def move(self, rate_hz: int, vectors: bytes) -> None:
        """Samples; none of them: rest."""
        if vectors:
            self._wires().move(bytes([rate_hz]) + vectors)
        else:
            self._wires().motion.still()

    def nmea(self, data: bytes) -> None:
        """Bytes at the receiver's pin."""
        self._nmea += data

    # Power.

    def supply(self, milli_v: int, on: bool) -> None:
        """At the battery's clamps. The gauge reckons the charge from voltage and temperature."""
        was_on = bool(self.supplied_mv)
        self.supplied_mv = milli_v if on else 0
        if on:
            wires = self._wires()
            wires.sense("battery_mv", milli_v)
            wires.sense("battery_percent", percent_at(milli_v, wires.ambient.centi_c / 100))
        if on != was_on:
            self._happened.append(Happened("power", on))

    def _plug(self, *, on_at_rest: bool) -> Switch:
        return lambda on: self._happened.append(Happened("mains", on != on_at_rest))
