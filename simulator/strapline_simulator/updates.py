"""Signed images for one run, good ones and others, and the delivery of what no honest centre would send."""

from datetime import datetime, timedelta
from hashlib import sha256
from random import Random
from typing import NamedTuple

from strapline_protocol.commands import CommandSealer
from strapline_protocol.updates import Delivery, Manifest
from strapline_simulator.quick_key import QuickKey
from strapline_simulator.scenario.updates import UpdateKind
from strapline_tag.bench import BOARD
from strapline_wire import manifest

FIRST = 5
"""The sequence that the tag leaves the factory with."""

_IMAGE_SIZE = 600


class Sent(NamedTuple):
    """A genuine stream, and what travels in its place."""

    genuine: bytes
    travels: bytes


class Images:
    """The maker's side: keys and images come from the run's seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"{seed}/images")
        self._key = QuickKey(f"{seed}")
        self._sequence = FIRST

    @property
    def public_key(self) -> bytes:
        return self._key.public

    def first(self) -> bytes:
        """What the factory installs."""
        return self._signed(FIRST)

    def make(self, kind: UpdateKind, now: datetime) -> Sent:
        """The next image; of each kind it is in one thing not as it should be, `good` in none."""
        if kind == "good":
            self._sequence += 1
        sequence = self._sequence - 1 if kind == "older" else self._sequence + (kind != "good")
        genuine = self._signed(
            sequence,
            key=QuickKey("another maker") if kind == "wrong_key" else self._key,
            board="another" if kind == "wrong_board" else BOARD.decode(),
            expires=now - timedelta(days=1) if kind == "expired" else None,
        )
        return Sent(genuine, self._spoil(kind, genuine))

    def _signed(
        self, sequence: int, key: QuickKey | None = None, board: str = BOARD.decode(), expires: datetime | None = None
    ) -> bytes:
        image = b"\xa5" + self._random.randbytes(_IMAGE_SIZE - 1)
        packed = Manifest.of(image, board, sequence, expires).pack()
        return packed + (key or self._key).sign(packed) + image

    def _spoil(self, kind: UpdateKind, stream: bytes) -> bytes:
        if kind == "unsigned":
            return stream[: manifest.MANIFEST] + bytes(manifest.SIGNATURE) + stream[manifest.HEAD :]
        if kind == "truncated":
            return stream[:-100]
        if kind == "flipped":
            at, bit = self._random.randrange(manifest.HEAD, len(stream)), 1 << self._random.randrange(8)
            return stream[:at] + bytes([stream[at] ^ bit]) + stream[at + 1 :]
        return stream


class AnyDelivery(Delivery):
    """Carries what it is given: a desk refuses what is no signed image before it sends any of it."""

    def __init__(self, sealer: CommandSealer, sent: Sent, update: int) -> None:
        super().__init__(sealer, sent.genuine, update)
        self._stream = sent.travels
        self._digest = sha256(sent.travels).digest()
