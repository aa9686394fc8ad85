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

SAMPLES_PER_S = 100
_PORTION_S = 60.0
"""So much is read at once: a driver that is far behind takes samples for lost."""

_BOARD, _PROFILE = "pico-w", "one-piece"


class Current:
    """What flows into the tag, and the meters that time passes for."""

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
        self.micro_a = 0.0 if self.is_dark else (charge_uc - self._charge_uc) / lasted_s
        self._charge_uc = charge_uc
        for meter in self.meters:
            meter.pass_time(lasted_s)
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
    """A driver whose samples are read as they come, because nobody else has the time."""

    def __init__(self, port: str, fake: FakePpk2, current: Current) -> None:
        self._measured_s = 0.0
        super().__init__(port, samples_per_s=SAMPLES_PER_S, clock=lambda: self._measured_s, name="meter")
        self._fake = fake
        self._current = current
        self._came: list[Sample] = []
        current.meters.append(self)

    def start(self) -> None:
        self._current.catch_up()
        self._came = []
        self._measured_s = self._current.now_s
        super().start()

    def read(self) -> Sequence[Sample]:
        self._current.catch_up()
        came, self._came = [*self._came, *super().read()], []
        return came

    def pass_time(self, lasted_s: float) -> None:
        """So long it measures what flows."""
        while self._is_running and lasted_s > 0:
            portion_s = min(lasted_s, _PORTION_S)
            lasted_s -= portion_s
            self._measured_s += portion_s
            self._fake.pass_time(portion_s)
            self._came += super().read()


def meter_fake(current: Current) -> FakePpk2:
    return FakePpk2(lambda: current.micro_a, samples_per_s=SAMPLES_PER_S)
