"""The virtual rig: the product build on the virtual board, and instruments that act on that board's wires."""

from collections.abc import Callable

from strapline_hil.instruments.protocols import Instrument
from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.rig import Rig
from strapline_simulator.board.body import VirtualBoard
from strapline_simulator.board.wiring import Wiring
from strapline_simulator.world.battery import percent_at

_OPEN_OHM = 1_000_000

Wires = Callable[[], Wiring]
"""Those of the board as it is now: a power cut makes them anew."""


class _Direct:
    """An instrument without a driver yet."""

    def __init__(self, wires: Wires) -> None:
        self.name = type(self).__name__
        self._wires = wires

    def check(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class DirectStrap(_Direct):
    def __init__(self, wires: Wires) -> None:
        super().__init__(wires)
        self._ohm, self._is_cut = 1000, False

    def cut(self) -> None:
        self._is_cut = True
        self._wires().sense("strap_ohm", _OPEN_OHM)
        self._wires().strap_edge(is_open=True)

    def mend(self) -> None:
        self._is_cut = False
        self._wires().sense("strap_ohm", self._ohm)
        self._wires().strap_edge(is_open=False)

    def set_ohm(self, ohm: int) -> None:
        self._ohm = ohm
        if not self._is_cut:
            self._wires().sense("strap_ohm", ohm)


class DirectContacts(_Direct):
    def set(self, contact: str, on: bool) -> None:
        if contact == "button":
            self._wires().button(pressed=on)
        else:
            self._wires().sense(contact, int(on))


class DirectHeat(_Direct):
    def set(self, skin_centi_c: int, ambient_centi_c: int) -> None:
        self._wires().sense("skin_centi_c", skin_centi_c)
        self._wires().sense("ambient_centi_c", ambient_centi_c)


class DirectMotion(_Direct):
    def play(self, rate_hz: int, vectors: bytes) -> None:
        self._wires().move(bytes([rate_hz]) + vectors)


class DirectGnss(_Direct):
    def send(self, data: bytes) -> None:
        self._wires().gnss.epoch(data)


class DirectSupply(_Direct):
    def __init__(self, wires: Wires) -> None:
        super().__init__(wires)
        self._milli_v = 3900

    def set_mv(self, milli_v: int) -> None:
        self._milli_v = milli_v
        self._wires().sense("battery_mv", milli_v)
        self._wires().sense("battery_percent", percent_at(milli_v))

    def on(self) -> None:
        pass

    def off(self) -> None:
        pass

    def measured_mv(self) -> int:
        return self._milli_v


class VirtualHand(_Direct):
    """The key is held to the tag without anybody being asked."""

    def present_key(self, sealed: bytes) -> None:
        self._wires().key.hold(sealed)


def open_virtual(file: RigFile) -> RigBody:
    """The rig and its target as a `Body` of a simulation."""
    board = VirtualBoard()

    def wires() -> Wiring:
        return board.wiring

    made: dict[str, Callable[[Wires], Instrument]] = {
        "strap": DirectStrap,
        "contacts": DirectContacts,
        "heat": DirectHeat,
        "motion": DirectMotion,
        "gnss": DirectGnss,
        "supply": DirectSupply,
        "hand": VirtualHand,
    }
    instruments = {role: made[role](wires) for role in file.instruments if role in made}
    return RigBody(Rig(file, instruments), board, f"rig:{file.path}")
