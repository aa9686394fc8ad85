"""What the verbs of a life do to a home. The rest of the engine knows nothing of lives."""

from collections.abc import Callable
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from strapline_centre.schedule import Schedule
from strapline_simulator.fleet.engine_centre import CentreUnit
from strapline_simulator.fleet.engine_lines import Modem
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.spec import Stimulus
from strapline_simulator.scenario.orders import CurfewOrder
from strapline_simulator.world.house import handling_mg
from strapline_simulator.world.shelter import SHELTERS, STEP_S, STREET_DBM

_KEY_ID = 0x00E1EC01
_NO_CELL_DBM = -140
_JAMMED = 200
"""What a receiver's jamming indicator says beside a jammer, of 255."""


class House(Protocol):
    """What a verb may reach of a home."""

    zone: ZoneInfo
    centre: CentreUnit
    modems: dict[str, Modem]

    def line(self, *, up: bool) -> None: ...

    def mains(self, *, there: bool) -> None: ...

    def broker(self, *, up: bool) -> None: ...

    def shake(self, deviation_mg: int) -> None: ...


def carry_out(house: House, unit: TagUnit, stimulus: Stimulus) -> None:
    """Now. Raises ValueError for a verb that is not known."""
    verb = VERBS.get(stimulus.verb)
    if verb is None:
        raise ValueError(f"{stimulus.verb!r} is no verb of a life; there are {', '.join(VERBS)}")
    unit.wearer.now = unit.agenda.now_ms
    verb(house, unit, stimulus.argument)
    unit.wearer.stir()


def _present_key(house: House, unit: TagUnit, which: str) -> None:
    centre = house.centre.centre
    if which not in ("arm", "disarm"):
        raise ValueError(f"present_key: {which!r} is neither 'arm' nor 'disarm'")
    sealed = (centre.issue_arm if which == "arm" else centre.issue_disarm)(unit.ident, _KEY_ID)
    unit.feed(unit.tag.feed_key, sealed)


def _go(_house: House, unit: TagUnit, to: tuple[float, float, float]) -> None:
    unit.wearer.path.go(unit.wearer.now_s, (to[0], to[1]), to[2])


def _track(_house: House, unit: TagUnit, track: Any) -> None:
    unit.wearer.path.follow(unit.wearer.now_s, tuple(track))


def _sky(_house: House, unit: TagUnit, sky: str) -> None:
    if sky not in ("open", "indoors", "none"):
        raise ValueError(f"sky: {sky!r} is none of open, indoors, none")
    unit.wearer.sky = sky


def _shelter(house: House, unit: TagUnit, name: str) -> None:
    unit.wearer.enter(name)
    _watch_coverage(house, unit)


def _cell(house: House, unit: TagUnit, there: bool) -> None:
    unit.wearer.coverage.go(unit.wearer.now_s, STREET_DBM if there else _NO_CELL_DBM, 0)
    _watch_coverage(house, unit)


def _watch_coverage(house: House, unit: TagUnit) -> None:
    modem, step_ms = house.modems[unit.ident], round(STEP_S * 1000)

    def look(_nothing: None = None) -> None:
        modem.look()
        if not unit.wearer.coverage.settled(unit.agenda.now_ms / 1000):
            unit.agenda.after(step_ms, look)

    look()


def _motion(_house: House, unit: TagUnit, name: str) -> None:
    unit.wearer.move(name)


def _surroundings(_house: House, unit: TagUnit, name: str) -> None:
    wearer = unit.wearer
    wearer.heat.surround(wearer.now_s, name)
    wearer.immersed = int(wearer.heat.wet)


def _ambient(_house: House, unit: TagUnit, ambient_c: float) -> None:
    unit.wearer.heat.set_ambient(unit.wearer.now_s, ambient_c)


def _limb(_house: House, unit: TagUnit, which: str) -> None:
    unit.wearer.heat.set_limb(unit.wearer.now_s, cold=which == "cold")


