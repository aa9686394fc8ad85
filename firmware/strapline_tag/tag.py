# The tag: its detectors, its journal and its bearers under one roof. Bytes, samples and `now` (ms since boot) in, outputs out.
from strapline_tag import outputs as out
from strapline_tag.bearers import Bearers
from strapline_tag.broadcast import Broadcast
from strapline_tag.commands import Commands
from strapline_tag.config import Config
from strapline_tag.deadline import sooner
from strapline_tag.journal import ALARM_LANE, Journal
from strapline_tag.keyring import Keyring
from strapline_tag.nmea import NmeaParser
from strapline_tag.positioning import Positioning
from strapline_tag.skin import Skin
from strapline_tag.strap import Strap
from strapline_tag.timekeeping import Clock
from strapline_wire import frames, seal
from strapline_wire.arq import draw_generation
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.session import TagHandshake

_STRAP_EVENTS = {
    "open": frames.EVENT_STRAP_OPEN,
    "closed": frames.EVENT_STRAP_CLOSED,
    "altered": frames.EVENT_STRAP_ALTERED,
}
_REFUSALS = {"out_of_range": frames.REFUSAL_OUT_OF_RANGE, "too_long": frames.REFUSAL_TOO_LONG}


class Tag:
    # secret: 16 bytes; memory: integers that survive a reboot; entropy(n): n random bytes; make_cipher(key): AES-CCM.
    def __init__(self, secret, memory, entropy, make_cipher, config=None):
        self._config = config or Config()
        self._memory = memory
        self._entropy = entropy
        self._make_cipher = make_cipher
        self._keys = Keyring(secret, memory, make_cipher)
        journal_base = memory.get("journal", -1)
        if journal_base < 0:
            journal_base = int.from_bytes(entropy(4), "big")
            memory.put("journal", journal_base)
        self._boot = memory.get("boot", 0) + 1
        memory.put("boot", self._boot)
        self._outputs = []
        self.clock = Clock()
        # Drawn once at format, and another with each boot: what is sealed under one journal's numbers is never sealed under them again.
        ident = (journal_base + self._boot) & 0xFFFFFFFF
        self.journal = Journal(ident, self._config.journal_entries, self._config.journal_alarm_reserve)
        self._broadcast = Broadcast(self._config, self._keys, memory, entropy)
        self.strap = Strap(self._config, self._on_strap)
        self.skin = Skin(self._config, self._on_skin)
        self.parser = NmeaParser()
        self._positioning = Positioning(self._config, self.parser)
        self._bearers = Bearers(self._config, self.journal, self._seal_record, self._emit)
        self._commands = Commands(self._keys, memory, self._config.document_limit)
        self._hellos = 0
        self._refused = 0
        self.unread = 0  # records that the centre has and cannot read
        self._gnss_was_on = False
        self._strap_ohm = 0
        self._battery_percent = 100
        self.armed = False
        self.away = False
        self._removed = False
        self._no_sky = False  # NO_FIX is told; again only after a position, or after home
        self._on_home_line = False  # the BLE connection is one with home
        self._home_heard = 0
        self._beacon_at = None
        nominal_ohm = memory.get("armed_ohm", 0)
        if nominal_ohm:
            self.armed = True
            self.strap.resume(nominal_ohm, memory.get("openings", 0), memory.get("altered", 0) == 1)
            self._beacon_at = self._config.beacon_period_s * 1000
        self._event(frames.EVENT_STARTED, 0, self._boot)

    @property
    def rejected(self) -> int:
        # Frames and commands that were not genuine or not new, whoever sent them.
        return self._bearers.rejected + self._refused

    # Inputs.

    def feed_strap_edge(self, now: int, is_open: bool) -> None:
        self.strap.edge(now, is_open)
        self._settle(now)

    def feed_strap(self, now: int, ohm: int) -> None:
        self._strap_ohm = ohm
        self.strap.sample(now, ohm)

    def feed_skin(self, now: int, skin_centi_c: int, ambient_centi_c: int) -> None:
        self.skin.sample(now, skin_centi_c, ambient_centi_c)
        if self.armed and self.strap.latched and not self._removed:
            if self.skin.alike_for(now) >= self._config.removed_s * 1000:
                self._removed = True
                self._event(frames.EVENT_REMOVED, now, skin_centi_c)

    def feed_battery(self, percent: int) -> None:
        self._battery_percent = max(0, min(percent, 100))

    def feed_gnss(self, now: int, data: bytes) -> None:
        for position in self._positioning.feed(now, data):
            self._fix(position, now)
        self._settle(now)

    def feed_key(self, now: int, sealed: bytes) -> None:
        # The electronic key was held to the tag: a command that the centre sealed for it.
        self._command(now, sealed)
        self._settle(now)

    def feed_link_up(self, now: int, bearer: int) -> None:
        pseudonym = self._broadcast.slot.pseudonym
        handshake = TagHandshake(
            self._keys.link_key, self._keys.header, pseudonym, self._hello_nonce(), self._make_cipher
        )
        self._bearers.up(now, bearer, handshake, draw_generation(self._entropy))

    def _hello_nonce(self) -> bytes:
        # Random, but not by the random source alone: one that begins anew with each boot must not bring an old session's key back.
        # The first bytes keep this block apart from the slots', its zero in the middle from the masks' (seal.py).
        self._hellos = (self._hellos + 1) & 0xFFFFFF
        count = self._hellos.to_bytes(4, "big") + (self._boot & 0xFFFFFFFF).to_bytes(4, "big")
        return self._keys.header.block(b"link" + self._entropy(4) + count)[:8]

    def feed_link(self, now: int, bearer: int, data: bytes) -> None:
        for event, content in self._bearers.receive(now, bearer, data):
            if event == "welcome":
                self._welcomed(now, bearer, content)
            else:
                self._command(now, content)
            if bearer == out.BLE and self._on_home_line:
                self._home_heard = now
        self._settle(now)

    def feed_link_down(self, now: int, bearer: int) -> None:
        self._bearers.down(now, bearer)
        self._settle(now)

    # Time.

    def next_deadline(self) -> int:
        soonest = sooner(self._broadcast.due, self._beacon_at)
        soonest = sooner(soonest, self._positioning.next_deadline())
        soonest = sooner(soonest, self._bearers.next_deadline())
        if self.armed and not self.away:
            soonest = sooner(soonest, self._home_heard + self._config.home_silence_s * 1000)
        return soonest

    def handle_timer(self, now: int) -> None:
        positions, gave_up = self._positioning.handle_timer(now)
        for position in positions:
            self._fix(position, now)
        if gave_up and not self._no_sky:
            self._no_sky = True
            self._event(frames.EVENT_NO_FIX, now, self._config.fix_timeout_s)
        if self._beacon_at is not None and now >= self._beacon_at:
            period_ms = self._config.beacon_period_s * 1000
            self._beacon_at += ((now - self._beacon_at) // period_ms + 1) * period_ms
            self._event(frames.EVENT_BEACON, now, self._battery_percent)
        if self.armed and not self.away and now - self._home_heard >= self._config.home_silence_s * 1000:
            self.away = True
            self._event(frames.EVENT_LEFT_HOME, now, (now - self._home_heard) // 1000)
        self._bearers.handle_timer(now)
        self._settle(now)
        if now >= self._broadcast.due:
            heartbeat = self._broadcast.make(
                now, self._flags(now), self.strap.openings, self._battery_percent, self.journal.newest_alarm
            )
            if heartbeat:
                self._emit((out.ADVERTISE,) + heartbeat)

    def has_outputs(self) -> bool:
        return bool(self._outputs)

    def _emit(self, output: tuple) -> None:
        self._outputs.append(output)

    def take_outputs(self) -> list:
        outputs = self._outputs
        if outputs:
            self._outputs = []
        return outputs

    # What the detectors tell.

    def _on_strap(self, what: str, now: int, detail: int) -> None:
        if not self.armed:
            return
        self._event(_STRAP_EVENTS[what], now, detail)  # before anything that a worn-out flash may refuse
        if what == "altered":
            self._memory.put("altered", 1)
        elif what == "open" and detail <= 255:  # more of them a heartbeat cannot tell, and flash wears out
            self._memory.put("openings", detail)

    def _on_skin(self, what: str, now: int, detail: int) -> None:
        if self.armed:
            self._event(frames.EVENT_SKIN_LOST if what == "lost" else frames.EVENT_SKIN_BACK, now, detail)

    # Records.

    def _quality(self, now: int) -> int:
        return 2 if self.clock.trusted(now) else 0

    def _event(self, code: int, now: int, detail: int) -> None:
        alarm = code in frames.EVENT_ALARMS
        flags = ALARM_LANE if alarm else 0
        stamp = (self._boot & 0xFFFF, now // 1000, now % 1000, self.clock.utc_s(now))
        detail = max(-0x80000000, min(detail, 0x7FFFFFFF))  # a sensor may say anything
        body = frames.pack_event((code, flags | self._quality(now)) + stamp + (detail,))
        if not self.journal.append(frames.EVENT, flags, body) and not alarm:
            return  # an alarm that finds no room still shows in the heartbeat's state
        self._bearers.event(now, alarm)
        if alarm:
            self._broadcast.alarm(now)
        elif code != frames.EVENT_BEACON:  # quick heartbeats every 4 h to the second would tell whose they are
            self._broadcast.hurry(now)

    def _fix(self, position, now: int) -> None:
        self._no_sky = False
        flags = (1 if position.dated else 0) | self._quality(now)
        speed = min(position.speed_cm_s // 10, 255)
        self.journal.append(
            frames.FIX,
            0,
            frames.pack_fix(
                (
                    self._boot & 0xFFFF,
                    now // 1000,
                    position.utc_s,
                    position.utc_ms,
                    position.lat_e7,
                    position.lon_e7,
                    position.accuracy_dm,
                    speed,
                    flags,
                )
            ),
        )
        if self._config.log_every_epoch:
            self._broadcast.hurry(now)

    def _seal_record(self, slot: int) -> bytes:
        envelope, body = self.journal.record(slot)
        return seal.seal_envelope(envelope, body, self._keys.end_to_end, seal.UP)

    # Commands.

    def _command(self, now: int, sealed: bytes) -> None:
        try:
            envelope, body = self._commands.open(sealed)
        except RemoteProtocolError:
            self._refused += 1
            return
        kind = envelope.kind
        try:
            whole = self._commands.assemble(kind, body)
            if whole:
                kind, body = whole
                refusal = self._obey(now, kind, body)
            else:
                refusal = 0
        except RemoteProtocolError as error:
            refusal = _REFUSALS.get(error.reason, frames.REFUSAL_MALFORMED)
        if refusal:
            self._event(frames.EVENT_COMMAND_REFUSED, now, kind << 8 | refusal)

    def _obey(self, now: int, kind: int, body: bytes) -> int:
        # What the centre wants; gives a refusal reason, or 0. A newer centre may want what this firmware does not know.
        if kind == frames.RECEIPT:
            self._receipted(now, self.journal.receipt(frames.unpack_receipt(body)))
        elif kind == frames.RECEIPT_FAR:
            self._receipted(now, self.journal.receipt_far(frames.unpack_receipt_far(body)))
        elif kind == frames.TIME:
            self.clock.answer(now, frames.unpack_time(body))
        elif kind == frames.ARM:
            self._arm(now, frames.unpack_arm(body))
        elif kind == frames.REKEY:
            return self._rekey(now, frames.unpack_rekey(body))
        elif kind == frames.REFUSED:
            frames.unpack_refused(body)
            self.unread += 1
        else:
            return frames.REFUSAL_UNKNOWN_KIND
        return 0

    def _receipted(self, now: int, left: int) -> None:
        if left:
            self.journal.bury(self._boot & 0xFFFF, now // 1000)
            self._bearers.receipted(now)

    def _rekey(self, now: int, rekey) -> int:
        if not self._keys.renew(rekey):
            return frames.REFUSAL_OLD_REVISION
        self._broadcast.rekeyed(now)
        self._event(frames.EVENT_REKEYED, now, rekey.generation)
        return 0

    def _arm(self, now: int, arm) -> None:
        # Without a sample yet there is nothing to compare later ones with.
        if self.strap.is_open or not 0 < self._strap_ohm < self._config.strap_open_ohm:
            self._event(frames.EVENT_ARM_REFUSED, now, self._strap_ohm)
            return
        self.armed = True
        self._removed = False
        self.strap.arm(self._strap_ohm)
        self.skin.arm()
        self._memory.put("armed_ohm", self._strap_ohm)
        self._memory.put("openings", 0)
        self._memory.put("altered", 0)
        self._home_heard = now
        self._beacon_at = now + self._config.beacon_period_s * 1000
        self._event(frames.EVENT_ARMED, now, arm.key_id & 0x7FFFFFFF)

    def _welcomed(self, now: int, bearer: int, welcome) -> None:
        self._bearers.reply(bearer, self._boot & 0xFFFF, now // 1000)
        if bearer == out.BLE:
            self._on_home_line = bool(welcome.flags & 1)
            if self._on_home_line and self.away:
                self.away = False
                self._no_sky = False
                self._event(frames.EVENT_CAME_HOME, now, 0)
        if self.clock.age_s(now) >= self._config.time_refresh_s:
            self._ask_time(now, bearer)

    def _ask_time(self, now: int, bearer: int) -> None:
        origin = self.journal.ident
        number = self.clock.ask(now, origin)
        body = frames.pack_time_request((self._boot & 0xFFFF, now // 1000))
        sealed = seal.seal_envelope((frames.TIME_REQUEST, 0, origin, number), body, self._keys.end_to_end, seal.UP)
        self._bearers.request(bearer, sealed)

    # What is wanted.

    def _settle(self, now: int) -> None:
        # After anything that may have changed what is wanted: receiver, records on their way, cellular line.
        self._want_positions(now)
        if self._positioning.power != self._gnss_was_on:
            self._gnss_was_on = self._positioning.power
            self._emit((out.GNSS_POWER, self._gnss_was_on))
        self._bearers.pursue(self.armed and self.away and self.strap.latched)
        self._bearers.settle(now, self.away)

    def _want_positions(self, now: int) -> None:
        if self._config.log_every_epoch:
            self._positioning.want(now, 1)
        elif not (self.armed and self.away):
            self._positioning.want(now, None)
        elif self.strap.latched:
            self._positioning.want(now, self._config.violation_fix_s)
        else:
            self._positioning.want(now, self._config.away_fix_s)

    def _flags(self, now: int) -> int:
        return (
            (frames.STATE_ARMED if self.armed else 0)
            | (frames.STATE_STRAP_OPEN if self.strap.is_open else 0)
            | (frames.STATE_STRAP_LATCHED if self.strap.latched else 0)
            | (frames.STATE_SKIN_LOST if self.skin.lost else 0)
            | (frames.STATE_AWAY if self.away else 0)
            | (frames.STATE_PENDING if len(self.journal) else 0)
            | (frames.STATE_ALARM_PENDING if self.journal.alarm_pending() else 0)
            | (frames.STATE_CLOCK_TRUSTED if self.clock.trusted(now) else 0)
            | (frames.STATE_GNSS_ON if self._positioning.power else 0)
        )
