# Two slots for the application, and the record of which of them runs. Everything is verified at every boot.
#
# store: areas 0 and 1 are the slots (an update's stream: signed manifest, then image), 2 and 3 hold the record in turn.
#   read(area, at, size) -> bytes, fewer where the area ends; write(area, at, data); erase(area, at): from there to its end;
#   capacity: bytes that an image may have. A write or an erase that a power cut tears may leave anything where it was at work.
from hashlib import sha256
from struct import pack, unpack

from strapline_boot import lms
from strapline_wire import manifest
from strapline_wire.compat import const

__all__ = ["Slots"]  # built apart from the application, which asks for its attributes by their names

# The record: a count that rises, the slot that runs, how far a new one is, what is still to be told (an event's code and its
# detail), the highest sequence that ever ran for good, the sequence on trial.
_FORM = ">IBBBBIII"
_SIZE = const(20)
_CHECK = const(4)  # bytes of SHA-256 behind it
_COUNT = const(0)
_ACTIVE = const(1)
_STAGE = const(2)
_TOLD = const(3)
_DETAIL = const(5)
_FLOOR = const(6)
_TRIED = const(7)

_STEADY = const(0)
_FRESH = const(1)  # the other slot is to be tried
_TRYING = const(2)  # it has been started and has not confirmed itself yet

_TAKEN = const(80)  # as in the protocol's event codes
_UNDONE = const(82)
_CORRUPT = const(83)


class Slots:
    # What the boot program hands to the application. Applications of years to come meet this very class: what they call stays as it is, or
    # `version` rises.
    version = 1

    # keys: public keys of 56 bytes, one or two; board: its class, as in the manifest.
    def __init__(self, store, keys, board: bytes):
        self._store = store
        self._keys = keys
        self._board = board + bytes(16 - len(board))
        self.capacity = store.capacity
        self.running: int = None  # the slot, after `start`
        self.sequence = 0  # of the image that runs
        self.trial = False  # it has to confirm itself, or the next boot goes back
        self.seen = (0, 0, 0)  # sequence, expiry and size in the manifest that was examined last
        self._cell = 2  # the area of the record that is written next
        self._record = [0, 0, 0, 0, 0, 0, 0, 0]
        for cell in (2, 3):
            data = store.read(cell, 0, _SIZE + _CHECK)
            if len(data) == _SIZE + _CHECK and sha256(data[:_SIZE]).digest()[:_CHECK] == data[_SIZE:]:
                record = list(unpack(_FORM, data[:_SIZE]))
                if record[_COUNT] > self._record[_COUNT]:
                    self._record = record
                    self._cell = cell ^ 1
        self._record[_ACTIVE] &= 1

    @property
    def floor(self) -> int:
        return self._record[_FLOOR]

    @property
    def told(self) -> tuple:
        # (event code, detail) of what the application has to tell; the code is 0 where there is nothing.
        return self._record[_TOLD], self._record[_DETAIL]

    def tell_done(self) -> None:
        self._save(self._record[_ACTIVE], self._record[_STAGE], 0, 0)

    def _save(self, active: int, stage: int, told: int, detail: int) -> None:
        # Into the older of the two cells: until it is written whole, the other one holds.
        record = self._record
        record[:6] = [record[_COUNT] + 1, active & 1, stage, told, 0, detail]
        data = pack(_FORM, *record)
        self._store.erase(self._cell, 0)
        self._store.write(self._cell, 0, data + sha256(data).digest()[:_CHECK])
        self._cell ^= 1

    def examine(self, slot: int, whole: bool = True) -> int:
        # 0, or why the image in a slot must not run; not `whole`: by its signed manifest alone. In pieces: neither image nor signature is
        # in memory at once.
        def read(at, size):
            return self._store.read(slot, at, size)

        def signature(at, size):
            return read(manifest.MANIFEST + at, size)

        message = read(0, manifest.MANIFEST)
        if not any(lms.verify(key, message, signature) for key in self._keys):
            return manifest.UNSIGNED
        magic, board, _, sequence, expiry, size, digest = unpack(manifest.FORM, message[: manifest.FIELDS])
        self.seen = (sequence, expiry, size)
        if magic != manifest.MAGIC:
            return manifest.MALFORMED
        if board != self._board:
            return manifest.WRONG_BOARD
        if size > self.capacity:
            return manifest.TOO_LONG
        if not whole:
            return 0
        image = sha256()
        end = manifest.HEAD + size
        for at in range(manifest.HEAD, end, manifest.PAGE):
            image.update(read(at, min(manifest.PAGE, end - at)))
        if image.digest() != digest:
            return manifest.UNSIGNED
        return (
            0 if read(end, 1) in (b"", b"\xff") else manifest.MALFORMED
        )  # nothing behind it: the end, or erased flash

    def start(self) -> "int | None":
        # At each boot: the slot to run, or None where no slot holds a genuine image.
        record = self._record
        active, stage, told, detail = record[_ACTIVE], record[_STAGE], record[_TOLD], record[_DETAIL]
        if stage == _FRESH:
            if not self.examine(active ^ 1) and self.seen[0] >= record[_FLOOR]:
                self._save(active, _TRYING, told, detail)  # before it runs: whatever happens to it, it has had its try
                return self._run(active ^ 1, True)
            told, detail = _CORRUPT, active ^ 1
        elif stage == _TRYING:
            told, detail = _UNDONE, record[_TRIED]
        for slot in (active, active ^ 1):
            if not self.examine(slot):
                if slot != active:
                    told, detail = _CORRUPT, active
                if stage or slot != active:
                    self._save(slot, _STEADY, told, detail)
                return self._run(slot, False)
        return None

    def _run(self, slot: int, trial: bool) -> int:
        self.running, self.trial, self.sequence = slot, trial, self.seen[0]
        if not trial:
            self._rise()
        return slot

    def _rise(self) -> None:
        # Into the record with whatever is saved next.
        self._record[_FLOOR] = max(self.floor, self.sequence)

    # What the application asks for. The slot that does not run is the spare one.

    def erase(self, at: int) -> None:
        self._store.erase(self.running ^ 1, at)

    def write(self, at: int, data: bytes) -> None:
        self._store.write(self.running ^ 1, at, data)

    def ready(self) -> None:
        # The spare slot, just examined, is to be tried at the next boot.
        self._record[_TRIED] = self.seen[0]
        self._save(self.running, _FRESH, 0, 0)

    def confirm(self) -> None:
        # The image on trial has passed its self-test: it stays.
        self.trial = False
        self._rise()
        self._save(self.running, _STEADY, _TAKEN, self.sequence)
