# An update of the application: its stream is put together in the spare slot, judged there, and tried by the next boot. What runs is chosen
# by the boot program alone, whose Slots come in here; nothing that is not genuine gets further than a slot.
from strapline_tag import outputs as out
from strapline_wire import documents, frames, manifest
from strapline_wire.compat import const

_BLOCK = const(4096)  # flash is erased in these; so far the transfer goes on after a power cut
_DAY_S = const(86400)


class Update:
    # slots: the boot program's; memory: integers that survive a reboot; clock: trusted time; sensed(): whether the sensors have been read;
    # tell(code, now, detail) makes an event; emit(output) hands an output to the body.
    def __init__(self, config, slots, memory, clock, sensed, tell, emit):
        self._config = config
        self._slots = slots
        self._memory = memory
        self._clock = clock
        self._sensed = sensed
        self._event = tell
        self._emit = emit
        self._transfer = None  # the UPDATE_BEGIN of what is under way
        self._got = None  # a bit for each page that is in the slot
        self._at = 0  # everything below it is there
        self._heard = False
        # Then the body is to restart the tag. An image on trial that has not confirmed itself by then is given up by the next boot.
        self.restart_at = config.update_confirm_s * 1000 if slots.trial else None

    def orders(self) -> dict:
        obey = self._obey
        return {
            frames.UPDATE_BEGIN: (
                frames.unpack_update_begin,
                lambda now, body: obey(now, frames.UPDATE_BEGIN, body),
            ),
            frames.UPDATE_CHUNK: (
                documents.unpack_update_chunk,
                lambda now, body: obey(now, frames.UPDATE_CHUNK, body),
            ),
            frames.UPDATE_COMMIT: (
                frames.unpack_update_commit,
                lambda now, body: obey(now, frames.UPDATE_COMMIT, body),
            ),
        }

    def report(self, now: int) -> None:
        # What the boot program, or the end of a trial, has left to tell: let go of when the journal has it. Told twice at worst.
        code, detail = self._slots.told
        if code:
            self._event(code, now, detail)
            self._slots.tell_done()

    def heard(self) -> None:
        # The centre has answered end to end: so the journal works, and commands come through, the next update's too.
        self._heard = True

    def next_deadline(self) -> "int | None":
        return self.restart_at

    def handle_timer(self, now: int) -> None:
        if self._heard and self._slots.trial and self._sensed():
            self.restart_at = None
            self._slots.confirm()
            self._memory.put("updated", self._memory.get("update", -1))
            self.report(now)
        elif self.restart_at is not None and now >= self.restart_at:
            self.restart_at = now + self._config.update_restart_ms
            self._emit((out.RESTART, 0))

    def timed(self, now: int) -> None:
        # The time has just been answered; one a day is kept, as the bound for expiry after a reboot.
        utc_s = self._clock.utc_s(now)
        if utc_s >= self._memory.get("utc", 0) + _DAY_S:
            self._memory.put("utc", utc_s)

    def _obey(self, now: int, kind: int, body) -> int:
        transfer = self._transfer
        try:
            # On trial the spare slot holds what a failure goes back to; before a restart, what is about to be tried.
            if self.restart_at is None:
                if kind == frames.UPDATE_BEGIN:
                    return self._begin(now, body)
            else:
                transfer = None
            if not transfer or transfer.update != body.update:
                # Of hundreds of chunks none is an event.
                return 0 if kind == frames.UPDATE_CHUNK else frames.REFUSAL_NOT_NOW
            if kind == frames.UPDATE_CHUNK:
                return self._chunk(now, body)
            if body.digest != transfer.digest:
                return frames.REFUSAL_MALFORMED
            if self._at < transfer.size:
                self._progress(now)
            else:
                self._commit(now)
            return 0
        except OSError:  # flash that refuses: from the last block on again
            self._transfer = None
            return frames.REFUSAL_NOT_NOW

    def _begin(self, now: int, begin) -> int:
        size = begin.size
        if begin.manifest_size != manifest.HEAD or size <= manifest.HEAD:
            return frames.REFUSAL_MALFORMED
        if size > manifest.HEAD + self._slots.capacity:
            return frames.REFUSAL_TOO_LONG
        if not self._transfer or self._transfer.digest != begin.digest or self._transfer.size != size:
            self._transfer = None
            memory = self._memory
            name = int.from_bytes(begin.digest[:4], "big") ^ size
            if name == memory.get("updated", -1) and self._slots.sequence >= self._slots.floor:
                return frames.REFUSAL_OLD_REVISION  # it runs already: not for that is the other image given away
            if memory.get("update", -1) != name:
                memory.put("update_at", 0)
                memory.put("update", name)
            at = min(memory.get("update_at", 0), size)
            if at < size:
                self._slots.erase(at)  # what a cut has left behind the last whole block
            self._at = at
            self._got = bytearray((size // manifest.PAGE >> 3) + 1)
        self._transfer = begin
        self._progress(now)
        return 0

    def _progress(self, now: int) -> None:
        self._event(frames.EVENT_APPLIED, now, frames.UPDATE_CHUNK << 24 | self._at)

    def _chunk(self, now: int, chunk) -> int:
        size, at, got = self._transfer.size, chunk.offset, self._got
        if at % manifest.PAGE or at >= size or len(chunk.data) != min(manifest.PAGE, size - at):
            return frames.REFUSAL_MALFORMED
        page = at // manifest.PAGE
        if at < self._at or got[page >> 3] >> (page & 7) & 1:
            return 0  # again
        self._slots.write(at, chunk.data)
        got[page >> 3] |= 1 << (page & 7)
        before = at = self._at
        page = at // manifest.PAGE
        while at < size and got[page >> 3] >> (page & 7) & 1:
            page += 1
            at = min(page * manifest.PAGE, size)
        self._at = at
        if at == size:
            self._memory.put("update_at", at)
        elif at // _BLOCK > before // _BLOCK:
            self._memory.put("update_at", at - at % _BLOCK)
        if before < manifest.HEAD <= at:
            self._judged(now, False)  # before the image itself is paid for
        return 0

    def _commit(self, now: int) -> None:
        if self._judged(now, True):
            self._slots.ready()
            self._event(frames.EVENT_APPLIED, now, frames.UPDATE_COMMIT << 24 | (self._slots.seen[0] & 0xFFFFFF))
            self.restart_at = now + self._config.update_restart_ms

    def _judged(self, now: int, whole: bool) -> bool:
        reason = self._judge(now, whole)
        if reason:
            self._memory.put("update_at", 0)
            self._transfer = None
            self._event(frames.EVENT_UPDATE_REFUSED, now, reason)
        return not reason

    def _judge(self, now: int, whole: bool) -> int:
        slots = self._slots
        reason = slots.examine(slots.running ^ 1, whole)
        if reason:
            return reason
        sequence, expiry, size = slots.seen
        if sequence <= slots.sequence or sequence < slots.floor:
            return frames.REFUSAL_OLD_REVISION
        if size + manifest.HEAD != self._transfer.size:
            return frames.REFUSAL_MALFORMED
        # Without a trusted clock the last authenticated time is what it is at least: too late by that is too late for certain.
        if expiry and expiry < max(self._clock.utc_s(now), self._memory.get("utc", 0)):
            return frames.REFUSAL_EXPIRED
        return 0
