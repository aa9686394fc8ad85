"""Whether a radio hears: a quiet house told from a deaf adapter. No radio inside, only what it heard and when."""

from collections import deque

from strapline_protocol.notices import Notice, NoticeCode

DEAF_AFTER_S = 90.0
"""Nobody at all is heard for so long: the radio is restarted."""

LONGEST_PAUSE_S = 900.0
"""Between two restarts in a lasting silence."""

CANNOT_START_S = 10.0
"""A radio that cannot be started for so long is told; a Bluetooth service that is restarted is back in two or three."""

_COMPANY_S = 600.0
"""Somebody else who was heard so shortly before the silence ought to be heard still."""

_MENDED_WITHIN_S = 5.0
"""A silence that ends so soon after one of the first restarts may have been ended by it."""

_TELLING = 2
"""Restarts of which that is worth a line. Of the many of a long absence one will be just before the tag comes home."""

_CROWD = 3
"""Addresses in one minute and a half that cannot all be one tag's, which changes its own each 5 to 15 min."""


class Hearing:
    """Tell it what happens; take `next_notice` afterwards. All times are seconds on one clock that does not go back.

    A gateway alone with one tag hears nobody when the tag is away. Its radio is restarted all the same, but that it is deaf is told only
    where others were heard before, where it cannot be started, or with `deaf_when_alone`. That one of the first two restarts seems to have
    ended a silence is told too, and is no alert.
    """

    def __init__(self, deaf_after_s: float = DEAF_AFTER_S, *, deaf_when_alone: bool = False) -> None:
        self._deaf_after_s = deaf_after_s
        self._deaf_when_alone = deaf_when_alone
        self._notices: deque[Notice] = deque()
        self._started_at = 0.0
        self._company_at = float("-inf")
        self._addresses: tuple[set[str], float] = set(), 0.0
        self._failing_since: float | None = None
        self._could_not_start = False
        self.heard_at: float | None = None
        self.deaf = False
        self.restarts = 0
        """Since anybody was heard."""

    def next_notice(self) -> Notice | None:
        return self._notices.popleft() if self._notices else None

    @property
    def silent_at(self) -> float:
        """When the silence will have lasted too long."""
        pause = min(
            self._deaf_after_s * (1 << max(0, min(self.restarts, 8) - 1)), max(LONGEST_PAUSE_S, self._deaf_after_s)
        )
        return max(self._started_at, self.heard_at or 0.0) + pause

    def heard(self, address: str, now: float, *, ours: bool) -> None:
        """An advertisement, or data on a connection; `ours` where it looks like a tag's."""
        if self.deaf:
            self._end(now)
        elif 0 < self.restarts <= _TELLING and now <= self._started_at + _MENDED_WITHIN_S:
            # Deaf, and mended by that; or a tag that came back from a dead spot in this very moment. Nobody can tell.
            self._tell(NoticeCode.RADIO_RESTARTED, now)
        self.restarts = 0
        self.heard_at = now
        if not ours or self._is_crowd(address, now):
            self._company_at = now

    def started(self, now: float) -> None:
        """It runs, or runs again."""
        self._started_at = now
        self._failing_since = None
        if self._could_not_start:
            self._end(now)

    def failed(self, now: float) -> None:
        """It cannot be started."""
        if self._failing_since is None:
            self._failing_since = now
        if now >= self._failing_since + CANNOT_START_S and not self.deaf:
            self.deaf = self._could_not_start = True
            self._tell(NoticeCode.RADIO_DEAF, now)

    def silent(self, now: float) -> None:
        """It is about to be restarted because nobody is heard."""
        self.restarts += 1
        company = self.heard_at is not None and self._company_at >= self.heard_at - _COMPANY_S
        if (company or self._deaf_when_alone) and not self.deaf:
            self.deaf = True
            self._tell(NoticeCode.RADIO_DEAF, now)

    def _end(self, now: float) -> None:
        self._tell(NoticeCode.RADIO_BACK, now)
        self.deaf = self._could_not_start = False
        self.restarts = 0

    def _tell(self, code: NoticeCode, now: float) -> None:
        silent_s = 0 if self.heard_at is None else round(now - self.heard_at)
        self._notices.append(Notice(code, detail={"silent_s": silent_s, "restarts": self.restarts}))

    def _is_crowd(self, address: str, now: float) -> bool:
        addresses, since = self._addresses
        if now >= since + DEAF_AFTER_S:
            self._addresses = addresses, since = set(), now
        if len(addresses) < _CROWD:
            addresses.add(address)
        return len(addresses) >= _CROWD
