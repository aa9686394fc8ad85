"""Whether the centre is there, as its beats show. A line that is down proves nothing of it."""

from strapline_protocol import contract
from strapline_protocol.notices import Notice, NoticeCode


class CentreWatch:
    """R55. `expects_beats`: this centre is known to beat, by what an earlier start of the gateway has noted.

    An older centre does not beat, and its silence says nothing; so nothing is expected before the first beat was ever heard.
    """

    def __init__(self, *, expects_beats: bool) -> None:
        self.expects_beats = expects_beats
        self.is_silent = False
        self._connected = False
        self._heard_at = 0.0
        self._newest = (0, 0)
        self._was_silent_s: float | None = None

    def connected(self, now: float) -> None:
        """From now on the centre can be heard; it has its whole time again."""
        self._connected = True
        if not self.is_silent:
            self._heard_at = now

    def disconnected(self) -> None:
        """Nobody can be heard."""
        self._connected = False

    def beat(self, epoch: int, number: int, now: float) -> bool:
        """False for one that is not newer than the last: a broker that repeats beats must not hide that the centre is gone."""
        if (epoch, number) <= self._newest:
            return False
        self._newest = epoch, number
        self.expects_beats = True
        if self.is_silent:
            self._was_silent_s = now - self._heard_at
        self._heard_at = now
        return True

    def receipt(self, now: float) -> None:
        """A receipt that let something go: a repeated one does not. It puts silence off, and does not end it."""
        # Or a centre that answers and does not beat would be told of every five minutes.
        if not self.is_silent:
            self._heard_at = now

    def look(self, now: float) -> Notice | None:
        """What is to be told now."""
        if self._was_silent_s is not None:
            silent_s, self._was_silent_s, self.is_silent = self._was_silent_s, None, False
            return Notice(NoticeCode.CENTRE_BACK, detail={"silent_s": round(silent_s)})
        due = self.next_deadline()
        if due is None or now < due:
            return None
        self.is_silent = True
        return Notice(NoticeCode.CENTRE_SILENT, detail={"silent_s": round(now - self._heard_at)})

    def next_deadline(self) -> float | None:
        """When `look` may have something to tell though nothing comes."""
        if not self._connected or not self.expects_beats or self.is_silent:
            return None
        return self._heard_at + contract.SILENT_AFTER_S
