# The tag: its detectors, its journal and its bearers under one roof. Bytes, samples and `now` (ms since boot) in, outputs out.
from strapline_wire import frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.replay import ReplayWindow

from strapline_tag import outputs as out
from strapline_tag.broadcast import Broadcast
from strapline_tag.config import Config
from strapline_tag.journal import ALARM_LANE, Journal
from strapline_tag.nmea import NmeaParser
from strapline_tag.positioning import Positioning
from strapline_tag.skin import Skin
from strapline_tag.strap import Strap
from strapline_tag.timekeeping import Clock
from strapline_tag.uplink import Uplink

_STRAP_EVENTS = {
    "open": frames.EVENT_STRAP_OPEN,
    "closed": frames.EVENT_STRAP_CLOSED,
    "altered": frames.EVENT_STRAP_ALTERED,
}


class Tag:
    # secret: 16 bytes; memory: integers that survive a reboot; entropy(n): n random bytes; make_cipher(key): AES-CCM.
    def __init__(self, secret, memory, entropy, make_cipher, config=None):
        self._config = config or Config()
        self._memory = memory
        self._entropy = entropy
        self._make_cipher = make_cipher
        self._link_key = derive(secret, "link")
        self._header = make_cipher(derive(secret, "header"))
        self._end_to_end = make_cipher(derive(secret, "end-to-end"))
        self._boot = memory.get("boot", 0) + 1
        memory.put("boot", self._boot)
        self._outputs = []
        self.clock = Clock()
        self.journal = Journal(int.from_bytes(entropy(4), "big"), self._config.journal_entries)
        broadcast_cipher = make_cipher(derive(secret, "broadcast"))
        self._broadcast = Broadcast(self._config, broadcast_cipher, self._header, memory, entropy)
        self.strap = Strap(self._config, self._on_strap)
        self.skin = Skin(self._config, self._on_skin)
        self.parser = NmeaParser()
        self._positioning = Positioning(self._config, self.parser)
        self._ble = Uplink(out.BLE, self._config, self.journal, self._seal_record)
        self._cellular = Uplink(out.CELLULAR, self._config, self.journal, self._seal_record)
        self._commands = ReplayWindow()
        self._gnss_was_on = False
        self._strap_ohm = 0
        self._battery_percent = 100
        self.armed = False
        self.away = False
        self._removed = False
        self._home_heard = 0
        self._beacon_at = None
        self._dialling = False
        self._dial_at = None
        self._dial_wait_ms = self._config.cellular_retry_ms
        self._hang_up_at = None
        self._flush = False  # records wait that must not wait for the next beacon
        self._alarm_overdue = False
        self._fallback_at = None  # an alarm without a receipt takes the cellular line from then on, even at home
        self._event(frames.EVENT_STARTED, 0, self._boot)

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
        self._battery_percent = percent

    def feed_gnss(self, now: int, data: bytes) -> None:
        for position in self._positioning.feed(now, data):
            self._fix(position, now)
        self._settle(now)

    def feed_key(self, now: int, sealed: bytes) -> None:
        # The electronic key was held to the tag: a command that the centre sealed for it.
        self._command(now, sealed)
        self._settle(now)

    def feed_link_up(self, now: int, bearer: int) -> None:
        uplink = self._uplink(bearer)
        slot = self._broadcast.slot
        hello = uplink.up(
            self._link_key,
            self._header,
            slot.pseudonym,
            self._entropy(8),
            self._boot & 0xFFFF,
            now // 1000,
            self._make_cipher,
        )
        if bearer == out.CELLULAR:
            self._dialling = False
            self._dial_wait_ms = self._config.cellular_retry_ms
            self._hang_up_at = now + self._config.cellular_idle_ms
        self._send(bearer, hello)

    def feed_link(self, now: int, bearer: int, data: bytes) -> None:
        for event, content in self._uplink(bearer).receive(data):
            if event == "welcome":
                self._welcomed(now, bearer, content)
            else:
                self._command(now, content)
        self._settle(now)

    def feed_link_down(self, now: int, bearer: int) -> None:
        self._uplink(bearer).down()
        if bearer == out.CELLULAR:
            self._hang_up_at = None
            if self._dialling:
                self._dialling = False
                self._dial_at = now + self._dial_wait_ms
                self._dial_wait_ms = min(self._dial_wait_ms * 2, 3600000)
        self._settle(now)

    # Time.

    def next_deadline(self) -> int:
        soonest = self._broadcast.due
        for at in (
            self._beacon_at,
            self._positioning.next_deadline(),
            self._ble.retry_at,
            self._cellular.retry_at,
            self._hang_up_at,
            self._dial_at,
            self._fallback_at,
            None if self.away or not self.armed else self._home_heard + self._config.home_silence_s * 1000,
        ):
            if at is not None and at < soonest:
                soonest = at
        return soonest

    def handle_timer(self, now: int) -> None:
        positions, gave_up = self._positioning.handle_timer(now)
        for position in positions:
            self._fix(position, now)
        if gave_up:
            self._event(frames.EVENT_NO_FIX, now, self._config.fix_timeout_s)
        if self._beacon_at is not None and now >= self._beacon_at:
            self._beacon_at += self._config.beacon_period_s * 1000
            self._event(frames.EVENT_BEACON, now, self._battery_percent)
        if self.armed and not self.away and now - self._home_heard >= self._config.home_silence_s * 1000:
            self.away = True
            self._event(frames.EVENT_LEFT_HOME, now, (now - self._home_heard) // 1000)
        for uplink in (self._ble, self._cellular):
            if uplink.retry_at is not None and now >= uplink.retry_at:
                for line in uplink.retry(now):
                    self._send(uplink.bearer, line)
        if self._fallback_at is not None and now >= self._fallback_at:
            self._fallback_at = None
            self._alarm_overdue = True
        if self._hang_up_at is not None and now >= self._hang_up_at:
            self._hang_up_at = None
            self._cellular.down()
            self._outputs.append((out.LINK_CLOSE, out.CELLULAR))
        self._settle(now)
        if now >= self._broadcast.due:
            address, frame = self._broadcast.make(
                now, self._flags(now), self.strap.openings, self._battery_percent, self.journal.newest_alarm
            )
            self._outputs.append((out.ADVERTISE, address, frame))

    def has_outputs(self) -> bool:
        return bool(self._outputs)

    def take_outputs(self) -> list:
        outputs = self._outputs
        if outputs:
            self._outputs = []
        return outputs

    # What the detectors tell.

    def _on_strap(self, what: str, now: int, detail: int) -> None:
        if self.armed:
            self._event(_STRAP_EVENTS[what], now, detail)

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
        body = frames.pack_event((code, flags | self._quality(now)) + stamp + (detail,))
        if not self.journal.append(frames.EVENT, flags, body):
            return
        self._flush = True
        if alarm:
            self._broadcast.alarm(now)
            if self._fallback_at is None and not self._alarm_overdue:
                self._fallback_at = now + self._config.alarm_fallback_ms
        else:
            self._broadcast.hurry(now)

    def _fix(self, position, now: int) -> None:
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

    def _seal_record(self, entry) -> bytes:
        return seal.seal_envelope(
            (entry.kind, entry.flags, self.journal.ident, entry.sequence), entry.body, self._end_to_end, seal.UP
        )

    # Commands.

    def _command(self, now: int, sealed: bytes) -> None:
        try:
            envelope, body = seal.open_envelope(sealed, self._end_to_end, seal.DOWN)
            self._fresh(envelope)
            if envelope.kind == frames.RECEIPT:
                self._receipted(now, frames.unpack_receipt(body))
            elif envelope.kind == frames.TIME:
                self.clock.answer(now, frames.unpack_time(body))
            elif envelope.kind == frames.ARM:
                self._arm(now, frames.unpack_arm(body))
        except RemoteProtocolError:
            self._ble.rejected += 1

    def _fresh(self, envelope) -> None:
        # The centre's epoch only rises; within one, each number counts once.
        epoch = self._memory.get("epoch", 0)
        if envelope.origin < epoch:
            raise RemoteProtocolError("old_epoch")
        if envelope.origin > epoch:
            self._memory.put("epoch", envelope.origin)
            self._commands = ReplayWindow()
        self._commands.check(envelope.number)
        self._commands.accept(envelope.number)

    def _receipted(self, now: int, receipt) -> None:
        if not self.journal.receipt(receipt):
            return
        self._ble.receipted(now)
        self._cellular.receipted(now)
        if not len(self.journal):
            self._flush = False
        if not self.journal.alarm_pending():
            self._fallback_at = None
            self._alarm_overdue = False
        self._keep_line(now)

    def _arm(self, now: int, arm) -> None:
        if self.strap.is_open or self._strap_ohm >= self._config.strap_open_ohm:
            self._event(frames.EVENT_ARM_REFUSED, now, self._strap_ohm)
            return
        self.armed = True
        self._removed = False
        self.strap.arm(self._strap_ohm)
        self._home_heard = now
        self._beacon_at = now + self._config.beacon_period_s * 1000
        self._event(frames.EVENT_ARMED, now, arm.key_id & 0x7FFFFFFF)

    def _welcomed(self, now: int, bearer: int, welcome) -> None:
        self._send(bearer, self._uplink(bearer).reply(self._boot & 0xFFFF, now // 1000))
        if bearer == out.BLE and welcome.flags & 1:
            self._home_heard = now
            if self.away:
                self.away = False
                self._event(frames.EVENT_CAME_HOME, now, 0)
        if self.clock.age_s(now) >= self._config.time_refresh_s:
            self._ask_time(now, bearer)

    def _ask_time(self, now: int, bearer: int) -> None:
        nonce = self._entropy(8)
        self.clock.ask(now, nonce)
        origin, number = int.from_bytes(nonce[:4], "big"), int.from_bytes(nonce[4:], "big")
        body = frames.pack_time_request((self._boot & 0xFFFF, now // 1000))
        sealed = seal.seal_envelope((frames.TIME_REQUEST, 0, origin, number), body, self._end_to_end, seal.UP)
        self._send(bearer, self._uplink(bearer).send(sealed))

    # Bearers.

    def _uplink(self, bearer: int):
        return self._ble if bearer == out.BLE else self._cellular

    def _send(self, bearer: int, line: bytes) -> None:
        self._outputs.append((out.LINK_SEND, bearer, line))

    def _keep_line(self, now: int) -> None:
        if self._hang_up_at is not None:
            wait = self._config.cellular_idle_ms if len(self.journal) else 1000
            self._hang_up_at = now + wait

    def _settle(self, now: int) -> None:
        # After anything that may have changed what is wanted: receiver, records on their way, the cellular line.
        self._want_positions(now)
        if self._positioning.power != self._gnss_was_on:
            self._gnss_was_on = self._positioning.power
            self._outputs.append((out.GNSS_POWER, self._gnss_was_on))
        for uplink in (self._ble, self._cellular):
            if uplink.is_open:
                for line in uplink.pump(now):
                    self._send(uplink.bearer, line)
        self._want_cellular(now)

    def _want_positions(self, now: int) -> None:
        if self._config.log_every_epoch:
            self._positioning.want(now, 1)
        elif not (self.armed and self.away):
            self._positioning.want(now, None)
        elif self.strap.latched:
            self._positioning.want(now, self._config.violation_fix_s)
        else:
            self._positioning.want(now, self._config.away_fix_s)

    def _want_cellular(self, now: int) -> None:
        if self._dialling or self._cellular.is_open or self._hang_up_at is not None:
            self._dial_at = None
            return
        if not (self._alarm_overdue or (self.away and self._flush)):
            self._dial_at = None
            return
        if self._dial_at is None:
            self._dial_at = now
        if now >= self._dial_at:
            self._dial_at = None
            self._dialling = True
            self._outputs.append((out.LINK_OPEN, out.CELLULAR))

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
