"""Several gateways hear one tag: who hears it best, where it is, and whether it can be one tag at all (R18).

In one building a tag may be near many readers. Gateways of different sites are too far apart for one tag: it can go from the one to the
other, but not be at both. A move shows as one change of place, after which the first site tells that the tag has gone.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

BACK_AND_FORTH_S = 600.0
"""From one site to another and back in less than this is no way that a person goes."""

OVERLAP_S = 900.0
"""A gateway tells that a tag has gone after its debounce (5 min) at most; who is still there long after that is there."""

_FRESH = timedelta(minutes=2)
"""What was held up on its way says where a tag was, not where it is."""


class Heard(NamedTuple):
    """A gateway's last word about a tag."""

    present: bool
    rssi_dbm: int | None
    at: float
    since: float
    """When it began to be so."""


class Readers:
    """`sites` says which site each gateway is at; one that is not named is judged with none.

    `now` is in seconds of a clock that does not jump.
    """

    def __init__(self, sites: Mapping[str, str]) -> None:
        self._sites = dict(sites)
        self._heard: dict[str, dict[str, Heard]] = {}
        self._places: dict[str, list[tuple[str, float]]] = {}
        """The last changes of site of each tag."""

    def presence(
        self, tag: str, gateway: str, rssi_dbm: int | None, now: float, *, present: bool, heard: datetime, utc: datetime
    ) -> str | None:
        """A gateway's word of presence; gives why that cannot be one tag, or None."""
        if abs(utc - heard) > _FRESH:
            return None
        before = self._heard.setdefault(tag, {}).get(gateway)
        since = now if before is None or before.present != present else before.since
        self._heard[tag][gateway] = Heard(present, rssi_dbm, now, since)
        site = self._sites.get(gateway)
        if site is None or not present:
            return None
        return self._both_ways(tag, site, now) or self._both_at_once(tag, site, now)

    def _both_ways(self, tag: str, site: str, now: float) -> str | None:
        places = self._places.setdefault(tag, [])
        if not places or places[-1][0] != site:
            places.append((site, now))
            del places[:-3]
            if len(places) == 3 and places[0][0] == site and now - places[1][1] < BACK_AND_FORTH_S:
                return f"heard at {places[1][0]} and again at {site} within {now - places[1][1]:.0f} s"
        return None

    def _both_at_once(self, tag: str, site: str, now: float) -> str | None:
        for gateway, heard in self._heard[tag].items():
            other = self._sites.get(gateway)
            if other in (None, site) or not heard.present:
                continue
            here = min(h.since for g, h in self._heard[tag].items() if self._sites.get(g) == site and h.present)
            if now - max(heard.since, here) > OVERLAP_S:
                return f"heard at {other} and at {site} at the same time"
        return None

    def gone(self, gateway: str) -> None:
        """A gateway that is silent says nothing of any tag any more."""
        for heard in self._heard.values():
            heard.pop(gateway, None)

    def strongest(self, tag: str) -> str | None:
        """The gateway that hears it best; None where none does."""
        there = {g: h for g, h in self._heard.get(tag, {}).items() if h.present}
        return max(
            sorted(there), key=lambda g: -999 if there[g].rssi_dbm is None else there[g].rssi_dbm or 0, default=None
        )

    def is_present(self, tag: str) -> bool | None:
        """Whether any reader hears it; None where none has said."""
        heard = self._heard.get(tag, {})
        return any(one.present for one in heard.values()) if heard else None

    def of(self, tag: str) -> Mapping[str, Heard]:
        return dict(self._heard.get(tag, {}))
