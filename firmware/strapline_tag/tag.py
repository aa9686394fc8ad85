# The tag: its parts under one roof. Bytes, samples and `now` (ms since boot) in, outputs out.
#
# A part decides one thing. It tells events by `tell(code, now, detail)`, reads what others know from the Situation, and where it waits
# for something it has next_deadline() and handle_timer(now) and stands in `_parts`. What it obeys stands in `_orders_table`.
from strapline_tag import outputs as out
from strapline_tag import settings
from strapline_tag.battery import Battery
from strapline_tag.beacon import Beacon
from strapline_tag.bearers import Bearers
from strapline_tag.broadcast import Broadcast
from strapline_tag.config import Config
from strapline_tag.curfew import Curfew
from strapline_tag.deadline import sooner
from strapline_tag.dialogue import Dialogue
from strapline_tag.enrolment import check
from strapline_tag.housing import Housing
from strapline_tag.journal import COUNTER_LOW, Journal
from strapline_tag.keyring import Keyring
from strapline_tag.motion import Motion
from strapline_tag.nmea import NmeaParser
from strapline_tag.orders import Orders
from strapline_tag.positioning import Positioning
from strapline_tag.presence import Presence
from strapline_tag.recorder import Recorder
from strapline_tag.situation import Situation
from strapline_tag.skin import Skin
from strapline_tag.strap import Strap
from strapline_tag.timekeeping import Clock
from strapline_tag.update import Update
from strapline_wire import frames, seal
from strapline_wire.arq import draw_generation
from strapline_wire.compat import const
from strapline_wire.session import TagHandshake

_FAULTS_EVERY_MS = const(3600000)
_NEVER = 1 << 62


