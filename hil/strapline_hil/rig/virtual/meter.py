"""A power meter whose time is virtual: its fake measures what the tag's firmware would draw, and time passes for it with the tag's.

What is drawn is reckoned by the figures of the energy budget, not measured.
"""

from collections.abc import Sequence

from strapline_hil.instruments.fakes.ppk2 import FakePpk2
from strapline_hil.instruments.ppk2_meter import Ppk2Meter
from strapline_hil.instruments.protocols import Clock, Sample
from strapline_simulator.energy.boards import figures
from strapline_simulator.energy.draw import Draw
from strapline_tag import bench

SAMPLES_PER_S = 20
_CELL_S = 1 / SAMPLES_PER_S
_MOST_OWED_S = 600.0
"""So much is measured at once: each reading takes real time, and a driver that is far behind takes samples for lost."""

_ROUNDING_S = 1e-9

_BOARD, _PROFILE = "pico-w", "one-piece"


class Current:
    """What flows into the tag, and the meters that it flows through."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._draw = Draw(_BOARD, _PROFILE, figures())
        self._charge_uc = 0.0
        self.now_s = 0.0
        self.micro_a = 0.0
        self.is_dark = False
        """The tag has no power."""
        self.meters: list[VirtualMeter] = []

    def catch_up(self) -> None:
        """A tag without power does not say that time goes on."""
        self.pass_time(self._clock())

    def pass_time(self, now_s: float) -> None:
        """From the last time to this it was even, on average."""
        lasted_s = now_s - self.now_s
        if lasted_s <= 0:
            return
        charge_uc = self._draw.charge_uc(now_s)
        micro_a = 0.0 if self.is_dark else (charge_uc - self._charge_uc) / lasted_s
        self._charge_uc = charge_uc
        for meter in self.meters:
            meter.pass_time(lasted_s, micro_a)
        self.now_s = now_s

    def asked(self, code: int, content: bytes) -> None:
        """A bench message: of these, a connection costs something."""
        if code in (bench.LINK_UP, bench.LINK_DOWN):
            self._draw.line(self.now_s, content[0], up=code == bench.LINK_UP)

    def said(self, answers: Sequence[bytes]) -> None:
        """What the tag does."""
        for answer in answers:
            if answer[0] == bench.OUTPUT:
                self._draw.output(self.now_s, answer[9], answer[10:])


class VirtualMeter(Ppk2Meter):
    """A driver that measures when it is read, all that has flowed since the last time."""

    def __init__(self, port: str, fake: FakePpk2, current: Current) -> None:
        self._measured_s = 0.0
        super().__init__(port, samples_per_s=SAMPLES_PER_S, clock=lambda: self._measured_s, name="meter")
        self._fake = fake
        self._current = current
        self._came: list[Sample] = []
        self._flowed = Evened()
        current.meters.append(self)

    def start(self) -> None:
        self._current.catch_up()
        self._came, self._flowed = [], Evened()
        self._measured_s = self._current.now_s
        super().start()

    def read(self) -> Sequence[Sample]:
        self._current.catch_up()
        self._measure()
        came, self._came = [*self._came, *super().read()], []
        return came

    def stop(self) -> None:
        if self._is_running:
            self._current.catch_up()
            self._measure()
        super().stop()

    def pass_time(self, lasted_s: float, micro_a: float) -> None:
        """So long it was so much."""
        if self._is_running:
            self._flowed.add(lasted_s, micro_a)
            if self._flowed.lasted_s >= _MOST_OWED_S:
                self._measure()

    def _measure(self) -> None:
        for cells, micro_a in self._flowed.take():
            self._current.micro_a = micro_a
            self._fake.pass_time(cells * _CELL_S)
            self._measured_s += cells * _CELL_S
        self._came += super().read()


class Evened:
    """What flowed, as means over a sample's time: a pulse that is shorter loses no charge."""

    def __init__(self) -> None:
        self.lasted_s = 0.0
        self._cells: list[tuple[int, float]] = []
        self._begun_s = self._begun_uc = 0.0

    def add(self, lasted_s: float, micro_a: float) -> None:
        self.lasted_s += lasted_s
        if self._begun_s:
            lasted_s = self._begin(lasted_s, micro_a)
        whole = int((lasted_s + _ROUNDING_S) / _CELL_S)
        if whole:
            self._cells.append((whole, micro_a))
        self._begin(lasted_s - whole * _CELL_S, micro_a)

    def take(self) -> list[tuple[int, float]]:
        """How many samples of how many µA."""
        cells, self._cells = self._cells, []
        self.lasted_s = 0.0
        return cells

    def _begin(self, lasted_s: float, micro_a: float) -> float:
        """Part of a sample; gives what is left of the time when it is full."""
        part_s = min(max(0.0, lasted_s), _CELL_S - self._begun_s)
        self._begun_s += part_s
        self._begun_uc += part_s * micro_a
        if self._begun_s >= _CELL_S - _ROUNDING_S:
            self._cells.append((1, self._begun_uc / self._begun_s))
            self._begun_s = self._begun_uc = 0.0
        return lasted_s - part_s


def meter_fake(current: Current) -> FakePpk2:
    return FakePpk2(lambda: current.micro_a, samples_per_s=SAMPLES_PER_S)
