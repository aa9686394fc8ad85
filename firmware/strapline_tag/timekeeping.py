# Trusted time. TIME counts only as the answer to this tag's own nonce, once, within 10 s; without it the clock is untrusted.
from strapline_wire.compat import const

_ANSWER_LIMIT_MS = const(10000)
# 20 ppm drift a day is 1.7 s; after a day without an answer the tag says that it does not know.
_TRUST_LIMIT_S = const(86400)


class Clock:
    def __init__(self):
        self._nonce = b""
        self._asked_at = 0
        self._answered_at = None
        self._utc_at_boot_ms = 0

    def ask(self, now: int, nonce: bytes) -> None:
        self._nonce = nonce
        self._asked_at = now

    def answer(self, now: int, time) -> bool:
        if not self._nonce or time.nonce != self._nonce or now - self._asked_at > _ANSWER_LIMIT_MS:
            return False
        self._nonce = b""
        self._utc_at_boot_ms = time.utc_s * 1000 + time.utc_ms - now
        self._answered_at = now
        return True

    def trusted(self, now: int) -> bool:
        return self._answered_at is not None and now - self._answered_at <= _TRUST_LIMIT_S * 1000

    def age_s(self, now: int) -> int:
        # Since the last answer; very large where there was none.
        return 0x3FFFFFFF if self._answered_at is None else (now - self._answered_at) // 1000

    def utc_s(self, now: int) -> int:
        # 0 where the tag never knew.
        return 0 if self._answered_at is None else min((self._utc_at_boot_ms + now) // 1000, 0xFFFFFFFF)