class Tag:
    # secret: 16 bytes; memory: what survives a reboot, integers by get and put, bytes by read and write;
    # entropy(n): n random bytes; make_cipher(key): AES-CCM; flash: the journal's block device (journal.py);
    # slots: the boot program's, where this body can be updated.
    def __init__(self, secret, memory, entropy, make_cipher, flash, config=None, slots=None):
        self._config = config = config or Config()
        self._memory = memory
        settings.resume(config, memory)
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
        self.situation = situation = Situation()
        self.clock = Clock()
        # Another with each boot: questions are numbered under it, and the journal if one begins now. A journal that is there goes on under
        # its own id, above all numbers that it had at the last start, whatever has become of the flash meanwhile.
        self._origin = origin = (journal_base + self._boot) & 0xFFFFFFFF
        self.journal = journal = Journal(flash, origin, memory.get("noted", 0), config.journal_alarm_reserve)
        memory.put("noted", journal.ident << 32 | journal.newest)
        self._recorder = recorder = Recorder(self._boot, self.clock, self.journal, self._keys, self._on_event)
        tell = self.clock.tell = recorder.event
        self._broadcast = Broadcast(config, self._keys, memory, entropy)
        self._bearers = Bearers(config, self.journal, recorder.seal_record, self._emit)
        self.strap = Strap(config, situation, memory, recorder.event)
        self.skin = Skin(config, situation, tell)
        self.battery = Battery(config, situation, memory, tell)
        self.motion = Motion(config, situation, self._tell_armed)
        self.housing = Housing(config, situation, self.battery, self._tell_armed)
        self.faults = 0  # bits of the sensors that do not answer
        self.parser = NmeaParser()
        self._positioning = Positioning(
            config, situation, memory, self.clock, self.parser, recorder, self._broadcast, self._emit
        )
        self.sky = self._positioning.sky
        self._presence = Presence(config, situation, tell, self._broadcast.hurry)
        self._beacon = Beacon(config, self.battery, tell)
        self._curfew = Curfew(config, memory, self.clock, situation, tell)
        self.dialogue = Dialogue(config, memory, situation, tell, self._emit)
        self._parts: tuple = (
            self._beacon,
            self._presence,
            self._positioning,
            self._bearers,
            self._curfew,
            self.dialogue,
        )
        table = self._orders_table()
        self._update = None
        if slots:
            self._update = Update(config, slots, memory, self.clock, self._sensed, tell, self._emit)
            self._parts += (self._update,)
            table.update(self._update.orders())
        self._orders = Orders(self._keys, memory, config.document_limit, table, tell)
        self._parts_due = self._last = 0
        self.stale = True  # the next deadline may be another by now
        self._touched = True  # something has happened since the parts were last asked
        self._said = 0  # state of the next heartbeat
        self._hellos = 0
        self.unread = 0  # records that the centre has and cannot read
        self.strap_ohm = 0
        self.skin_centi_c = 0
        self._felt = False  # the skin sensor has been read
        self._checked_at = 0
        self.reached_at = None  # the last WELCOME, whoever's
        self._journal_faults = 0  # as told
        self._faults_again_at = 0  # flash that wears out must not fill the journal with its own faults
        self._out = memory.get("out", 0)  # bits: away, curfew broken
        self._resume()
        tell(frames.EVENT_STARTED, 0, self._boot)
        self.dialogue.resume()
        if self._update:
            self._update.report(0)
        if journal.alarms:
            self._on_event(0, frames.EVENT_STARTED, True)
        if journal.newest >= COUNTER_LOW:
            tell(frames.EVENT_COUNTER_LOW, 0, 1)

    def _orders_table(self) -> dict:
        return {
            frames.RECEIPT: (frames.unpack_receipt, self._receipt),
            frames.RECEIPT_FAR: (frames.unpack_receipt_far, self._receipt_far),
            frames.TIME: (frames.unpack_time, self._time),
            frames.ARM: (frames.unpack_arm, self._arm),
            frames.REKEY: (frames.unpack_rekey, self._rekey),
            frames.REFUSED: (frames.unpack_refused, self._unread),
            frames.DISARM: (frames.unpack_disarm, self._disarm),
            # Read by those who obey, and kept, as they came.
            frames.CONFIG: (bytes, self._set),
            frames.CURFEW: (bytes, self._curfew.obey),
            frames.MESSAGE: (bytes, self.dialogue.obey),
            frames.ZONES: (bytes, self._positioning.zones.obey),
            frames.LOCATE: (bytes, self._positioning.locate),
        }

    def _resume(self) -> None:
        # Armed before a reboot stays armed.
        memory = self._memory
        nominal_ohm = memory.get("armed_ohm", 0)
        if nominal_ohm:
            situation = self.situation
            situation.armed = True
            # Nor does it bring anybody home: positions and the line go on at once, and what was told is not told again.
            situation.away = self._out & 1 > 0
            situation.curfew_broken = self._out > 1
            self.strap.resume(nominal_ohm, memory.get("openings", 0), memory.get("altered", 0) == 1)
            self._beacon.start(0)
            self._presence.arm(0)

    @property
    def armed(self) -> bool:
        return self.situation.armed

    @property
    def away(self) -> bool:
        return self.situation.away

    @property
    def rejected(self) -> int:
        # Frames and commands that were not genuine or not new, whoever sent them.
        return self._bearers.rejected + self._orders.refused

    # Inputs. Samples allocate nothing and settle nothing; an event that they cause does.

    def feed_strap_edge(self, now: int, is_open: bool) -> None:
        self.strap.edge(now, is_open)
        self._settle(now)

    def feed_strap(self, now: int, ohm: int) -> None:
        self.strap_ohm = ohm
        self._touched = True
        self.strap.sample(now, ohm)

    def feed_skin(self, now: int, skin_centi_c: int, ambient_centi_c: int) -> None:
        self.skin_centi_c = skin_centi_c
        self.housing.heat(now, ambient_centi_c)
        if not self.faults & 6:
            self.skin.sample(now, skin_centi_c, ambient_centi_c)
            if not self._felt:
                self._felt = self._touched = True

    def feed_motion(self, now: int, samples, count: int) -> None:
        # Triplets of mg, none while the chip sleeps. Home is asked for sooner by who moves.
        was_resting = self.situation.resting
        if self.faults & 8:
            self.motion.wake(now)
        else:
            self.motion.feed(now, samples, count)
        if self.situation.resting != was_resting:
            self.stale = self._touched = True

    def feed_battery(self, now: int, percent: int, milli_v: int) -> None:
        self.battery.sample(now, percent, milli_v)

    def feed_housing(self, now: int, case_open: int, charging: int, immersed: int) -> None:
        self.housing.sample(now, case_open, charging, immersed)

    def feed_faults(self, now: int, bits: int) -> None:
        # Sensors that do not answer: 1 strap, 2 skin, 4 ambient, 8 motion, 16 receiver, 32 modem, 64 BLE, 128 flash.
        self.faults = bits

    def feed_button(self, now: int, pressed: bool) -> None:
        self.dialogue.press(now, pressed)
        self._settle(now)

    def feed_gnss(self, now: int, data: bytes) -> None:
        self._positioning.feed(now, data)
        self._settle(now)

    def feed_radio(self, now: int, jam: int, cell_dbm: int) -> None:
        # The receiver's jamming indicator (0 while it is off), and the cell's level; -140: none at all.
        self._positioning.sample(now, jam, cell_dbm)

    def feed_ring(self, now: int) -> None:
        # The network has paged the modem: something waits.
        self._bearers.ring(now)
        self._settle(now)

    def feed_key(self, now: int, sealed: bytes) -> None:
        # The electronic key was held to the tag: a command that the centre sealed for it.
        self._orders.take(now, sealed)
        self._settle(now)

    def feed_link_up(self, now: int, bearer: int) -> None:
        pseudonym = self._broadcast.slot.pseudonym
        handshake = TagHandshake(
            self._keys.link_key, self._keys.header, pseudonym, self._hello_nonce(), self._make_cipher
        )
        self._bearers.up(now, bearer, handshake, draw_generation(self._entropy))
        self.stale = self._touched = True

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
                self._orders.take(now, content)
            if bearer == out.BLE:
                self._presence.heard(now)
        self._settle(now)

    def feed_link_down(self, now: int, bearer: int) -> None:
        self._bearers.down(now, bearer)
        self._settle(now)

    # Time.

    def next_deadline(self) -> int:
        if self.stale:
            self.stale = False
            soonest = None
            for part in self._parts:
                soonest = sooner(soonest, part.next_deadline())
            self._parts_due = _NEVER if soonest is None else soonest
        due = self._broadcast.due
        if self._parts_due < due:
            due = self._parts_due
        return due if due > self._last else self._last  # what has been told may have made something due long ago

    def handle_timer(self, now: int) -> None:
        # With each heartbeat too: what a sample changed without a word (rest, a fault) is seen within ten seconds. A heartbeat before which
        # nothing has happened, and with which nothing is due, asks nobody.
        if self._touched or self.stale or now >= self._parts_due:
            self._ask(now)
        broadcast = self._broadcast
        if now >= broadcast.due:
            heartbeat = broadcast.make(
                now, self._said, self.strap.openings, self.battery.percent, self.journal.newest_alarm
            )
            if heartbeat:
                self._outputs.append(heartbeat)

    def _ask(self, now: int) -> None:
        self._touched = False
        for part in self._parts:
            part.handle_timer(now)
        self._pursue(now)
        self._said = self._flags(now)
        # Who waits for home, has a connection, is not armed, or has a fault of its flash to tell of, is asked again with the next one.
        if (
            self._outputs
            or not self.situation.armed
            or self._presence.asked is not None
            or self._bearers.stand
            or self.journal.faults != self._journal_faults
        ):
            self._touched = True

    def has_outputs(self) -> bool:
        return bool(self._outputs)

    def _emit(self, output: tuple) -> None:
        self._outputs.append(output)

    def take_outputs(self) -> list:
        outputs = self._outputs
        if outputs:
            self._outputs = []
        return outputs

    # What the parts tell.

    def _on_event(self, now: int, code: int, alarm: bool) -> None:
        self.stale = self._touched = True
        self._last = now
        self._bearers.event(now, alarm)
        if alarm:
            self._broadcast.alarm(now)
        elif code != frames.EVENT_BEACON:  # quick heartbeats every 4 h to the second would tell whose they are
            if code != frames.EVENT_CHECKED:
                self._broadcast.hurry(now)
        elif now - self._checked_at >= self._config.check_period_s * 1000:
            self._check(now)

    def _tell_armed(self, code: int, now: int, detail: int) -> None:
        if self.situation.armed:
            self._recorder.event(code, now, detail)

    # What the centre wants: each gives a refusal reason, or 0 or None.

    def _receipt(self, now: int, receipt) -> None:
        self._receipted(now, self.journal.receipt(receipt))

    def _receipt_far(self, now: int, receipt) -> None:
        self._receipted(now, self.journal.receipt_far(receipt))

    def _receipted(self, now: int, left: int) -> None:
        if left:
            self._bearers.receipted(now)
            if self._update:
                self._update.heard()

    def _time(self, now: int, time) -> None:
        if self.clock.answer(now, time):
            self._curfew.due = None
            if self._update:
                self._update.timed(now)

    def _sensed(self) -> bool:
        return self.strap_ohm > 0 and self._felt

    def _unread(self, now: int, refused) -> None:
        self.unread += 1

    def _rekey(self, now: int, rekey) -> int:
        if not self._keys.renew(rekey):
            return frames.REFUSAL_OLD_REVISION
        self._broadcast.rekeyed(now)
        self._recorder.event(frames.EVENT_REKEYED, now, rekey.generation)
        return 0

    def _set(self, now: int, document: bytes) -> int:
        refusal = settings.obey(self._config, self._memory, document, now, self._recorder.event)
        self.strap.unsettle()
        self._beacon.hasten(now)
        self._curfew.due = None  # the grace may be another one
        return refusal

    def _check(self, now: int) -> bool:
        self._checked_at = now
        return check(self, self._config, now, self._recorder.event)

    def _arm(self, now: int, arm) -> None:
        if not self._check(now):
            self._recorder.event(frames.EVENT_ARM_REFUSED, now, self.strap_ohm)
            return
        self.situation.armed = True
        self._begin(self.strap_ohm)
        self._presence.arm(now)
        self._beacon.start(now)
        self._recorder.event(frames.EVENT_ARMED, now, arm.key_id & 0x7FFFFFFF)

    def _disarm(self, now: int, disarm) -> None:
        code = frames.EVENT_DISARM_REFUSED
        if self.situation.armed:
            code = frames.EVENT_DISARMED
            self.situation.armed = self.situation.away = False
            self._begin(0)
            self._beacon.stop()
        self._recorder.event(code, now, disarm.key_id & 0x7FFFFFFF)

    def _begin(self, armed_ohm: int) -> None:
        # What was before does not count any more.
        self.strap.arm(armed_ohm)
        self.skin.arm()
        self.housing.arm()
        self._positioning.arm()
        self._positioning.zones.arm()
        self._memory.put("armed_ohm", armed_ohm)
        self._memory.put("openings", 0)
        self._memory.put("altered", 0)

    def _welcomed(self, now: int, bearer: int, welcome) -> None:
        self.reached_at = now
        self._bearers.reply(bearer, self._boot & 0xFFFF, now // 1000)
        if bearer == out.BLE:
            homes = self._config.homes
            is_home = bool(welcome.flags & 1) and (not homes or welcome.gateway in homes)
            if self._presence.welcomed(now, is_home):
                self._positioning.came_home(now)
        if self.clock.age_s(now) >= self._config.time_refresh_s:
            self._bearers.request(bearer, self._ask_time(now))

    def _ask_time(self, now: int) -> bytes:
        origin = self._origin
        number = self.clock.ask(now, origin)
        body = frames.pack_time_request((self._boot & 0xFFFF, now // 1000))
        return seal.seal_envelope((frames.TIME_REQUEST, 0, origin, number), body, self._keys.end_to_end, seal.UP)

    # What is wanted.

    def _settle(self, now: int) -> None:
        # After anything that may have changed what is wanted.
        self._touched = True
        self._pursue(now)

    def _pursue(self, now: int) -> None:
        # Receiver, records on their way, cellular line.
        self.stale = True
        self._last = now
        self._curfew.pursue(now)
        self.dialogue.pursue(now, self._presence.heard_at)
        situation = self.situation
        out_now = situation.away | situation.curfew_broken << 1
        if out_now != self._out:
            self._out = out_now
            self._memory.put("out", out_now)
        faults = self.journal.faults
        if faults != self._journal_faults and now >= self._faults_again_at:
            self._journal_faults = faults
            self._faults_again_at = now + _FAULTS_EVERY_MS
            self._recorder.event(frames.EVENT_JOURNAL_FAULT, now, faults)
        self._positioning.want(now)
        self._bearers.pursue(situation.violation)
        self._bearers.settle(now, situation.away)

    def _flags(self, now: int) -> int:
        return (
            (frames.STATE_ARMED if self.situation.armed else 0)
            | (frames.STATE_STRAP_OPEN if self.strap.is_open else 0)
            | (frames.STATE_STRAP_LATCHED if self.strap.latched else 0)
            | (frames.STATE_SKIN_LOST if self.skin.lost else 0)
            | (frames.STATE_AWAY if self.situation.away else 0)
            | (frames.STATE_PENDING if len(self.journal) else 0)
            | (frames.STATE_ALARM_PENDING if self.journal.alarms else 0)
            | (frames.STATE_CLOCK_TRUSTED if self.clock.trusted(now) else 0)
            | (frames.STATE_GNSS_ON if self._positioning.power else 0)
            | (frames.STATE_ASKS if self._presence.asked is not None else 0)
        )
