"""The gateway's own senses: mains, battery, motion, case, line. Readings and `now` in, notices out; who reads them is not its business."""

from collections import deque

from strapline_gateway.deadlines import Deadlines
from strapline_protocol.notices import Notice, NoticeCode

STEADY_S = 5.0
"""Mains that flicker are lost at once and back only when they have stayed for so long."""

NEAR_CHANGE_S = 120.0
"""R21: motion within two minutes of a mains or line change means that the gateway is being carried off (STI, manual)."""

MOVING_MG = 80
"""More than an appliance on the same shelf shakes it; a person who carries it moves it by several hundred."""

CARRIED_SAMPLES = 3
CARRIED_WITHIN_S = 10.0
"""A bump is one second of motion, or two; a gateway that is lifted and carried moves for longer."""

CARRIED_ALONE = 20
CARRIED_ALONE_WITHIN_S = 60.0
"""So much motion with mains and line untouched is a gateway that runs on its battery on its way somewhere."""

STILL_AGAIN_S = 600.0
"""What moves after so long a rest is told anew."""

LADDER = (
    (20, NoticeCode.BATTERY_LOW),
    (10, NoticeCode.BATTERY_CRITICAL),
    (3, NoticeCode.LAST_GASP),
)
"""R20 and R23: each rung once, in this order. With 36 h on a full battery (SCRAM: 48 h, others 24 h) the first leaves some seven hours."""

_CHARGED_AGAIN = 5
"""Percent above a rung, after which that rung is told again."""


class _Contact:
    """Something that is there or not: its loss is told at once, its return once it has stayed."""

    def __init__(self, lost: NoticeCode, back: NoticeCode, steady_s: float) -> None:
        self.lost, self.back, self.steady_s = lost, back, steady_s
        self.there = True
        self.told_there = True
        self.lost_at = 0.0
        self.flickers = 0


class HouseWatch:
    """One gateway's house. Until something else is fed, mains, line and case are taken to be as they should."""

    def __init__(self) -> None:
        self._events: deque[Notice] = deque()
        self._deadlines: Deadlines[str] = Deadlines()
        self._contacts = {
            "mains": _Contact(NoticeCode.MAINS_LOST, NoticeCode.MAINS_BACK, STEADY_S),
            "line": _Contact(NoticeCode.LINE_LOST, NoticeCode.LINE_BACK, STEADY_S),
            "case": _Contact(NoticeCode.CASE_OPENED, NoticeCode.CASE_CLOSED, STEADY_S),
        }
        self._percent: int | None = None
        self._rung = 0
        self._moving: deque[float] = deque()
        self._carried_at = float("-inf")
        self._changed_at = float("-inf")
        self._told_moved_at = float("-inf")

    def next_event(self) -> Notice | None:
        return self._events.popleft() if self._events else None

    @property
    def on_mains(self) -> bool:
        return self._contacts["mains"].there

    # Readings. They may come as often as the sensors like; only a change counts.

    def feed_mains(self, now: float, there: bool) -> None:
        self._feed("mains", there, now)

    def feed_line(self, now: float, up: bool) -> None:
        """The line to the network; which one, the integrator knows."""
        self._feed("line", up, now)

    def feed_case(self, now: float, is_open: bool) -> None:
        self._feed("case", not is_open, now)

    def feed_battery(self, now: float, percent: int) -> None:
        """The charge. It is not told with each percent, but at each rung of the ladder, going down."""
        del now
        self._percent = percent
        while self._rung and percent >= LADDER[self._rung - 1][0] + _CHARGED_AGAIN:
            self._rung -= 1
        while self._rung < len(LADDER) and percent <= LADDER[self._rung][0]:
            self._tell(LADDER[self._rung][1], percent=percent)
            self._rung += 1

    def feed_motion(self, now: float, deviation_mg: int) -> None:
        """How far the acceleration was from rest at most, in the past second."""
        if deviation_mg < MOVING_MG:
            return
        self._moving.append(now)
        while self._moving[0] < now - CARRIED_ALONE_WITHIN_S:
            self._moving.popleft()
        if sum(at > now - CARRIED_WITHIN_S for at in self._moving) >= CARRIED_SAMPLES:
            self._carried_at = now
            self._judge_motion(now)
        if len(self._moving) >= CARRIED_ALONE:
            self._moved(now)

    # What comes of them.

    def _feed(self, name: str, there: bool, now: float) -> None:
        contact = self._contacts[name]
        if there == contact.there:
            return
        contact.there = there
        if name != "case":
            self._changed_at = now
            self._judge_motion(now)
        if there:
            self._deadlines.set(name, now + contact.steady_s)
            return
        self._deadlines.set(name, None)
        if contact.told_there:
            contact.told_there, contact.lost_at, contact.flickers = False, now, 0
            self._tell(contact.lost, **self._charge())
        else:
            contact.flickers += 1

    def next_deadline(self) -> float | None:
        return self._deadlines.soonest()

    def handle_timer(self, now: float) -> None:
        for name in self._deadlines.due(now):
            contact = self._contacts[name]
            contact.told_there = True
            for_s = round(now - contact.lost_at)
            self._tell(contact.back, for_s=for_s, flickers=contact.flickers, **self._charge())

    def _judge_motion(self, now: float) -> None:
        if abs(self._carried_at - self._changed_at) <= NEAR_CHANGE_S:
            self._moved(now)

    def _moved(self, now: float) -> None:
        is_new = now - self._told_moved_at > STILL_AGAIN_S
        self._told_moved_at = now  # while it goes on, it is the same removal
        if is_new:
            self._tell(NoticeCode.MOVED, mains=int(self.on_mains), line=int(self._contacts["line"].there))

    def _charge(self) -> dict[str, int]:
        return {} if self._percent is None else {"percent": self._percent}

    def _tell(self, code: NoticeCode, **detail: int) -> None:
        self._events.append(Notice(code, "", detail))
