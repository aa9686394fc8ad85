"""A signing key for one simulated run, in no time. It protects nothing: a few leaves, used again and again."""

import hashlib
import random


def _hash(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


class QuickKey:
    """An LMS key (RFC 8554, H10/W4) of which only the first leaves exist; the rest of the tree is drawn, which no verifier can see.

    A whole key takes seconds. Made from the definitions here, not with the verifier's code; `pyhsslms` judges it in the tests.
    """

    LEVELS = 3

    def __init__(self, name: str = "test") -> None:
        self._draw = random.Random(f"lms {name}")
        self._ident = self._draw.randbytes(16)
        self._seed = self._draw.randbytes(32)
        level = [self._leaf(q) for q in range(1 << self.LEVELS)]
        self._levels = [level]
        first = 1 << 10
        while len(level) > 1:
            first >>= 1
            level = [self._node(first + i, level[2 * i], level[2 * i + 1]) for i in range(len(level) // 2)]
            self._levels.append(level)
        self._others: list[bytes] = []
        root = level[0]
        while first > 1:
            self._others.append(self._draw.randbytes(32))
            first >>= 1
            root = self._node(first, root, self._others[-1])
        self.public = bytes.fromhex("0000000600000003") + self._ident + root
        self._next = 0

    def _node(self, number: int, left: bytes, right: bytes) -> bytes:
        return _hash(self._ident, number.to_bytes(4, "big"), b"\x83\x83", left, right)

    def _chain(self, q: int, i: int, start: int, end: int, value: bytes) -> bytes:
        for step in range(start, end):
            value = _hash(self._ident, q.to_bytes(4, "big"), i.to_bytes(2, "big"), bytes([step]), value)
        return value

    def _secret(self, q: int, i: int) -> bytes:
        return _hash(self._ident, q.to_bytes(4, "big"), i.to_bytes(2, "big"), b"\xff", self._seed)

    def _leaf(self, q: int) -> bytes:
        ends = [self._chain(q, i, 0, 15, self._secret(q, i)) for i in range(67)]
        whole = _hash(self._ident, q.to_bytes(4, "big"), b"\x80\x80", *ends)
        return _hash(self._ident, (1024 + q).to_bytes(4, "big"), b"\x82\x82", whole)

    def sign(self, message: bytes) -> bytes:
        """A signature under the next leaf."""
        q, self._next = self._next, (self._next + 1) % (1 << self.LEVELS)  # a test key may be used up and begun again
        number, salt = q.to_bytes(4, "big"), self._draw.randbytes(32)
        digest = _hash(self._ident, number, b"\x81\x81", salt, message)
        nibbles = [int(digit, 16) for digit in digest.hex()]
        checksum = sum(15 - nibble for nibble in nibbles) << 4
        nibbles += [int(digit, 16) for digit in f"{checksum:04x}"[:3]]
        ots = b"".join(self._chain(q, i, 0, nibble, self._secret(q, i)) for i, nibble in enumerate(nibbles))
        path = [level[q >> up ^ 1] for up, level in enumerate(self._levels[:-1])] + self._others
        return number + bytes.fromhex("00000003") + salt + ots + bytes.fromhex("00000006") + b"".join(path)
