"""Somebody who has seen genuine traffic and makes of it what he can without its keys. Seeded, so that each forgery can be made again."""

from random import Random

WAYS = ("flipped", "altered", "truncated", "extended", "spliced", "guessed")
"""What can be done to bytes that nobody has received yet, and by which way a forgery is counted."""

_MARGIN = 24


class Attacker:
    def __init__(self, draw: Random) -> None:
        self._draw = draw

    def forge(self, way: str, genuine: bytes, seen: list[bytes]) -> bytes:
        """Other bytes than `genuine`, made from it and from what was seen before; never one of those as it was."""
        for _ in range(100):
            forged = bytes(getattr(self, way)(genuine, seen))
            if forged != genuine and forged not in seen:
                return forged
        raise AssertionError(f"no forgery {way} from {genuine.hex()}")

    def flipped(self, genuine: bytes, _seen: list[bytes]) -> bytes:
        """One to eight bits."""
        data = bytearray(genuine)
        for _ in range(self._draw.choice((1, 1, 1, 2, 3, 8))):
            data[self._draw.randrange(len(data))] ^= 1 << self._draw.randrange(8)
        return data

    def altered(self, genuine: bytes, _seen: list[bytes]) -> bytes:
        """A few bytes in a row overwritten: a field, a counter, the MIC."""
        data = bytearray(genuine)
        size = self._draw.choice((1, 2, 4, 8))
        at = self._draw.randrange(max(len(data) - size, 0) + 1)
        data[at : at + size] = self._draw.choice((self._draw.randbytes(size), bytes(size), b"\xff" * size))
        return data[: len(genuine)]

    def truncated(self, genuine: bytes, _seen: list[bytes]) -> bytes:
        """Cut at either end."""
        size = self._draw.randrange(len(genuine))
        return genuine[:size] if self._draw.random() < 0.8 else genuine[len(genuine) - size :]

    def extended(self, genuine: bytes, _seen: list[bytes]) -> bytes:
        """With something before, behind or within."""
        more = self._draw.choice((self._draw.randbytes, bytes))(self._draw.randrange(1, _MARGIN))
        at = self._draw.choice((0, len(genuine), len(genuine), self._draw.randrange(len(genuine))))
        return genuine[:at] + more + genuine[at:]

    def spliced(self, genuine: bytes, seen: list[bytes]) -> bytes:
        """The head of one and the tail of another."""
        if not seen:
            return self.altered(genuine, seen)
        other = self._draw.choice(seen[-64:])
        at = self._draw.randrange(1, len(genuine))
        head, tail = self._draw.choice(((genuine, other), (other, genuine)))
        return head[:at] + tail[at:]

    def guessed(self, genuine: bytes, _seen: list[bytes]) -> bytes:
        """The start that everybody can read, and the rest drawn at random."""
        at = self._draw.choice((0, 1, 5, 9, 10))
        return genuine[:at] + self._draw.randbytes(max(len(genuine) - at, 1))