def _immerse(_house: House, unit: TagUnit, there: bool) -> None:
    unit.wearer.immersed = int(there)


def _charger(_house: House, unit: TagUnit, there: bool) -> None:
    unit.wearer.charge(on=there)


def _case(_house: House, unit: TagUnit, which: str) -> None:
    unit.wearer.case_open = int(which == "open")


def _cut_strap(_house: House, unit: TagUnit, _yes: bool) -> None:
    _edge(unit, is_open=True)


def _close_strap(_house: House, unit: TagUnit, _yes: bool) -> None:
    _edge(unit, is_open=False)


def _open_strap(_house: House, unit: TagUnit, for_s: float) -> None:
    _edge(unit, is_open=True)
    unit.agenda.after(round(for_s * 1000), lambda _nothing: _edge(unit, is_open=False))


def _edge(unit: TagUnit, *, is_open: bool) -> None:
    if unit.wearer.set_strap(is_open=is_open):
        unit.feed(unit.tag.feed_strap_edge, is_open)


def _take_off(_house: House, unit: TagUnit, _yes: bool) -> None:
    unit.wearer.heat.take_off(unit.wearer.now_s)


def _put_on(_house: House, unit: TagUnit, _yes: bool) -> None:
    unit.wearer.heat.put_on(unit.wearer.now_s)


def _strap_ohm(_house: House, unit: TagUnit, ohm: int) -> None:
    unit.wearer.set_loop(ohm)


def _curfew(house: House, unit: TagUnit, order: Any) -> None:
    wanted = order if isinstance(order, CurfewOrder) else CurfewOrder.model_validate(order)
    weekly = tuple(window for one in wanted.weekly for window in one.windows)
    once = tuple(one.value for one in wanted.once)
    house.centre.centre.send_curfew(unit.ident, Schedule(house.zone, (), weekly, once))
    house.centre.settle()


def _press_button(_house: House, unit: TagUnit, for_s: float) -> None:
    unit.feed(unit.tag.feed_button, True)
    unit.agenda.after(round(for_s * 1000), lambda _nothing: unit.feed(unit.tag.feed_button, False))


def _jammer(_house: House, unit: TagUnit, on: bool) -> None:
    """Somebody drowns the sky in noise; the receiver hears that."""
    wearer = unit.wearer
    wearer.jam = _JAMMED if on else 0
    wearer.sky = "none" if on else SHELTERS[wearer.shelter].sky


def _gateway_moved(house: House, unit: TagUnit, how: str) -> None:
    for second, deviation_mg in enumerate(handling_mg(how)):
        unit.agenda.after(second * 1000, house.shake, deviation_mg)


def _zones(house: House, unit: TagUnit, zones: Any) -> None:
    """Each: id, rule, tolerance and radius in m, corners in 1e-7 degree; as `Centre.set_zones` takes them."""
    house.centre.centre.set_zones(unit.ident, zones)
    house.centre.settle()


VERBS: dict[str, Callable[[House, TagUnit, Any], None]] = {
    "present_key": _present_key,
    "go": _go,
    "track": _track,
    "sky": _sky,
    "shelter": _shelter,
    "motion": _motion,
    "surroundings": _surroundings,
    "ambient": _ambient,
    "limb": _limb,
    "immerse": _immerse,
    "charger": _charger,
    "case": _case,
    "cut_strap": _cut_strap,
    "open_strap": _open_strap,
    "close_strap": _close_strap,
    "take_off": _take_off,
    "put_on": _put_on,
    "strap_ohm": _strap_ohm,
    "cell": _cell,
    "gateway_line": lambda house, _unit, up: house.line(up=up),
    "gateway_mains": lambda house, _unit, there: house.mains(there=there),
    "curfew": _curfew,
    "zones": _zones,
    "press_button": _press_button,
    "jammer": _jammer,
    "gateway_moved": _gateway_moved,
    "broker": lambda house, _unit, up: house.broker(up=up),
}
