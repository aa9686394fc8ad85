"""Ten thousand gateways and one broker: who connects when, after a restart and after a power failure, with the client's real back-off."""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple

from strapline_gateway.outbox import Outbox
from strapline_gateway.relay import WILL_DELAY_S, Relay
from strapline_gateway.station import Presence
from strapline_protocol.mqtt import MqttClient
from strapline_protocol.paho_link import BACKOFF_CAP_S, KEEPALIVE_S, back_off_s, start_pause_s
from strapline_simulator.chaos.timeline import EPOCH_S

GATEWAYS = 10_000

PEAK_LIMIT = 4.0
"""Of the connections of any second, over those of a second if all came evenly within `BACKOFF_CAP_S`."""

_CONNECT_S = 0.5
"""A connection takes so long, name and TLS included; all alike, which is the worst that can be for a stampede."""

_BOOT_S, _BOOT_SPREAD_S = 35.0, 2.0
"""All gateways are of one kind: they boot within a few seconds of each other. So are the routers that they hang on."""

Pause = Callable[[int, float], float]
"""As `back_off_s`."""


class Case(NamedTuple):
    """One event and what followed. The lists count by second, from the event on."""

    name: str
    connected: list[int]
    attempts: list[int]
    last_s: float
    """When the last gateway was connected again."""
    wills: list[int]
    """`lost` told by the broker."""
    back_at_s: float
    """When a broker was there (again)."""

    @property
    def peak(self) -> int:
        """Connections in the worst second; attempts on a broker that is down cost it nothing."""
        return max(self.connected)

    @property
    def peak_ratio(self) -> float:
        """The peak over an even spread within `BACKOFF_CAP_S`."""
        return self.peak / (GATEWAYS / BACKOFF_CAP_S)

    def summary(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "case": self.name,
            "peak_per_s": self.peak,
            "peak_ratio": round(self.peak_ratio, 2),
            "last_after_s": round(self.last_s - self.back_at_s, 1),
            "peak_attempts_per_s": max(self.attempts),
            "lost_told": sum(self.wills),
            "peak_lost_per_s": max(self.wills, default=0),
        }


def restart(down_s: float, pause_s: Pause = back_off_s, seed: int = 0) -> Case:
    """The broker goes, and takes all connections with it at once; `down_s` later it is back."""
    dice = Random(f"stampede/restart/{seed}")
    lives = [_attempts(0.0, down_s, pause_s, dice) for _ in range(GATEWAYS)]
    return _case(f"broker restart of {down_s:g} s", lives, [], down_s)


def power_failure(back_s: float, first_pause_s: Callable[[float, float], float] = start_pause_s, seed: int = 0) -> Case:
    """A city is dark for `back_s`, the broker elsewhere is not: gateways vanish without a word, and all boot in the same seconds."""
    dice = Random(f"stampede/power/{seed}")
    # The broker misses a client one and a half keep-alives after its last packet (MQTT 5, 3.1.2.10), and tells the will later still.
    missed = [1.5 * KEEPALIVE_S - dice.random() * KEEPALIVE_S + WILL_DELAY_S for _ in range(GATEWAYS)]
    lives = []
    for _ in range(GATEWAYS):
        up_s = max(1.0, dice.gauss(_BOOT_S, _BOOT_SPREAD_S))
        lives.append([back_s + up_s + first_pause_s(up_s, dice.random()) + _CONNECT_S])
    wills = [at for at, (connected,) in zip(missed, lives, strict=True) if at < connected]
    return _case(f"power failure of {back_s:g} s", lives, wills, back_s + _BOOT_S)


def _attempts(lost_at: float, down_until: float, pause_s: Pause, dice: Random) -> list[float]:
    """When this gateway tried; the last time it was connected."""
    tried: list[float] = []
    at, failures = lost_at, 0
    while not tried or tried[-1] < down_until:
        failures += 1
        at += pause_s(failures, dice.random()) + _CONNECT_S
        tried.append(at)
    return tried


def _case(name: str, lives: Sequence[Sequence[float]], wills: Sequence[float], back_at: float) -> Case:
    return Case(
        name=name,
        connected=_by_second([life[-1] for life in lives]),
        attempts=_by_second([at for life in lives for at in life]),
        last_s=max(life[-1] for life in lives),
        wills=_by_second(wills),
        back_at_s=back_at,
    )


def _by_second(times: Sequence[float]) -> list[int]:
    counted = Counter(int(at) for at in times)
    return [counted[second] for second in range(max(counted, default=-1) + 1)]


def all_cases() -> list[Case]:
    """What is published."""
    return [
        *(restart(down_s) for down_s in (1.0, 5.0, 15.0, 30.0, 120.0, 600.0)),
        power_failure(60.0),
        power_failure(600.0),
    ]


def relay_profile(backlog: int, seed: int = 0, horizon_s: float = 120.0) -> list[float]:
    """When a real relay publishes after it has been connected (s): its state, and what its outbox held; no receipt comes."""
    return _Rehearsal(f"{0x6A7E0001 + seed:08x}", backlog).run(horizon_s)


class _Rehearsal:
    """A relay and an outbox on a clock of their own, a broker that acknowledges in 50 ms, and a centre that is overwhelmed."""

    def __init__(self, ident: str, backlog: int) -> None:
        self._now = 0.0
        self._published: list[float] = []
        self._pubacks: deque[tuple[float, int]] = deque()
        self._outbox = Outbox(":memory:")
        client: MqttClient = self  # type: ignore[assignment] # the relay only publishes
        self._relay = Relay(
            ident,
            bytes(32),
            self._outbox,
            client,
            utc=lambda: datetime.fromtimestamp(EPOCH_S + self._now, UTC),
            clock=lambda: self._now,
            on_command=lambda _tag, _sealed: None,
            entropy=bytes,
        )
        for _ in range(backlog):
            self._relay.keep(Presence("7a900001", True, -60))

    def publish(self, _topic: str, _payload: bytes, *, retain: bool = False, expiry_s: int | None = None) -> int:
        """As `MqttClient.publish`."""
        del retain, expiry_s
        self._published.append(self._now)
        self._pubacks.append((self._now + 0.05, len(self._published)))
        return len(self._published)

    def run(self, horizon_s: float) -> list[float]:
        """Until then, from the connection on."""
        self._relay.mqtt_connected()
        while (at := self._next()) <= horizon_s:
            self._now = max(self._now, at)
            while self._pubacks and self._pubacks[0][0] <= self._now:
                self._relay.mqtt_published(self._pubacks.popleft()[1])
            self._relay.publish_due()
        self._outbox.close()
        return self._published

    def _next(self) -> float:
        deadline = self._relay.next_deadline()
        puback = self._pubacks[0][0] if self._pubacks else float("inf")
        if deadline is not None and deadline <= self._now:
            deadline = self._now + 0.01
        return min(puback, float("inf") if deadline is None else deadline)


def messages(case: Case, backlog: int, profiles: int = 20) -> list[int]:
    """Messages at the broker by second, where each gateway held `backlog` records: connections of `case`, each followed by a profile."""
    share = [relay_profile(backlog, seed) for seed in range(profiles)]
    counted: Counter[int] = Counter()
    for second, gateways in enumerate(case.connected):
        for times in share:
            for at in times:
                counted[int(second + 0.5 + at)] += gateways
    return [round(counted[second] / profiles) for second in range(max(counted) + 1)]
