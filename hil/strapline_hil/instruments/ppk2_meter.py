"""Nordic's Power Profiler Kit II as a meter: its commands and its calibration by `ppk2-api`, the port and the time by us.

A sample is 4 bytes, little-endian: 14 bits of reading, 3 of range, 6 of a counter, 8 of logic inputs; 100,000 of them a second
(https://github.com/NordicSemiconductor/pc-nrfconnect-ppk, src/device/serialDevice.ts). No command is answered but the one for
its calibration, which is asked after each setting: it answers in order.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise
from time import monotonic
from typing import Literal, Protocol

from strapline_hil.instruments.protocols import Clock, Sample
from strapline_hil.ports import Port, open_port
from strapline_hil.verdict import BenchError, RigError
from strapline_protocol.parts import install

SAMPLES_PER_S = 100_000
_TRIES = 3
_DRAIN_S, _MOST_DRAIN_S = 0.02, 0.25
_TOO_FEW = 8
"""So few samples say nothing of the line."""
_MOST_BEHIND_S = 1.0


class _Kit(Protocol):
    """What is asked of `Ppk2Kit`, which is imported where it is needed."""

    def start_measuring(self) -> None: ...

    def stop_measuring(self) -> None: ...

    def stop_whole(self) -> bytes | None: ...

    def use_ampere_meter(self) -> None: ...

    def use_source_meter(self) -> None: ...

    def set_source_voltage(self, milli_v: int, /) -> None: ...

    def toggle_DUT_power(self, state: str, /) -> None: ...  # noqa: N802 - the library's name

    def read_calibration(self) -> bytes | None: ...

    def micro_a(self, word: int) -> float: ...

    def forget(self) -> None: ...


class Ppk2Meter:
    """A `Meter` of what the tag draws; in the mode `source` it feeds the tag, too. Read it each second, or the PC loses samples.

    A `Sample` is the mean of `resolution_s`, beginning at its `t_s` on `clock`. `samples_per_s` is for fakes, which may be slower.
    """

    def __init__(
        self,
        port: str,
        *,
        milli_v: int = 3700,
        mode: Literal["ampere", "source"] = "ampere",
        resolution_s: float = 0.001,
        samples_per_s: int = SAMPLES_PER_S,
        clock: Clock = monotonic,
        name: str = "power meter",
        timeout_s: float = 1.0,
    ) -> None:
        self.name = name
        self.garbled = 0
        """Blocks of samples, and answers, that were none."""
        self.lost = 0
        """Samples that did not come; 64 in a row look like none."""
        self._clock = clock
        self._samples_per_s = samples_per_s
        self._per_block = max(1, round(resolution_s * samples_per_s))
        self._port = open_port(port, timeout_s=timeout_s, place=f"{name} at {port}")
        self._is_running = False
        self._feeds = mode == "source"
        self._read: list[Sample] = []
        self._forget()
        try:
            self._kit = _kit(self._port, filters_spikes=samples_per_s == SAMPLES_PER_S)
            self._set_up(milli_v)
        except BaseException:
            self._port.close()
            raise

    def start(self) -> None:
        """Returns when the first sample has come."""
        self._stop_and_forget()
        for _ in range(_TRIES):
            self._t0_s = self._clock()
            self._kit.start_measuring()
            self._is_running = True
            first = self._port.read(4)
            if len(first) == 4:
                self._take(first)
                return
        self._is_running = False
        raise self._port.no_sense("no samples", "switch it off and on again")

    def read(self) -> Sequence[Sample]:
        if self._is_running:
            self._drain()
        read, self._read = self._read, []
        return read

    def stop(self) -> None:
        """What has come until then is read as ever."""
        if not self._is_running:
            return
        self._is_running = False
        self._drain()
        rest = self._kit.stop_whole()
        if rest is None:
            raise self._port.no_sense("it does not stop", "switch it off and on again")
        self._take(rest)

    def power(self, on: bool) -> None:
        """The tag's supply through it, in either mode."""
        if self._is_running:
            raise RigError(self._port.place, "its power is not switched while it measures", "stop it first")
        self._kit.toggle_DUT_power("ON" if on else "OFF")
        self._calibration()

    def check(self) -> list[str]:
        """While it measures: that samples come whole. Else its calibration, and a first sample."""
        try:
            if self._is_running:
                self._drain()
            else:
                return self._check_idle()
        except RigError as error:
            return [str(error)]
        return []

    def blind_spots(self) -> list[str]:
        return [f"{self._port.place}: it measures current, and believes the voltage that it was told"]

    def close(self) -> None:
        with suppress(BenchError):  # a meter that has gone cannot be left any better
            self.stop()
            if self._feeds:
                self._kit.toggle_DUT_power("OFF")
                self._port.drain()
        self._port.close()

    def _set_up(self, milli_v: int) -> None:
        self._kit.stop_measuring()  # whoever had it before
        self._kit.use_source_meter() if self._feeds else self._kit.use_ampere_meter()
        self._kit.set_source_voltage(milli_v)
        self._calibration()
        self.power(on=True)

    def _check_idle(self) -> list[str]:
        self._calibration()
        unread = self._read
        self.start()
        self.stop()
        self._read = unread
        return []

    def _calibration(self) -> None:
        for _ in range(_TRIES):
            self._port.settle(_DRAIN_S)
            heard = self._kit.read_calibration()
            if heard is None:
                return
            self.garbled += bool(heard)
        if heard:
            raise self._port.no_sense("what answers there is no PPK2, or is garbled", "name another port")
        raise self._port.no_sense("no answer", "is this the PPK2's first port, and its switch on?")

    # Samples.

    def _forget(self) -> None:
        self._rest = b""
        self._count = 0
        self._counter: int | None = None
        self._sum, self._in_block = 0.0, 0
        self._read = []
        self._bad_blocks = 0
        self._t0_s = 0.0

    def _stop_and_forget(self) -> None:
        self._kit.stop_measuring()
        self._calibration()
        self._kit.forget()
        self._forget()

    def _drain(self) -> None:
        """All that has come. A meter that runs never ends, so this does."""
        deadline = monotonic() + _MOST_DRAIN_S
        while monotonic() < deadline and (data := self._port.read_waiting(_DRAIN_S)):
            self._take(data)
        self._keep_time()

    def _take(self, data: bytes) -> None:
        data = self._rest + data
        whole = len(data) // 4 * 4
        self._rest = data[whole:]
        words = struct.unpack(f"<{whole // 4}I", data[:whole])
        if self._out_of_step(words):
            self._begin_anew()
            return
        if len(words) > _TOO_FEW:
            self._bad_blocks = 0
        for word in words:
            self._skip_lost(word >> 18 & 0x3F)
            self._add(self._kit.micro_a(word))

    def _out_of_step(self, words: Sequence[int]) -> bool:
        """Where a byte is missing, counters jump everywhere."""
        counters = [word >> 18 & 0x3F for word in words]
        jumps = sum((before + 1) & 0x3F != after for before, after in pairwise(counters))
        return jumps > 1 and jumps * 2 > len(words)

    def _begin_anew(self) -> None:
        self.garbled += 1
        self._bad_blocks += 1
        self._kit.stop_measuring()
        self._port.settle(_DRAIN_S)
        self._rest, self._counter = b"", None
        if self._bad_blocks >= _TRIES:
            self._is_running = False
            raise self._port.no_sense("its samples are garbled", "change the USB cable, and use no hub")
        if self._is_running:
            self._t0_s = self._clock() - self._count / self._samples_per_s
            self._kit.start_measuring()

    def _skip_lost(self, counter: int) -> None:
        if self._counter is not None:
            missing = (counter - self._counter - 1) & 0x3F
            self.lost += missing
            self._count += missing
        self._counter = counter

    def _add(self, micro_a: float) -> None:
        if self._in_block == 0:
            self._block_t_s = self._t0_s + self._count / self._samples_per_s
        self._count += 1
        self._sum += micro_a
        self._in_block += 1
        if self._in_block == self._per_block:
            self._read.append(Sample(self._block_t_s, self._sum / self._in_block))
            self._sum, self._in_block = 0.0, 0

    def _keep_time(self) -> None:
        """Where nobody read for long, more was lost than the counter can tell: go on from now."""
        behind_s = self._clock() - self._t0_s - self._count / self._samples_per_s
        if behind_s > _MOST_BEHIND_S:
            self._t0_s += behind_s
            self.lost += round(behind_s * self._samples_per_s)
            self._sum, self._in_block = 0.0, 0


def _kit(port: Port, *, filters_spikes: bool) -> _Kit:
    """Only who has a kit needs its library."""
    try:
        from strapline_hil.instruments.ppk2_kit import Ppk2Kit
    except ImportError:
        raise RigError(port.place, "ppk2-api is not installed", install("ppk2")) from None
    return Ppk2Kit(port, filters_spikes=filters_spikes)
