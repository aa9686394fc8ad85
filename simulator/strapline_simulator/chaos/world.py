"""One world: wearers with real tags, gateways in processes of their own, a broker, the real centre; and the faults that befall them."""

import hashlib
from pathlib import Path
from random import Random
from typing import NamedTuple

from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_simulator.chaos.base import Air, Base, Shared
from strapline_simulator.chaos.broker import STOCK_QUEUE, Broker, Weather
from strapline_simulator.chaos.monitoring import MonitoringCentre
from strapline_simulator.chaos.plan import DAY_S, HOUR_S, MINUTE_S, Plan
from strapline_simulator.chaos.process import Nursery
from strapline_simulator.chaos.timeline import Timeline
from strapline_simulator.chaos.wearer import Wearer
from strapline_tag import outputs

HOME, INGRESS = "6a7e0001", "6a7e00ce"

_STRAP_SHARE = 0.25
"""Of what happens is no fault, but a strap that opens or closes."""

_LOOK_S = 30.0
_RECOVERY_LIMIT_S = 12 * HOUR_S


class Fault(NamedTuple):
    """Something was broken from then till then."""

    name: str
    begin: float
    end: float


class World:
    """Everything that a run consists of. A context manager."""

    def __init__(self, plan: Plan, folder: Path, nursery: Nursery) -> None:
        self.plan = plan
        seed = f"chaos/{plan.seed}"
        self.timeline = Timeline()
        self._dice = Random(f"{seed}/world")
        self.weather = Weather()
        self.broker = Broker(self.timeline, Random(f"{seed}/broker"), self.weather)
        self.broker.queue_limit = plan.queue_limit
        self.air = Air()
        self.digest = hashlib.sha256()
        shared = Shared(self.timeline, Random(f"{seed}/air"), self.broker, self.air, nursery, self.digest, folder, seed)
        self.faults: list[Fault] = []
        self._mending: dict[str, float] = {}
        self.wearers = {w.ident: w for w in (self._wearer(number) for number in range(plan.tags))}
        shares = tuple(gateway_keys(w.ident, w.secret) for w in self.wearers.values())
        bearers = {HOME: outputs.BLE, INGRESS: outputs.CELLULAR}
        self.bases = {ident: Base(shared, ident, bearer, shares, self.wearers) for ident, bearer in bearers.items()}
        if not plan.ingress:
            del self.bases[INGRESS]
        tags = [centre_keys(w.ident, w.secret) for w in self.wearers.values()]
        self.centre = MonitoringCentre(shared, tags, {ident: base.key for ident, base in self.bases.items()})
        self._open: dict[str, bool] = dict.fromkeys(self.wearers, False)

    def _wearer(self, number: int) -> Wearer:
        ident = f"7a9{number + 1:05x}"
        seed = f"chaos/{self.plan.seed}"
        secret = hashlib.sha256(f"{seed}/secret/{ident}".encode()).digest()[:16]
        settings = {"away_fix_s": 600, "journal_bytes": self.plan.journal_bytes, "journal_block_bytes": 512}
        if self.plan.journal_bytes <= 8192:
            settings["away_fix_s"] = 60  # it shall be full now and then
        settings |= dict(self.plan.settings)
        if self.plan.journal_bytes > 8192:
            settings["journal_block_bytes"] = 4096
        wearer = Wearer(self.timeline, ident, secret, seed, settings)
        wearer.on_advertise = lambda address, data: self._advertised(wearer, address, data)
        wearer.on_send = lambda bearer, data: self._sent(wearer, bearer, data)
        wearer.on_dial = lambda: self.timeline.after(2.0, self._dialled, wearer)
        wearer.on_hang_up = lambda bearer: self._hung_up(wearer, bearer)
        return wearer

    # Tags and gateways.

    def _advertised(self, wearer: Wearer, address: str, data: bytes) -> None:
        self.digest.update(f"{self.timeline.now_ms} {wearer.ident} ".encode() + data)
        self.bases[HOME].hear(address, data)

    def _sent(self, wearer: Wearer, bearer: int, data: bytes) -> None:
        for base in self.bases.values():
            if base.bearer == bearer and (line := base.line_of(wearer)) is not None:
                line.send(data, up=True)

    def _dialled(self, wearer: Wearer) -> None:
        ingress = self.bases.get(INGRESS)
        if ingress is None or not ingress.alive or not self.air.coverage or ingress.line_of(wearer):
            wearer.link_down(outputs.CELLULAR)
        elif wearer.tag is not None:
            ingress.open_line(wearer, None)

    def _hung_up(self, wearer: Wearer, bearer: int) -> None:
        for base in self.bases.values():
            if base.bearer == bearer and (line := base.line_of(wearer)) is not None:
                self.timeline.after(0.02, line.cut)

    # A run.

    def begin(self) -> None:
        """All is switched on, and the tags are armed."""
        self.timeline.add(self.centre)
        for base in self.bases.values():
            self.timeline.add(base)
            base.start()
        for wearer in self.wearers.values():
            self.timeline.add(wearer)
            wearer.start()
        self.timeline.run(5)
        for wearer in self.wearers.values():
            wearer.present_key(self.centre.centre.issue_arm(wearer.ident, 7))
        self.timeline.run(60)

    def live_through(self) -> None:
        """Faults, and straps that open in the middle of them."""
        end = self.timeline.now + self.plan.duration_s
        while True:
            at = self.timeline.now + self._dice.expovariate(1 / self.plan.pause_s)
            if at >= end:
                break
            self.timeline.run(at)
            if self._dice.random() < _STRAP_SHARE:
                self._pull_a_strap()
            else:
                self._break(self._dice.choice(self.plan.faults))
        self.timeline.run(end)

    def recover(self) -> float:
        """All is mended; until nothing waits any more. Gives how long that took, or the limit."""
        self.mend_everything()
        begun = self.timeline.now
        while self.timeline.now < begun + _RECOVERY_LIMIT_S and not self.at_rest:
            self.timeline.run(self.timeline.now + _LOOK_S)
        took_s = self.timeline.now - begun
        self.timeline.run(self.timeline.now + _LOOK_S)
        return took_s

    @property
    def at_rest(self) -> bool:
        """No tag and no outbox holds anything."""
        for base in self.bases.values():
            base.tell("status")
        held = sum(base.status[0] for base in self.bases.values())
        return held == 0 and all(w.tag is not None and not len(w.tag.journal) for w in self.wearers.values())

    def close(self) -> None:
        """End every process and file."""
        for base in self.bases.values():
            base.end()
        self.centre.stop()

    def _pull_a_strap(self) -> None:
        ident = self._dice.choice(sorted(self._open))
        self._open[ident] = not self._open[ident]
        self.wearers[ident].pull_strap(is_open=self._open[ident])

    # One thing at a time, for those who write the story themselves.

    def cut_off(self, base: Base) -> None:
        """A gateway without a broker, until `join`."""
        base.line_cut = True
        base.lose_mqtt("the line is cut")

    def join(self, base: Base) -> None:
        """The line is there again, and the client's next attempt finds it; that attempt is now."""
        base.line_cut = False
        base.dial_now()

    def walk_out(self) -> None:
        """All wearers leave the reach of the home's gateway."""
        self.air.in_reach = False
        for line in list(self.bases[HOME].lines.values()):
            line.cut()

    def walk_in(self) -> None:
        """They come home."""
        self.air.in_reach = True

    def pull_strap(self, *, is_open: bool) -> None:
        """All straps."""
        for wearer in self.wearers.values():
            wearer.pull_strap(is_open=is_open)

    # Faults.

    def _break(self, fault: str) -> None:
        if self.timeline.now < self._mending.get(fault, 0.0):
            return
        base = self.bases[self._dice.choice(sorted(self.bases))]
        breaks = {
            "kill": self._kill,
            "kill at work": self._kill_at_work,
            "mqtt cut": self._cut_mqtt,
            "clock jump": self._jump_clock,
            "disk full": self._fill_disk,
        }
        if fault in breaks:
            breaks[fault](base)
        else:
            getattr(self, "_" + fault.replace(" ", "_"))()

    def _lasting(self, fault: str, mean_s: float) -> float:
        """How long; in long runs also long ones."""
        scale = 1.0 if self.plan.duration_s <= 2 * HOUR_S else self.plan.duration_s / (6 * HOUR_S) + 1
        seconds = min(self._dice.expovariate(1 / (mean_s * scale)) + 0.5, DAY_S)
        self.faults.append(Fault(fault, self.timeline.now, self.timeline.now + seconds))
        self._mending[fault] = self.timeline.now + seconds
        return seconds

    def _kill(self, base: Base) -> None:
        if base.alive:
            down_s = self._lasting("kill", 10)
            base.kill()
            self.timeline.after(down_s, base.start)

    def _kill_at_work(self, base: Base) -> None:
        # Between one step of the database and many: what it does when it happens is up to what has to be done then.
        if base.alive:
            base.order_death(int(10 ** self._dice.uniform(0, 2.8)))
            wait_s = self._dice.expovariate(1 / 60)
            self.timeline.after(wait_s, self._kill_if_alive, base, base.lives)
            down_s = wait_s + self._dice.expovariate(1 / 10)
            self.faults.append(Fault("kill at work", self.timeline.now, self.timeline.now + down_s + 0.5))
            self.timeline.after(down_s + 0.5, base.start)

    def _kill_if_alive(self, base: Base, life: int) -> None:
        if base.lives == life:
            base.kill()

    def _broker_restart(self, *, forget: bool = False) -> None:
        if not self.broker.running:
            return
        down_s = self._lasting("broker forgets" if forget else "broker restart", 20)
        self.broker.stop(forget=forget)
        for base in self.bases.values():
            self.timeline.after(self._dice.uniform(0, 2), base.lose_mqtt, "the broker went away")
        self.timeline.after(down_s, self._broker_back)

    def _broker_forgets(self) -> None:
        self._broker_restart(forget=True)

    def _broker_back(self) -> None:
        self.broker.start()
        self.timeline.after(self._dice.uniform(0.1, 5), self.centre.connect)

    def _cut_mqtt(self, base: Base) -> None:
        # The line is dead for a while before the client notices, as without a FIN.
        noticed_s = self._dice.choice((0.1, self._dice.uniform(1, 45)))
        down_s = noticed_s + self._lasting("mqtt cut", 30)
        self.faults.append(Fault("mqtt cut", self.timeline.now, self.timeline.now + down_s))
        base.line_cut = True
        self.broker.disconnect(base.ident)
        self.timeline.after(noticed_s, base.lose_mqtt, "the line is cut")
        self.timeline.after(down_s, setattr, base, "line_cut", False)

    def _link_cut(self) -> None:
        self.faults.append(Fault("link cut", self.timeline.now, self.timeline.now + 0.001))
        for base in self.bases.values():
            for line in list(base.lines.values()):
                line.cut()

    def _out_of_reach(self) -> None:
        self.walk_out()
        self.timeline.after(self._lasting("out of reach", 10 * MINUTE_S), self.walk_in)

    def _no_coverage(self) -> None:
        self.air.coverage = False
        if INGRESS in self.bases:
            for line in list(self.bases[INGRESS].lines.values()):
                line.cut()
        self.timeline.after(self._lasting("no coverage", 5 * MINUTE_S), setattr, self.air, "coverage", True)

    def _centre_away(self) -> None:
        self.centre.reachable = False
        self.centre.leave()
        self.timeline.after(self._lasting("centre away", 5 * MINUTE_S), self._centre_back)

    def _centre_back(self) -> None:
        self.centre.reachable = True
        self.centre.connect()

    def _centre_restart(self) -> None:
        self.faults.append(Fault("centre restart", self.timeline.now, self.timeline.now + 0.001))
        self.centre.stop()
        self.centre.start()

    def _jump_clock(self, base: Base) -> None:
        self.faults.append(Fault("clock jump", self.timeline.now, self.timeline.now + 0.001))
        base.clock_off_s = self._dice.choice((0.0, self._dice.uniform(-12, 12) * HOUR_S, self._dice.uniform(-60, 60)))

    def _fill_disk(self, base: Base) -> None:
        if base.alive:
            base.tell("disk", True)
            self.timeline.after(self._lasting("disk full", 2 * MINUTE_S), base.tell, "disk", False)

    def _rough_delivery(self) -> None:
        self.weather.jitter_s, self.weather.doubling = self._dice.uniform(0.5, 5), self._dice.uniform(0.05, 0.5)
        self.timeline.after(self._lasting("rough delivery", 5 * MINUTE_S), self._smooth_delivery)

    def _smooth_delivery(self) -> None:
        self.weather.jitter_s = self.weather.doubling = 0.0

    def _radio_loss(self) -> None:
        self.air.loss, self.air.corruption = self._dice.uniform(0.2, 0.9), self._dice.uniform(0, 0.1)
        self.timeline.after(self._lasting("radio loss", 3 * MINUTE_S), self._clear_radio)

    def _clear_radio(self) -> None:
        self.air.loss, self.air.corruption = 0.05, 0.0

    def _tag_power_cut(self) -> None:
        wearer = self.wearers[self._dice.choice(sorted(self.wearers))]
        if wearer.tag is None:
            return
        wearer.cut_power()
        for base in self.bases.values():
            if (line := base.line_of(wearer)) is not None:
                line.cut()
        self.timeline.after(self._lasting("tag power cut", 20), self._tag_power_back, wearer)

    def _tag_power_back(self, wearer: Wearer) -> None:
        if wearer.tag is None:
            wearer.start()

    def mend_everything(self) -> None:
        """From now on nothing fails."""
        now = self.timeline.now
        self.faults = [fault._replace(end=min(fault.end, now)) for fault in self.faults]
        self._smooth_delivery()
        self._clear_radio()
        self.air.in_reach = self.air.coverage = True
        self.broker.queue_limit = STOCK_QUEUE
        if not self.broker.running:
            self.broker.start()
        for wearer in self.wearers.values():
            self._tag_power_back(wearer)
        for base in self.bases.values():
            base.line_cut = False
            base.clock_off_s = 0.0
            base.kill_if_doomed()
            base.start()
            base.tell("disk", False)
        self._centre_back()
