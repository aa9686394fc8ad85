"""Who is silent (R55): a gateway that does not beat, a tag that nothing is heard of. Times in, findings out; it raises nothing itself.

A tag whose gateway is gone cannot be heard at home: meanwhile its time stands still, for as long as its bound at most.
`now` is in seconds of any clock that does not jump.
"""

from collections.abc import Iterable
from typing import NamedTuple

from strapline_protocol.contract import SILENT_AFTER_S

TAG_SILENT_AFTER_S = 4 * 3600 + 1800.0
"""A monitored tag sends a beacon each four hours (R11); half an hour more for the way."""


class Silent(NamedTuple):
    """Nothing was heard for too long; `never`: not since the watch began."""

    subject: str
    is_gateway: bool
    silent_s: float
    never: bool


class _Heard(NamedTuple):
    at: float
    bound_s: float
    never: bool
    by: str = ""
    """The gateway through which."""
    stood_s: float = 0.0
    """Of a tag: for so long that gateway was gone since."""


class Watch:
    """Of gateways from its beginning, of tags from when they are watched. Each silence is found once, until something is heard again."""

    def __init__(
        self,
        gateways: Iterable[str],
        now: float,
        *,
        silent_after_s: float = SILENT_AFTER_S,
        tag_silent_after_s: float = TAG_SILENT_AFTER_S,
    ) -> None:
        self._tag_bound_s = tag_silent_after_s
        self._gateways = {gateway: _Heard(now, silent_after_s, never=True) for gateway in gateways}
        self._tags: dict[str, _Heard] = {}
        self._silent: set[str] = set()
        self._gone_at: dict[str, float] = {}
        self._cut_off_at: float | None = None

    def gateway_heard(self, gateway: str, now: float) -> bool:
        """Gives whether it was silent until now."""
        known = self._gateways.get(gateway)
        if known is None:
            return False
        self._gateways[gateway] = _Heard(now, known.bound_s, never=False)
        if gateway in self._gone_at:
            self._tags.update(
                {
                    tag: heard._replace(stood_s=self._stood_s(heard, now))
                    for tag, heard in self._tags.items()
                    if heard.by == gateway
                }
            )
            del self._gone_at[gateway]
        return self._back(gateway)

    def gateway_gone(self, gateway: str, now: float) -> None:
        """It is known to be gone, and told: its silence is no further news."""
        if gateway in self._gateways:
            self._silent.add(gateway)
            self._gone_at.setdefault(gateway, now)

    def watch_tag(self, tag: str, heard_at: float, by: str = "") -> None:
        """From now on it must be heard of: it was last, at this time, through this gateway."""
        self._tags.setdefault(tag, _Heard(heard_at, self._tag_bound_s, never=False, by=by))

    def leave_tag(self, tag: str) -> None:
        self._tags.pop(tag, None)
        self._silent.discard(tag)

    def tag_heard(self, tag: str, now: float, by: str = "") -> bool:
        """Through this gateway. Gives whether it was silent until now."""
        if tag in self._tags:
            self._tags[tag] = _Heard(now, self._tag_bound_s, never=False, by=by)
        return self._back(tag)

    def _stood_s(self, heard: _Heard, now: float) -> float:
        gone_at = self._gone_at.get(heard.by)
        stood_s = heard.stood_s + (now - max(gone_at, heard.at) if gone_at is not None else 0.0)
        return min(stood_s, heard.bound_s)

    def _due_at(self, heard: _Heard) -> float:
        """As things stand: where its gateway stays gone, all that it may stand still."""
        stands_s = heard.bound_s if heard.by in self._gone_at else heard.stood_s
        return heard.at + heard.bound_s + stands_s

    def cut_off(self, now: float) -> None:
        """Nobody can be heard from now on, and nobody is to blame for it: time stands still."""
        if self._cut_off_at is None:
            self._cut_off_at = now

    def restored(self, now: float) -> None:
        """Time goes on."""
        if self._cut_off_at is None:
            return
        stood_s, self._cut_off_at = now - self._cut_off_at, None
        for of in (self._gateways, self._tags):
            of.update({who: heard._replace(at=heard.at + stood_s) for who, heard in of.items()})
        self._gone_at = {gateway: at + stood_s for gateway, at in self._gone_at.items()}

    def _back(self, subject: str) -> bool:
        if subject not in self._silent:
            return False
        self._silent.discard(subject)
        return True

    def is_silent(self, subject: str) -> bool:
        return subject in self._silent

    def last_heard(self, subject: str) -> float | None:
        """When; None for one that was not heard since the watch began."""
        known = self._gateways.get(subject) or self._tags.get(subject)
        return None if known is None or known.never else known.at

    def next_deadline(self) -> float | None:
        """When `due` may find another one."""
        if self._cut_off_at is not None:
            return None
        waiting = [
            self._due_at(heard)
            for of in (self._gateways, self._tags)
            for who, heard in of.items()
            if who not in self._silent
        ]
        return min(waiting, default=None)

    def due(self, now: float) -> list[Silent]:
        """Those that have been silent for too long, and were not `told` of."""
        found: list[Silent] = []
        if self._cut_off_at is not None:
            return found
        for of, is_gateway in ((self._gateways, True), (self._tags, False)):
            for who, heard in of.items():
                if who not in self._silent and now >= self._due_at(heard):
                    found.append(Silent(who, is_gateway, now - heard.at, heard.never))
        return found

    def told(self, found: Iterable[Silent]) -> None:
        """These are known by now."""
        for silent in found:
            self._silent.add(silent.subject)
            if silent.is_gateway:
                self._gone_at.setdefault(silent.subject, self._gateways[silent.subject].at)
