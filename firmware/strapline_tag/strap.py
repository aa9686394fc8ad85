# The strap: an opening is caught by the edge latch, a manipulation by the loop's resistance. Once open it stays latched until the
# electronic key arms the tag anew, however soon it closes again.


class Strap:
    def __init__(self, config, report):
        self._config = config
        self._report = report  # report(code name, now, detail)
        self.is_open = False
        self.latched = False
        self.openings = 0
        self._nominal_ohm = 0
        self._odd_samples = 0
        self._altered = False

    def arm(self, ohm: int) -> None:
        self.latched = False
        self.openings = 0
        self._nominal_ohm = ohm
        self._odd_samples = 0
        self._altered = False

    def resume(self, ohm: int, openings: int, altered: bool) -> None:
        # Armed before a reboot, and what has happened since then stays: a reboot unlatches nothing.
        self.arm(ohm)
        self.openings = openings
        self._altered = altered
        self.latched = altered or openings > 0

    def edge(self, now: int, is_open: bool) -> None:
        # From the comparator's latch: a 50 ms opening gives two edges, however long the processor slept.
        if is_open and not self.is_open:
            self.is_open = True
            self.latched = True
            self.openings += 1
            self._report("open", now, self.openings)
        elif self.is_open and not is_open:
            self.is_open = False
            self._report("closed", now, self.openings)

    def sample(self, now: int, ohm: int) -> None:
        if ohm >= self._config.strap_open_ohm:
            self.edge(now, True)
            return
        self.edge(now, False)
        band = self._nominal_ohm * self._config.strap_tolerance_percent
        if self._nominal_ohm and abs(ohm - self._nominal_ohm) * 100 > band:
            self._odd_samples += 1
            if self._odd_samples >= self._config.strap_altered_samples and not self._altered:
                self._altered = True
                self.latched = True
                self._report("altered", now, ohm)
        else:
            self._odd_samples = 0
