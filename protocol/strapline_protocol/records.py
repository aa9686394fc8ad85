"""A tag's sealed records, opened for the centre: typed where they can be read, raw where they are genuine and cannot. It keeps nothing."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, cast

from strapline_protocol.cipher import HostCipher
from strapline_protocol.codes import Kind, Refusal
from strapline_protocol.contract import text_of
from strapline_protocol.keys import CentreKeys
from strapline_wire import frames, seal
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError

Body = frames.Event | frames.Fix | frames.Tombstone

_READERS = {
    Kind.EVENT: ("event", frames.unpack_event),
    Kind.FIX: ("fix", frames.unpack_fix),
    Kind.TOMBSTONE: ("tombstone", frames.unpack_tombstone),
}


class OpenedRecord(NamedTuple):
    """One genuine record. Its identity for ever is (`tag`, `journal`, `sequence`)."""

    tag: str
    journal: int
    sequence: int
    kind: int
    """A `Kind`, or a number that this version does not know."""
    flags: int
    """Of the envelope; bit 0: alarm lane."""
    body: Body | None
    """None where it cannot be read: then `refusal` and `reason` say why."""
    raw: bytes
    """The body's bytes under the seal, with whatever a later version has added behind what we read."""
    refusal: Refusal | None = None
    reason: str = ""
    """What a counter or a log shows: "unknown_kind", "truncated", "out_of_range"."""
    key: int = 0
    """Which of the tag's keys it was sealed with: 0 is the current one."""

    @property
    def alarm(self) -> bool:
        """Whether it travels in the alarm lane."""
        return bool(self.flags & 1)

    @property
    def name(self) -> str:
        """`event`, `fix` or `tombstone`; `raw` for what cannot be read."""
        return "raw" if self.body is None else _READERS[Kind(self.kind)][0]

    @property
    def fields(self) -> dict[str, Any]:
        """What it says, ready for JSON; of an unreadable one its kind, its body in base64 and the reason."""
        if self.body is None:
            return {"kind": self.kind, "body": text_of(self.raw), "reason": self.reason}
        return self.body._asdict()

    @property
    def content(self) -> bytes:
        """What this identity stands for: kind, flags and body. Sealed again under another key, a record has the same."""
        return bytes((self.kind, self.flags)) + self.raw


class TimeQuestion(NamedTuple):
    """A tag asks for the time; TIME must bring `nonce` back within 10 s."""

    tag: str
    nonce: bytes
    boot: int
    uptime_s: int
    key: int = 0
    """As `OpenedRecord.key`."""


class RecordOpener:
    """Opens what tags seal for the centre.

    `keys` may hold several for one tag: its current ones first, then those from before a re-keying, or those to come. Opening tries
    them in that order. `LocalProtocolError` where a tag would be left without a key.
    """

    def __init__(self, keys: Iterable[CentreKeys]) -> None:
        self._ciphers: dict[str, list[tuple[CentreKeys, HostCipher]]] = {}
        for one in keys:
            self._ciphers.setdefault(one.tag, []).append((one, HostCipher(one.end_to_end)))

    @property
    def tags(self) -> frozenset[str]:
        """The tags that it has keys of."""
        return frozenset(self._ciphers)

    def keys(self, tag: str) -> tuple[CentreKeys, ...]:
        """A tag's keys, the current first; none where the tag is unknown."""
        return tuple(keys for keys, _ in self._ciphers.get(tag, ()))

    def use_keys(self, tag: str, keys: Sequence[CentreKeys]) -> None:
        """From now on this tag has these keys, the current first: after a re-keying, or for a new tag."""
        if not keys or any(one.tag != tag for one in keys):
            raise LocalProtocolError("keys of this one tag, the current first", tag)
        self._ciphers[tag] = [(one, HostCipher(one.end_to_end)) for one in keys]

    def open_record(self, tag: str, sealed: bytes) -> OpenedRecord:
        """A record of this tag.

        Raises `RemoteProtocolError`: "unknown_tag", "truncated" (no envelope), "forged" (no key of the tag opens it), "unexpected" (a
        request for the time). What is genuine and cannot be read comes back without a `body`.
        """
        envelope, raw, key = self._open(tag, sealed)
        if envelope.kind == Kind.TIME_REQUEST:
            raise RemoteProtocolError("unexpected", "a request for the time is no record")
        body, refusal, reason = _read(envelope.kind, raw)
        identity = tag, envelope.origin, envelope.number
        return OpenedRecord(*identity, envelope.kind, envelope.flags, body, raw, refusal, reason, key)

    def open_time_request(self, tag: str, sealed: bytes) -> TimeQuestion:
        """A request for the time. Raises as `open_record`, "unexpected" for a record; what is too short is "truncated"."""
        envelope, raw, key = self._open(tag, sealed)
        if envelope.kind != Kind.TIME_REQUEST:
            raise RemoteProtocolError("unexpected", "not a request for the time")
        nonce = envelope.origin.to_bytes(4, "big") + envelope.number.to_bytes(4, "big")
        request = frames.unpack_time_request(raw)
        return TimeQuestion(tag, nonce, request.boot, request.uptime_s, key)

    def _open(self, tag: str, sealed: bytes) -> tuple[frames.Envelope, bytes, int]:
        if tag not in self._ciphers:
            raise RemoteProtocolError("unknown_tag", tag)
        for key, (_, cipher) in enumerate(self._ciphers[tag]):
            try:
                envelope, raw = seal.open_envelope(sealed, cipher, seal.UP)
            except RemoteProtocolError as error:
                if error.reason != "forged":
                    raise
            else:
                return envelope, raw, key
        raise RemoteProtocolError("forged", tag)


def _read(kind: int, raw: bytes) -> tuple[Body | None, Refusal | None, str]:
    reader = next((unpack for known, (_, unpack) in _READERS.items() if known == kind), None)
    if reader is None:
        return None, Refusal.UNKNOWN_KIND, "unknown_kind"
    try:
        return cast("Body", reader(raw)), None, ""
    except RemoteProtocolError as error:
        refusal = Refusal.OUT_OF_RANGE if error.reason == "out_of_range" else Refusal.MALFORMED
        return None, refusal, str(error.reason)
