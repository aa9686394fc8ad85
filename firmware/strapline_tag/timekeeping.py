# Trusted time. TIME counts only as the answer to this tag's own nonce, once, within 10 s; without it the clock is untrusted.
from strapline_wire.compat import const

_ANSWER_LIMIT_MS = const(10000)
# 20 ppm drift a day is 1.7 s; after a day without an answer the tag says that it does not know.
_TRUST_LIMIT_S = const(86400)


class Clock:
    def __init__(self):
        self._nonce = b""
        self._asked = 0
        self._asked_at = 0
        self._answered_at = None
        self._utc_at_boot_ms = 0

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
