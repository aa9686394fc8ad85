"""Updates of the tags' firmware: what a signed image says, and the commands that carry it to a tag. No keys and no I/O.

A signed image is one run of bytes: the manifest, its LMS signature, the image (docs/update.md has the layout). It is what travels, too.
"""

import struct
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple, Self

from strapline_protocol.codes import EventCode, Kind, Refusal
from strapline_protocol.commands import CommandSealer
from strapline_wire import manifest
from strapline_wire.errors import LocalProtocolError

BOARD_LIMIT = 16
"""Bytes of a board class's name."""

WINDOW = 32
"""Pages on their way before the tag is asked how far it is: with receipts among them they fit a gateway's mailbox of 64 commands."""

_STREAM_LIMIT = 1 << 20


class Manifest(NamedTuple):
    """What is signed of an image."""

    board: str
    """The class of boards that it is for."""
    sequence: int
    """A tag takes only a higher one than it runs."""
    expires: datetime | None
    """No tag that knows better takes it later; None: never. What runs goes on running."""
    size: int
    digest: bytes

    @classmethod
    def of(cls, image: bytes, board: str, sequence: int, expires: datetime | None = None) -> Self:
        """The manifest of an image; LocalProtocolError for what no manifest can say."""
        name = board.encode()
        if not name or len(name) > BOARD_LIMIT or not board.isascii() or not board.isprintable():
            raise LocalProtocolError(
                f"board: {board[:40]!r} is not the name of a board class, up to {BOARD_LIMIT} letters"
            )
        if not 0 < sequence <= 0x7FFFFFFF:  # an event has to be able to tell it
            raise LocalProtocolError(f"sequence: {sequence} is not between 1 and 2^31 - 1")
        if not 0 < len(image) <= _STREAM_LIMIT - manifest.HEAD:
            raise LocalProtocolError(f"image: {len(image)} bytes; it has 1 to {_STREAM_LIMIT - manifest.HEAD}")
        if expires is not None and not 0 < int(expires.timestamp()) <= 0xFFFFFFFF:
            raise LocalProtocolError(f"expires: {expires} has no Unix time of 32 bits")
        return cls(board, sequence, expires, len(image), sha256(image).digest())

    def pack(self) -> bytes:
        """The bytes that are signed."""
        expires = 0 if self.expires is None else int(self.expires.timestamp())
        fields = (manifest.MAGIC, self.board.encode(), 0, self.sequence, expires, self.size, self.digest)
        return struct.pack(manifest.FORM, *fields).ljust(manifest.MANIFEST, b"\0")


class SignedImage(NamedTuple):
    """A signed image taken apart. Nothing here says that the signature is right: that is `signing.verify`, and the tag's boot program."""

    manifest: Manifest
    signature: bytes
    image: bytes

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """LocalProtocolError where it is no signed image, or not the image that its manifest names."""
        if len(data) <= manifest.HEAD or data[:4] != manifest.MAGIC:
            raise LocalProtocolError("this is no signed image")
        packed, image = data[: manifest.MANIFEST], data[manifest.HEAD :]
        _, name, _, sequence, expires, size, digest = struct.unpack_from(manifest.FORM, packed)
        if size != len(image):
            raise LocalProtocolError(f"its manifest names an image of {size} bytes, and {len(image)} are here")
        if sha256(image).digest() != digest:
            raise LocalProtocolError("the image is not the one that its manifest names")
        board = name.rstrip(b"\0").decode("ascii", "replace")
        about = cls(
            Manifest(board, sequence, datetime.fromtimestamp(expires, UTC) if expires else None, size, digest),
            data[manifest.MANIFEST : manifest.HEAD],
            image,
        )
        if about.manifest.pack() != packed:
            raise LocalProtocolError("its manifest says more than this version of strapline can read")
        return about

    @property
    def stream(self) -> bytes:
        """The bytes as they travel, and as they are in a file."""
        return self.manifest.pack() + self.signature + self.image


class Progress(NamedTuple):
    """How a delivery stands: `state` is `begun`, `sending`, `accepted`, `taken`, `undone` or `refused`."""

    state: str
    at: int
    """So many bytes of the stream are known to be on the tag."""
    size: int
    reason: Refusal | int | None = None
    """Where it was refused."""


class Delivery:
    """One update on its way to one tag; `update` is its id, another for each delivery.

    Publish what `begin` gives, then feed every event of the tag to `heard` and publish, in order, what comes back. The tag keeps what it
    has over power cuts and lost connections: whenever nothing moves, `begin` again, and it goes on where it was.
    """

    def __init__(self, sealer: CommandSealer, stream: bytes, update: int) -> None:
        self._about = SignedImage.parse(stream).manifest
        self._sealer = sealer
        self._stream = stream
        self._update = update
        self._digest = sha256(stream).digest()
        self.progress = Progress("begun", 0, len(stream))

    def begin(self) -> list[bytes]:
        """The update begins, or goes on after a silence."""
        begin = self._sealer.update_begin(self._update, len(self._stream), manifest.HEAD, self._digest)
        return [begin]

    def heard(self, code: int, detail: int) -> list[bytes]:
        """An EVENT of the tag: the commands that answer it, none where there is nothing to do."""
        kind, revision = detail >> 24, detail & 0xFFFFFF
        if code == EventCode.APPLIED and kind == Kind.UPDATE_CHUNK:
            self._becomes("sending", min(revision, len(self._stream)))
            return self._next(self.progress.at)
        if code == EventCode.APPLIED and kind == Kind.UPDATE_COMMIT and revision == self._about.sequence & 0xFFFFFF:
            self._becomes("accepted", len(self._stream))
        elif code == EventCode.UPDATE_TAKEN and detail == self._about.sequence:
            self._becomes("taken", len(self._stream))
        elif code == EventCode.UPDATE_UNDONE and detail == self._about.sequence:
            self._becomes("undone", len(self._stream))
        elif code == EventCode.UPDATE_REFUSED or (
            code == EventCode.COMMAND_REFUSED and detail >> 8 == Kind.UPDATE_BEGIN
        ):
            self._becomes("refused", 0, detail & 0xFF)
        elif self.progress.state == "sending" and (
            code == EventCode.STARTED or (code == EventCode.COMMAND_REFUSED and detail >> 8 == Kind.UPDATE_COMMIT)
        ):
            return self.begin()  # it has started anew, and knows of no transfer
        return []

    def _next(self, at: int) -> list[bytes]:
        # The next pages, and a COMMIT behind them: until all is there the tag answers it with how far it is.
        end = min(len(self._stream), at + WINDOW * manifest.PAGE)
        pages = [
            self._sealer.update_chunk(self._update, offset, self._stream[offset : min(offset + manifest.PAGE, end)])
            for offset in range(at, end, manifest.PAGE)
        ]
        return [*pages, self._sealer.update_commit(self._update, self._digest)]

    def _becomes(self, state: str, at: int, reason: int | None = None) -> None:
        known = reason if reason is None or reason not in set(Refusal) else Refusal(reason)
        self.progress = Progress(state, at, len(self._stream), known)
