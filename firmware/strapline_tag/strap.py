# The strap: an opening is caught by the edge latch, a manipulation by the loop's resistance. Once open it stays latched until the
# electronic key arms the tag anew, however soon it closes again.
from strapline_wire import frames


class Strap:
    # tell(code, now, detail, at): an event, stamped with the moment `at` where it was earlier than now.
    def __init__(self, config, situation, memory, tell):
        self._config = config
        self._situation = situation
        self._memory = memory
        self._tell = tell
        self.is_open = False
        self.arm(0)

    def arm(self, ohm: int) -> None:
        self.latched = self._situation.strap_latched = False
        self.openings = 0
        self._nominal_ohm = ohm
        self._odd_samples = 0
        self._altered = False
        self.unsettle()
        self._flaps = 0  # openings without an hour of quiet between them
        self._folded = False  # the latest opening has not been told yet
        self._fold_ms = 60000
        self._opened_at = self._closed_at = self._told_at = 0

    def unsettle(self) -> None:
        # Every sample counts again.
        self.calm_low = 1  # Ω: samples in this band change nothing
        self.calm_high = 0

    def resume(self, ohm: int, openings: int, altered: bool) -> None:
        # Armed before a reboot, and what has happened since then stays: a reboot unlatches nothing.
        self.arm(ohm)
        self.openings = openings
        self._altered = altered
        self.latched = self._situation.strap_latched = altered or openings > 0

    def edge(self, now: int, is_open: bool) -> None:
        # From the comparator's latch: a 50 ms opening gives two edges, however long the processor slept.
        if is_open == self.is_open:
            return
        self.is_open = is_open
        self.unsettle()
        if not self._situation.armed:
            return
        if is_open:
            self._latch()
            self.openings += 1
            if now - self._opened_at >= 3600000:
                self._flaps = 0
                self._fold_ms = 60000
            self._flaps += 1
            self._opened_at = now
            # Whoever flaps the strap must not fill the journal: then only the latest is told, ever more seldom, with the count of all.
            if self._flaps > self._config.strap_told_openings and now - self._told_at < self._fold_ms:
                self._folded = True
            else:
                self._tell_open(now)
            if self.openings <= 255:  # more of them a heartbeat cannot tell, and flash wears out
                self._memory.put("openings", self.openings)
        else:
            self._closed_at = now
            if not self._folded:
                self._tell_closed(now)

    def _tell_open(self, now: int) -> None:
        self._folded = False
        self._told_at = now
        if self._flaps > self._config.strap_told_openings:
            self._fold_ms = min(self._fold_ms * 2, 900000)
        self._tell(frames.EVENT_STRAP_OPEN, now, self.openings, self._opened_at)

    def _tell_closed(self, now: int) -> None:
        self._tell(frames.EVENT_STRAP_CLOSED, now, self._closed_at - self._opened_at, self._closed_at)

    def _latch(self) -> None:
        self.latched = self._situation.strap_latched = True

    def sample(self, now: int, ohm: int) -> None:
        if self._folded and now - self._told_at >= self._fold_ms:
            self._tell_open(now)
            if not self.is_open:
                self._tell_closed(now)
        config = self._config
        is_open = ohm >= config.strap_open_ohm
        if is_open != self.is_open:
            self.edge(now, is_open)
        nominal = self._nominal_ohm
        if is_open or not nominal:
            return
        tolerance = nominal * config.strap_tolerance_percent // 100
        if abs(ohm - nominal) <= tolerance:
            self._odd_samples = 0
            if not self._folded:
                self.calm_low = nominal - tolerance
                self.calm_high = min(nominal + tolerance, config.strap_open_ohm - 1)
        elif not self._altered:
            self.unsettle()
            self._odd_samples += 1
            if self._odd_samples >= config.strap_altered_samples:
                self._altered = True
                self._latch()
                self._tell(frames.EVENT_STRAP_ALTERED, now, ohm, now)
                self._memory.put("altered", 1)
