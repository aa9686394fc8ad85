"""What a centre says to one tag, sealed end to end: each command checked, numbered and, where it is long, split. It sends nothing."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from strapline_protocol import document_rules
from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import Kind, Refusal
from strapline_protocol.definitions import FRAMES, is_fixed
from strapline_protocol.downlink import BODY_LIMIT, DOCUMENT_LIMIT, PART_LIMIT
from strapline_protocol.keys import CentreKeys
from strapline_wire import documents, frames, seal
from strapline_wire.errors import LocalProtocolError

_NUMBER_LIMIT = 0xFFFFFFFF
_FIXED = {frame.kind: is_fixed(frame.layout) for frame in FRAMES}


class CommandSealer:
    """Seals the commands for one tag.

    A tag takes each (epoch, number) once, and no epoch below the highest that it has seen: `epoch` must be higher at each start of the
    centre than at all before it (Unix time is, where the clock is never set back; keep the last one). Within an epoch the numbers rise.
    A pair that is used twice would be a nonce used twice.

    Every method raises `LocalProtocolError`, with one line that names the place, for what a tag would refuse; no number is used up by it.
    The lists of documents take records (`documents.Zone((…))`) or plain tuples. A document may need several commands: publish them all,
    in order; the tag takes it when it has them all, and as a whole.
    """

    def __init__(self, keys: CentreKeys, epoch: int, *, number: int = 0) -> None:
        if not 0 <= epoch <= _NUMBER_LIMIT:
            raise LocalProtocolError("an epoch has 32 bits", epoch)
        self.tag = keys.tag
        self.epoch = epoch
        self.number = number
        """The last one used in this epoch."""
        self._cipher = HostCipher(keys.end_to_end)

    def use_keys(self, keys: CentreKeys) -> None:
        """From now on under this key of the same tag; epoch and numbers go on."""
        if keys.tag != self.tag:
            raise LocalProtocolError("another tag's key", keys.tag)
        self._cipher = HostCipher(keys.end_to_end)

    # What answers a tag.

    def receipt(self, journal: int, base: int, bitmap: int) -> bytes:
        """As `Received.receipt` gives them."""
        return self._one(Kind.RECEIPT, (journal, base, bitmap))

    def receipt_far(self, journal: int, first: int, bitmap: int) -> bytes:
        """As `Received.receipt_far` gives it, for the record `first`."""
        return self._one(Kind.RECEIPT_FAR, (journal, first, bitmap))

    def refused(self, journal: int, sequence: int, reason: Refusal) -> bytes:
        """The centre has this record and cannot read it."""
        return self._one(Kind.REFUSED, (journal, sequence, reason))

    def time(self, nonce: bytes, now: datetime) -> bytes:
        """The answer to a tag's request; `nonce` is the request's own."""
        return self._one(Kind.TIME, (nonce, int(now.timestamp()), now.microsecond // 1000))

    # What the electronic key carries.

    def arm(self, key_id: int, issued: datetime) -> bytes:
        """Begins monitoring; works once."""
        return self._one(Kind.ARM, (key_id, int(issued.timestamp())))

    def disarm(self, key_id: int, issued: datetime) -> bytes:
        """Ends monitoring; works once."""
        return self._one(Kind.DISARM, (key_id, int(issued.timestamp())))

    # Orders.

    def locate(self, request: int, within_s: int) -> bytes:
        """A position now, or the word that there is none."""
        return self._one(Kind.LOCATE, (request, within_s))

    def message(
        self, message: int, text: str, *, language: str = "", flags: int = 0, answer_within_s: int = 0
    ) -> bytes:
        """Words for the wearer, up to 320 bytes of UTF-8; flags: bit 0 to be acknowledged, bit 1 vibrate until then."""
        return self._one(Kind.MESSAGE, (message, flags, answer_within_s, language, text))

    def rekey(self, generation: int, salt: bytes) -> bytes:
        """New keys; `salt` is 16 fresh random bytes. Afterwards `use_keys`."""
        return self._one(Kind.REKEY, (generation, salt))

    # Documents that the tag keeps. A revision rises with each new one.

    def config(
        self, revision: int, *, homes: Iterable[int] = (), settings: Iterable[Sequence[int]] = ()
    ) -> tuple[bytes, ...]:
        """`homes` are gateway ids; `settings` are `documents.SettingValue`."""
        return self._all(Kind.CONFIG, (revision, tuple((home,) for home in homes), tuple(settings)))

    def curfew(
        self,
        revision: int,
        *,
        changes: Iterable[Sequence[int]],
        weekly: Iterable[Sequence[int]] = (),
        once: Iterable[Sequence[int]] = (),
    ) -> tuple[bytes, ...]:
        """`changes` are `documents.ZoneChange`, rising; `weekly` are `documents.WeeklyWindow`, `once` `documents.OnceWindow`."""
        return self._all(Kind.CURFEW, (revision, tuple(changes), tuple(weekly), tuple(once)))

    def zones(self, revision: int, zones: Iterable[Sequence[Any]]) -> tuple[bytes, ...]:
        """`zones` are `documents.Zone`: circles (one vertex, a radius) and polygons (radius 0, three corners or more)."""
        return self._all(Kind.ZONES, (revision, tuple(zones)))

    # An update's stream.

    def update_begin(self, update: int, size: int, manifest_size: int, digest: bytes) -> bytes:
        """`size` of the whole stream, the signed manifest and the image; `digest` is its SHA-256."""
        return self._one(Kind.UPDATE_BEGIN, (update, size, manifest_size, digest))

    def update_chunk(self, update: int, offset: int, data: bytes) -> bytes:
        """Up to 448 bytes of the stream."""
        return self._one(Kind.UPDATE_CHUNK, (update, offset, data))

    def update_commit(self, update: int, digest: bytes) -> bytes:
        """All of it is there; `digest` as in `update_begin`."""
        return self._one(Kind.UPDATE_COMMIT, (update, digest))

    def _one(self, kind: Kind, values: tuple[Any, ...]) -> bytes:
        return self._seal(kind, _packed(kind, values))

    def _all(self, kind: Kind, values: tuple[Any, ...]) -> tuple[bytes, ...]:
        body = _packed(kind, values)
        if len(body) <= BODY_LIMIT:
            return (self._seal(kind, body),)
        if len(body) > DOCUMENT_LIMIT:
            raise LocalProtocolError(f"{kind.name}: {len(body)} bytes; a tag takes at most {DOCUMENT_LIMIT}")
        contents = [body[at : at + PART_LIMIT] for at in range(0, len(body), PART_LIMIT)]
        self._check_left(len(contents))
        transfer = self.number + 1
        parts = [(kind, transfer, part, len(contents), content) for part, content in enumerate(contents)]
        return tuple(self._seal(Kind.PART, documents.pack_part(part)) for part in parts)

    def _seal(self, kind: Kind, body: bytes) -> bytes:
        self._check_left(1)
        self.number += 1
        return bytes(seal.seal_envelope((kind, 0, self.epoch, self.number), body, self._cipher, seal.DOWN))

    def _check_left(self, count: int) -> None:
        if self.number + count > _NUMBER_LIMIT:
            raise LocalProtocolError("the numbers of this epoch are used up: begin another", self.epoch)


def _packed(kind: Kind, values: tuple[Any, ...]) -> bytes:
    record = document_rules.checked(kind, values)
    module = frames if _FIXED[kind] else documents
    return bytes(getattr(module, f"pack_{kind.name.lower()}")(record))
