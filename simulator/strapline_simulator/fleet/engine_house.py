"""One home, whole: tags, base station, cellular ingress and centre, each the real one, on one agenda."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from strapline_centre.centre import Person
from strapline_protocol.keys import GatewayKeys, centre_keys, gateway_keys
from strapline_protocol.profiles import PROFILES, Mode
from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_base import Base
from strapline_simulator.fleet.engine_centre import CentreUnit
from strapline_simulator.fleet.engine_lines import Modem
from strapline_simulator.fleet.engine_post import Ends, Post
from strapline_simulator.fleet.engine_receiver import AgendaReceiver
from strapline_simulator.fleet.engine_tag import TagUnit
from strapline_simulator.fleet.engine_verbs import VERBS, carry_out
from strapline_simulator.fleet.engine_wearer import Wearer
from strapline_simulator.fleet.fold import Folder
from strapline_simulator.fleet.spec import HomeSpec, Stimulus, TagSpec
from strapline_simulator.world.house import READ_EVERY_S, House

BATTERY_H = 36.0
"""How long a base station lives without mains: SCRAM 48 h, others 24 h."""


class Home:
    """Begins at 0 of the agenda."""

    def __init__(self, spec: HomeSpec, agenda: Agenda) -> None:
        self.spec = spec
        self.agenda = agenda
        self.zone = ZoneInfo(spec.zone)
        self._seed = f"{spec.seed}/{spec.number}"
        self._start_s = spec.start.timestamp()
        self._house = House(BATTERY_H)
        self._house_reads = False
        self._line_up = self._broker_up = True
        self._secrets = {tag.ident: self._draw(f"secret/{tag.ident}", 16) for tag in spec.tags}
        self.units: list[TagUnit] = []
        self.modems: dict[str, Modem] = {}
        self.receivers: dict[str, AgendaReceiver] = {}
        self._make_chain()
        for tag in spec.tags:
            self._make_tag(tag)
        self.folder = Folder(self, self._seed) if spec.fold else None
        if self.folder is not None:
            self.base.before_timer = self.folder.keep_air
        self.base.post.connect()
        self.ingress.post.connect()
        self.centre.start()

    def _draw(self, purpose: str, size: int) -> bytes:
        return hashlib.sha256(f"strapline/{self._seed}/{purpose}".encode()).digest()[:size]

    def utc(self) -> datetime:
        return self.centre.utc()

    def _utc_s(self) -> float:
        return self._start_s + self.agenda.now_ms / 1000

    # Making it.

    def _make_chain(self) -> None:
        spec, agenda = self.spec, self.agenda
        names = f"6a{spec.number & 0xFFFFFF:06x}", f"6c{spec.number & 0xFFFFFF:06x}"
        keys = {name: self._draw(f"gateway/{name}", 32) for name in names}
        persons = [Person(centre_keys(tag.ident, self._secrets[tag.ident])) for tag in spec.tags]
        self.centre = CentreUnit(agenda, spec.start, persons, keys, Random(f"{self._seed}/centre").randbytes)
        shares = {tag.ident: gateway_keys(tag.ident, self._secrets[tag.ident]) for tag in spec.tags}
        here = [shares[tag.ident] for tag in spec.tags if _settings(tag).get("mode") != Mode.SATELLITE]
        self.base = self._make_base(names[0], here, home=True)
        self.ingress = self._make_base(names[1], list(shares.values()), home=False)
        self.heartbeat = self.base.hear
        self.ingress.on_ring = lambda tag: self.modems[tag].ring()

    def _make_base(self, name: str, keys: list[GatewayKeys], *, home: bool) -> Base:
        base = Base(self.agenda, name, keys, self._seed, self._utc_s, home=home)

        def command(tag: str, sealed: bytes) -> None:
            if (unit := base.units.get(tag)) is not None and unit.folded is not None:
                if unit.folded.takes(sealed):
                    return
                unit.unfold()
            base.station.send_command(tag, sealed, self.agenda.now_ms / 1000)
            base.drain()

        journal = int.from_bytes(self._draw(f"journal/{name}", 4), "big")
        base.post = Post(self.agenda, name, journal, Ends(self.centre.receive, command, self.utc))
        self.centre.posts[name] = base.post
        return base

    def _make_tag(self, tag: TagSpec) -> None:
        seed = f"{self._seed}/{tag.ident}"
        wearer = Wearer(self.spec.home, Random(f"{seed}/wearer"))
        unit = TagUnit(self.agenda, tag, self._secrets[tag.ident], seed, wearer, self, _settings(tag))
        self.units.append(unit)
        self.ingress.units[tag.ident] = unit
        if unit.config.mode != Mode.SATELLITE:  # that has no base station
            self.base.units[tag.ident] = unit
        self.modems[tag.ident] = Modem(self.ingress, unit)
        self.receivers[tag.ident] = AgendaReceiver(unit, self.utc, Random(f"{seed}/sky"))
        for stimulus in tag.stimuli:
            if stimulus.verb not in VERBS:
                raise ValueError(f"{stimulus.verb!r} is no verb of a life; there are {', '.join(VERBS)}")
        self._enter_life(unit, iter(tag.stimuli))

    def _enter_life(self, unit: TagUnit, left: Iterator[Stimulus]) -> None:
        """One stimulus after the other: a month of them need not all stand in the agenda."""
        self._enter(unit, _next_of(unit, left), left)

    def _enter(self, unit: TagUnit, stimulus: Stimulus | None, left: Iterator[Stimulus]) -> None:
        if stimulus is not None:
            self.agenda.at(unit.next_stimulus_ms, self._happen, (unit, stimulus, left))

    def _happen(self, what: tuple[TagUnit, Stimulus, Iterator[Stimulus]]) -> None:
        unit, stimulus, left = what
        unit.unfold()
        following = _next_of(unit, left)
        carry_out(self, unit, stimulus)
        unit.arm()
        self._enter(unit, following, left)

    # What the tags' surroundings are.

    def dial(self, unit: TagUnit) -> None:
        self.modems[unit.ident].dial()

    def receiver(self, unit: TagUnit, *, on: bool) -> None:
        self.receivers[unit.ident].power(on)

    # What happens to the house.

    def line(self, *, up: bool) -> None:
        """The base station's line to the network."""
        self._line_up = up
        self._house.watch.feed_line(self.agenda.now_ms / 1000, up)
        self._connect()
        self._look_at_house()

    def broker(self, *, up: bool) -> None:
        self._broker_up = up
        self.centre.broker(up=up)
        self._connect()

    def mains(self, *, there: bool) -> None:
        """On its battery the base station lives for a day or two."""
        self._house.set_mains(self.agenda.now_ms / 1000, there)
        self._look_at_house()

    def shake(self, deviation_mg: int) -> None:
        """What the base station's accelerometer says of the past second."""
        self._house.watch.feed_motion(self.agenda.now_ms / 1000, deviation_mg)
        self._look_at_house()

    def _connect(self) -> None:
        up = self._broker_up
        at_home = up and self._line_up and self.base.is_on
        for post, is_up in ((self.base.post, at_home), (self.ingress.post, up)):
            if is_up:
                post.connect()
            elif post.connected and up:
                post.drop_line()
            elif post.connected:
                post.disconnect()  # a broker that is gone publishes no will

    def _look_at_house(self, _nothing: None = None) -> None:
        now_s, house = self.agenda.now_ms / 1000, self._house
        house.watch.handle_timer(now_s)
        house.read(now_s)
        notices = []
        while (notice := house.watch.next_event()) is not None:
            notices.append(notice)
        if notices and self.base.is_on:
            self.base.post.keep(list(notices))
        is_on = house.mains or house.percent(now_s) > 0
        if is_on != self.base.is_on:
            for unit in self.units:
                unit.unfold()
            self.base.switch(on=is_on)
            self._connect()
        is_at_rest = house.mains and house.percent(now_s) >= 100 and house.watch.next_deadline() is None
        if not (is_at_rest or self._house_reads):
            self._house_reads = True
            self.agenda.after(round(READ_EVERY_S * 1000), self._read_house)

    def _read_house(self, _nothing: None) -> None:
        self._house_reads = False
        self._look_at_house()


def _next_of(unit: TagUnit, left: Iterator[Stimulus]) -> Stimulus | None:
    """What happens to this tag next; it knows when."""
    stimulus = next(left, None)
    unit.next_stimulus_ms = 1 << 62 if stimulus is None else round(stimulus.t_s * 1000)
    return stimulus


def _settings(tag: TagSpec) -> dict[str, int]:
    """The profile's, and the tag's own before them."""
    profile = {setting.name.lower(): int(value) for setting, value in PROFILES[tag.profile].items()}
    return profile | dict(tag.settings)
