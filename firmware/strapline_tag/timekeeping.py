# Trusted time. TIME counts only as the answer to this tag's own nonce, once, within 10 s; without it the clock is untrusted.
# A receiver's time may keep it trusted, but only as far as the tag's own crystal can have drifted since the centre's last word.
from strapline_wire import frames
from strapline_wire.compat import const

_ANSWER_LIMIT_MS = const(10000)
# 20 ppm drift a day is 1.7 s; after a day without an answer the tag says that it does not know.
_TRUST_LIMIT_MS = const(86400000)
_DRIFT = const(50000)  # 20 ppm: one second in so many
_TOLERANCE_MS = const(2000)  # a receiver says what the time was when its last second began, and says it within a second


class Clock:
    def __init__(self):
        self.tell = None  # tell(code, now, detail) is given later: an event holds the time
        self._nonce = b""
        self._asked = 0
        self._asked_at = 0
        self._answered_at = None
        self._sure_at = 0  # the later one of the last answer and of the last word of a receiver that agreed
        self._utc_at_boot_ms = 0
        self._doubted = False  # CLOCK_UNTRUSTED is told

    def ask(self, now: int, origin: int) -> int:
        # Gives the question's number. `origin` is another with each boot; both are the nonce, which so never comes twice. It need not be
        # hard to guess: only the tag can seal a question, so nobody can have an answer before it has asked.
        self._asked += 1
        self._nonce = origin.to_bytes(4, "big") + self._asked.to_bytes(4, "big")
        self._asked_at = now
        return self._asked

    def answer(self, now: int, time) -> bool:
        if not self._nonce or time.nonce != self._nonce or now - self._asked_at > _ANSWER_LIMIT_MS:
            return False
        self._nonce = b""
        step_ms = time.utc_s * 1000 + time.utc_ms - now - self._utc_at_boot_ms
        first = self._answered_at is None
        drifted = first or self._may_drift(now, step_ms)
        self._utc_at_boot_ms += step_ms
        self._answered_at = now
        self._sure(now, 0 if first else step_ms // 1000, drifted)
        return True

    def _may_drift(self, now: int, step_ms: int) -> bool:
        return abs(step_ms) <= _TOLERANCE_MS + (now - self._answered_at) // _DRIFT

    def _sure(self, now: int, step_s: int, drifted: bool) -> None:
        self._sure_at = now
        if self.tell and (self._doubted or not drifted):
            self._doubted = False
            self.tell(frames.EVENT_CLOCK_TRUSTED, now, step_s)

    def confirm(self, now: int, utc_s: int) -> bool:
        # A receiver says so. False where it cannot be true, and where there is nothing to hold it against.
        if self._answered_at is None or not self._may_drift(now, utc_s * 1000 - now - self._utc_at_boot_ms):
            return False
        self._sure(now, 0, True)
        return True

    def doubt(self, now: int) -> None:
        if not self._doubted:
            self._doubted = True
            self.tell(frames.EVENT_CLOCK_UNTRUSTED, now, self.age_s(now))

    @property
    def ends(self) -> "int | None":
        # When trust ends, where there is any.
        return None if self._doubted or self._answered_at is None else self._sure_at + _TRUST_LIMIT_MS + 1

    def trusted(self, now: int) -> bool:
        return self._answered_at is not None and now - self._sure_at <= _TRUST_LIMIT_MS

    def age_s(self, now: int) -> int:
        # Since the last answer; very large where there was none.
        return 0x3FFFFFFF if self._answered_at is None else (now - self._answered_at) // 1000

    def utc_s(self, now: int) -> int:
        # 0 where the tag never knew.
        return 0 if self._answered_at is None else min((self._utc_at_boot_ms + now) // 1000, 0xFFFFFFFF)

    def at(self, utc_s: int) -> int:
        # That second on the tag's own clock, ms since boot.
        return utc_s * 1000 - self._utc_at_boot_ms
