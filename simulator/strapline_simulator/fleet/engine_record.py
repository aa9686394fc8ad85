"""What came of a home: the ledger's records, the centre's alerts and the life's tampers, put together."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from strapline_centre.alerts import Alert
from strapline_centre.ledger import Entry
from strapline_protocol.codes import ALARMS, EventCode
from strapline_simulator.fleet.causes import cause_of
from strapline_simulator.fleet.engine_house import Home
from strapline_simulator.fleet.spec import Sown, Told

_DUE_S = 4 * 3600 + 2700.0
"""A tag away from home brings what waits with its next beacon (R11: 4 h); three quarters of an hour for the way and one lost call."""

_NAMES = {int(code): code.name.lower() for code in EventCode}
_ALARMS = {int(code) for code in ALARMS}
_ROUNDING_S = 1.0


class Observer:
    """Listens to one home's centre."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self.records: Counter[str] = Counter()
        self.log: list[tuple[Any, ...]] = []
        """Everything that was decided, in the order in which the centre had it."""
        self.latencies_s: list[float] = []
        self._heard: dict[str, list[tuple[float, str]]] = {}
        """By tag: when the centre had an event, or raised an alert, and its code."""
        self._alerts: dict[tuple[int, int], tuple[float, Alert]] = {}
        """By id, and how often it had happened: what recurs while nobody has looked is one more thing to look at."""
        home.centre.on_entry = self._entered
        home.centre.on_change = self._changed

    @property
    def _now_s(self) -> float:
        return self._home.agenda.now_ms / 1000

    def _entered(self, entry: Entry) -> None:
        now_s, fields = self._now_s, entry.fields
        name = entry.kind
        said: tuple[Any, ...] = ()
        if name == "event":
            name = _NAMES.get(fields["code"], str(fields["code"]))
            at_s = fields["uptime_s"] + fields["uptime_ms"] / 1000
            said = (at_s, fields["detail"], fields["flags"])
            self._heard.setdefault(entry.source, []).append((now_s, name))
            if fields["code"] in _ALARMS:
                self.latencies_s.append(round(now_s - at_s, 3))
        elif name == "fix":
            said = fields["uptime_s"], fields["lat_e7"], fields["lon_e7"]
        elif name == "notice":
            said = str(fields["code"]), fields["tag"], tuple(sorted((fields["detail"] or {}).items()))
        elif name == "presence":
            said = fields["tag"], fields["present"]
        self.records[name] += 1
        self.log.append((now_s, entry.source, entry.sequence, name, *said))

    def _changed(self, what: str, alert: Alert) -> None:
        self.log.append((self._now_s, alert.subject, alert.id, "alert", what, alert.code))
        if what in ("raised", "again"):
            self._alerts[alert.id, alert.times] = self._now_s, alert
            self._heard.setdefault(alert.subject, []).append((self._now_s, alert.code))
        elif what == "named":
            for key in [key for key in self._alerts if key[0] == alert.id]:
                self._alerts[key] = self._alerts[key][0], alert
            self._heard.setdefault(alert.subject, []).append((self._now_s, alert.code))
        elif what == "merged":
            for key in [key for key in self._alerts if key[0] == alert.id]:
                del self._alerts[key]

    # At the end.

    def told(self) -> tuple[Told, ...]:
        lives = {tag.ident: tag for tag in self._home.spec.tags}
        return tuple(
            Told(alert.subject, at_s, alert.code, cause_of(alert.code, at_s, alert.subject, lives))
            for at_s, alert in self._alerts.values()
        )

    def tampers(self) -> tuple[tuple[tuple[Sown, float], ...], tuple[tuple[str, Sown], ...]]:
        """Those that were told, and after how long; and those that were not, of those due."""
        caught, missed = [], []
        for tag in self._home.spec.tags:
            for sown in tag.sown:
                at_s = self._first(tag.ident, sown)
                if at_s is not None:
                    caught.append((sown, round(max(0.0, at_s - sown.t_s), 3)))
                elif sown.t_s + sown.within_s <= self._now_s:
                    missed.append((tag.ident, sown))
        return tuple(caught), tuple(missed)

    def _first(self, tag: str, sown: Sown) -> float | None:
        earliest, latest = sown.t_s - _ROUNDING_S, sown.t_s + sown.within_s + _ROUNDING_S
        # What is done to the base station is told of the base station.
        subjects = (tag, self._home.base.ident)
        told = [heard for subject in subjects for heard in self._heard.get(subject, ())]
        return min((at for at, code in told if code in sown.alarms and earliest <= at <= latest), default=None)

    def missing(self) -> int:
        """Records that were made so long ago that they were due, and are not at the centre, by no fault of the world's."""
        home, count = self._home, 0
        if not home.base.post.connected or not home.ingress.post.connected:
            return 0
        for unit in home.units:
            received = home.centre.ledger.journals.of(unit.ident, unit.tag.journal.ident)
            due = sum(at_ms / 1000 + _DUE_S <= self._now_s for at_ms in unit.made_ms)
            if home.modems[unit.ident].covered or not unit.tag.away:
                open_ones = set(_runs(received.missing_runs()))
                count += sum(one in open_ones or one > received.newest for one in range(1, due + 1))
        return count

    def digest(self) -> str:
        text = "\n".join(repr(line) for line in self.log)
        return hashlib.sha256(text.encode()).hexdigest()


def _runs(runs: Iterable[tuple[int, int]]) -> Iterable[int]:
    for first, end in runs:
        yield from range(first, end)
