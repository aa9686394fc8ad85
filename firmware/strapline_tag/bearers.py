# The ways to a gateway: the connections of both bearers, when the cellular line is dialled and when it is hung up.
# What the records are, and what a command means, is the tag's.
from strapline_tag import outputs as out
from strapline_tag.deadline import sooner
from strapline_tag.uplink import Uplink
from strapline_wire.compat import const

# R07: what waits is delivered within 15 min after the line is back. Dialling where there is no network is a search of some 20 s at 60 mA
# (typical of LTE-M modems): six in an hour take 2 mAh of the 14 that a tag with 72 h on 1,000 mAh has, and only while records wait.
_DIAL_WAIT_LONGEST_MS = const(600000)
_RING_PAUSE_MS = const(60000)  # anybody may page a modem: it makes the tag dial no more often
_DIAL_WAIT_PURSUED_MS = const(
    300000
)  # somebody who got out of the tag is being looked for: coverage must not be missed for an hour


class Bearers:
    # seal_record: slot of the journal -> sealed record; emit(output) hands an output to the body.
    def __init__(self, config, journal, seal_record, emit):
        self._config = config
        self._journal = journal
        self._emit = emit
        self._ble = Uplink(out.BLE, config, journal, seal_record)
        self._cellular = Uplink(out.CELLULAR, config, journal, seal_record)
        self._greet_by = None  # BLE: until then a WELCOME must be here
        self._dial_by = None  # cellular: until then the modem must have answered
        self._dial_at = None
        self._dial_wait_ms = config.cellular_retry_ms
        self._hang_up_at = None  # while a cellular line stands
        self._flush = False  # records wait that must not wait for the next beacon
        self._pursued = False  # a violation away from home: the line stays up, and each position goes at once
        self._alarm_overdue = False
        self._rung = False  # the network has paged: somebody waits at the other end
        self._rung_at = None
        self._fallback_at = None  # an alarm without a receipt takes the cellular line from then on, even at home

    @property
    def stand(self) -> bool:
        return self._ble.stands or self._cellular.stands

    @property
    def rejected(self) -> int:
        return self._ble.rejected + self._cellular.rejected

    # Connections.

    def up(self, now: int, bearer: int, handshake, generation: int) -> None:
        uplink = self._uplink(bearer)
        uplink.up(handshake, generation)
        self._transmit(now, uplink)
        if bearer == out.CELLULAR:
            self._dial_by = None
            self._hang_up_at = now + self._config.cellular_idle_ms
        else:
            self._greet_by = now + self._config.welcome_wait_ms

    # What the following three leave to be sent, `settle` sends.

    def receive(self, now: int, bearer: int, data: bytes) -> list:
        events = self._uplink(bearer).receive(now, data)
        if bearer == out.CELLULAR and self._hang_up_at is not None and events and events[0][0] == "welcome":
            # A slow line has taken its time for this; the receipt will take as long.
            self._hang_up_at = max(self._hang_up_at, now + self._config.cellular_idle_ms)
        return events

    def reply(self, bearer: int, boot: int, uptime_s: int) -> None:
        if bearer == out.BLE:
            self._greet_by = None
        self._uplink(bearer).reply(boot, uptime_s)

    def request(self, bearer: int, sealed: bytes) -> None:
        # Something sealed that is no record and is not sent again.
        self._uplink(bearer).send(sealed)

    def down(self, now: int, bearer: int) -> None:
        self._uplink(bearer).down()
        if bearer == out.BLE:
            self._greet_by = None
        elif self._dial_by is not None or self._hang_up_at is not None:
            self._lost(now)

    def _lost(self, now: int) -> None:
        # No line, or one that has ended: the next only after a pause, which grows until a receipt comes.
        self._dial_by = None
        self._hang_up_at = None
        self._dial_at = now + self._dial_wait_ms
        longest = _DIAL_WAIT_PURSUED_MS if self._pursued else _DIAL_WAIT_LONGEST_MS
        self._dial_wait_ms = min(self._dial_wait_ms * 2, longest)

    # What the journal has to say.

    def event(self, now: int, alarm: bool) -> None:
        # An event has joined the journal.
        self._flush = True
        self._dial_wait_ms = self._config.cellular_retry_ms
        if self._dial_at is not None:
            self._dial_at = min(self._dial_at, now + self._dial_wait_ms)
        if alarm and self._fallback_at is None and not self._alarm_overdue:
            self._fallback_at = now + self._config.alarm_fallback_ms

    def ring(self, now: int) -> None:
        # Nobody has proved anything yet: what it costs is bounded.
        if self._rung_at is None or now - self._rung_at >= _RING_PAUSE_MS:
            self._rung_at = now
            self._rung = True
            self._dial_at = None

    def pursue(self, pursued: bool) -> None:
        self._pursued = pursued
        if pursued and len(self._journal):
            self._flush = True

    def receipted(self, now: int) -> None:
        # A receipt has taken records out of the journal.
        self._ble.receipted(now)
        self._cellular.receipted(now)
        self._dial_wait_ms = self._config.cellular_retry_ms
        if not len(self._journal):
            self._flush = False
        if not self._journal.alarms:
            self._fallback_at = None
            self._alarm_overdue = False
        if self._hang_up_at is not None:
            config = self._config
            waits = len(self._journal) or self._pursued
            self._hang_up_at = now + (config.cellular_idle_ms if waits else config.cellular_linger_ms)

    # Time.

    def next_deadline(self) -> "int | None":
        soonest = sooner(self._ble.next_deadline(), self._cellular.next_deadline())
        soonest = sooner(soonest, self._greet_by)
        soonest = sooner(soonest, self._dial_by)
        soonest = sooner(soonest, self._dial_at)
        soonest = sooner(soonest, self._hang_up_at)
        return sooner(soonest, self._fallback_at)

    def handle_timer(self, now: int) -> None:
        for uplink in (self._ble, self._cellular):
            uplink.handle_timer(now)
        if self._fallback_at is not None and now >= self._fallback_at:
            self._fallback_at = None
            self._alarm_overdue = True
        if self._ble.has_failed or (self._greet_by is not None and now >= self._greet_by):
            self._greet_by = None
            self._hang_up(out.BLE)
        failed = self._cellular.has_failed
        for end in (self._dial_by, self._hang_up_at):
            if end is not None and (failed or now >= end):
                self._lost(now)
                self._hang_up(out.CELLULAR)

    def _hang_up(self, bearer: int) -> None:
        self._uplink(bearer).down()
        self._emit((out.LINK_CLOSE, bearer))

    def settle(self, now: int, away: bool) -> None:
        # After anything that may have changed what is wanted: records on their way, and the cellular line.
        for uplink in (self._ble, self._cellular):
            if uplink.is_open:
                uplink.pump(now)
            self._transmit(now, uplink)
        self._want_cellular(now, away)

    def _want_cellular(self, now: int, away: bool) -> None:
        if self._dial_by is not None or self._hang_up_at is not None:
            self._dial_at = None
            self._rung = False
            return
        if not (self._rung or self._alarm_overdue or (away and self._flush)):
            self._dial_at = None
            self._dial_wait_ms = self._config.cellular_retry_ms
            return
        if self._dial_at is None:
            self._dial_at = now
        if now >= self._dial_at:
            self._dial_at = None
            self._dial_by = now + self._config.cellular_dial_ms
            self._emit((out.LINK_OPEN, out.CELLULAR))

    def _uplink(self, bearer: int) -> Uplink:
        return self._ble if bearer == out.BLE else self._cellular

    def _transmit(self, now: int, uplink: Uplink) -> None:
        for line in uplink.lines(now):
            self._emit((out.LINK_SEND, uplink.bearer, line))
