# What the centre and the wearer say to each other: messages on the display, the motor, the button, the call that leaving may owe.
# Nothing here listens: a tag takes in no sound, and each vibration and message is on record (R27).
from struct import pack

from strapline_tag import outputs as out
from strapline_tag.deadline import sooner
from strapline_wire import documents, frames
from strapline_wire.compat import const

_LIMIT = const(4)  # messages that are open at once
_KNOWN = const(8)  # the ids of so many are known, should one of them come again
_QUIET_MS = const(60000)  # so soon after a press that was told, another is not: a thumb must not fill the journal
_ANSWER = const(1)  # flags of MESSAGE
_VIBRATE = const(2)

# What is kept of an open message.
_ID = const(0)
_FLAGS = const(1)
_TEXT = const(2)
_BODY = const(3)  # as it came; empty once its time is over
_BY = const(4)  # until then it is to be answered
_SINCE = const(5)  # on the display
_SHAKEN_MS = const(6)


class Dialogue:
    # tell(code, now, detail): an event; emit(output) hands an output to the body.
    def __init__(self, config, memory, situation, tell, emit):
        self._config = config
        self._memory = memory
        self._situation = situation
        self._tell = tell
        self._emit = emit
        self._open = []  # the last one is on the display; whoever answers it sees the one before
        self._known = []
        self._shake_at = None
        self._pressed_at = None
        self._called_at = None
        self._quiet_until = 0
        self._left_at = None  # a call is owed since then
        self._call_by = None
        self._was_away = False

    # Messages.

    def resume(self) -> None:
        # A power cut answers nothing: what was not answered is shown again, and its time begins anew.
        held, at = self._memory.read("messages"), 0
        while at < len(held):
            size = held[at] << 8 | held[at + 1]
            self._add(0, held[at + 2 : at + 2 + size])
            at += 2 + size

    def obey(self, now: int, body: bytes) -> int:
        if len(self._open) >= _LIMIT and self._open[-1][_FLAGS] & _ANSWER:
            return frames.REFUSAL_NOT_NOW
        if self._add(now, body):
            self._keep()
        return 0

    def _add(self, now: int, body: bytes) -> bool:
        # False where it has come before.
        ident, flags, within_s, _, text = documents.unpack_message(body)
        if ident in self._known:
            return False
        self._known = self._known[1 - _KNOWN :] + [ident]
        if self._open and not self._open[-1][_FLAGS] & _ANSWER:
            self._close(now)
        by = now + within_s * 1000 if flags & _ANSWER and within_s else None
        self._open.append([ident, flags, text.encode(), body, by, now, 0])
        self._tell(frames.EVENT_MESSAGE_SHOWN, now, ident & 0x7FFFFFFF)
        self._show(now)
        return True

    def _keep(self) -> None:
        bodies = [message[_BODY] for message in self._open if message[_BODY] and message[_FLAGS] & _ANSWER]
        self._memory.write("messages", b"".join([pack(">H", len(body)) + body for body in bodies]))

    def _close(self, now: int) -> None:
        message = self._open.pop()
        self._hush(now, message)
        if message[_FLAGS] & _ANSWER:
            self._tell(frames.EVENT_MESSAGE_ANSWERED, now, message[_ID] & 0x7FFFFFFF)
            self._keep()

    def _show(self, now: int) -> None:
        self._shake_at = None
        text = b""
        if self._open:
            message = self._open[-1]
            message[_SINCE] = now
            text = message[_TEXT]
            if message[_FLAGS] & _VIBRATE:
                self._shake_at = now
        self._emit((out.SHOW, text))

    def _shake(self, now: int) -> None:
        # Once, or until the button where an answer is wanted.
        message = self._open[-1]
        ms = self._config.vibrate_ms
        self._emit((out.VIBRATE, ms))
        message[_SHAKEN_MS] += ms
        self._shake_at = now + self._config.vibrate_every_s * 1000
        if not message[_FLAGS] & _ANSWER or self._shake_at >= message[_SINCE] + self._config.vibrate_for_s * 1000:
            self._hush(now, message)

    def _hush(self, now: int, message) -> None:
        self._shake_at = None
        if message[_SHAKEN_MS]:
            self._tell(frames.EVENT_VIBRATED, now, message[_SHAKEN_MS])
            message[_SHAKEN_MS] = 0

    def _overdue(self, now: int, message) -> None:
        message[_BY] = None
        message[_BODY] = b""
        message[_FLAGS] = _ANSWER  # it may still be answered
        self._tell(frames.EVENT_MESSAGE_UNANSWERED, now, message[_ID] & 0x7FFFFFFF)
        shaking = self._shake_at
        self._hush(now, message)
        if message is not self._open[-1]:
            self._shake_at = shaking
        self._keep()

    def warn(self, now: int) -> None:
        # Something is about to be told of the wearer that they can still mend.
        self._emit((out.VIBRATE, self._config.vibrate_ms))
        self._tell(frames.EVENT_VIBRATED, now, self._config.vibrate_ms)

    # The button, and the call.

    def press(self, now: int, pressed: bool) -> None:
        if not pressed:
            if self._pressed_at is not None and now >= self._quiet_until:
                self._quiet_until = now + _QUIET_MS
                self._tell(frames.EVENT_BUTTON, now, now - self._pressed_at)
            self._pressed_at = None
        elif self._pressed_at is None:
            self._pressed_at = self._called_at = now
            if self._left_at is not None:
                self._tell(frames.EVENT_CALLED_IN, now, (now - self._left_at) // 1000)
                self._left_at = self._call_by = None
            if self._open:
                self._close(now)
                self._show(now)

    def pursue(self, now: int, heard_at: int) -> None:
        # Whoever leaves owes a call, unless it came since home was last heard: who calls on the doorstep is no later than who waits for
        # the reminder. Whoever is back owes none any more.
        away = self._situation.armed and self._situation.away
        if away != self._was_away:
            self._was_away = away
            self._left_at = self._call_by = None
            if not (away and self._config.call_in_s):
                return
            if self._called_at is not None and self._called_at > heard_at:
                self._tell(frames.EVENT_CALLED_IN, now, 0)
            else:
                self._left_at = now
                self._call_by = now + self._config.call_in_s * 1000
                self.warn(now)

    # Time.

    def next_deadline(self) -> "int | None":
        soonest = sooner(self._shake_at, self._call_by)
        for message in self._open:
            soonest = sooner(soonest, message[_BY])
        return soonest

    def handle_timer(self, now: int) -> None:
        for message in self._open:
            if message[_BY] is not None and now >= message[_BY]:
                self._overdue(now, message)
        if self._shake_at is not None and now >= self._shake_at:
            self._shake(now)
        if self._call_by is not None and now >= self._call_by:
            self._call_by = None  # the call may still come
            self._tell(frames.EVENT_CALL_IN_MISSED, now, self._config.call_in_s)
