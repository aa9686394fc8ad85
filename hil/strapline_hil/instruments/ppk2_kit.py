"""The library ppk2-api on a port of ours: alone it opens its own, swallows what fails there, and takes half an answer for a whole one.

It is under the GPL, version 2, and this is the only file that imports it.
"""

from ppk2_api.ppk2_api import PPK2_API, PPK2_Command

from strapline_hil.ports import Port

_BEGIN, _END = b"Calibrated: ", b"END\n"


class Ppk2Kit(PPK2_API):  # type: ignore[misc]
    """Bytes to a kit and currents from its samples; what to ask when is the meter's."""

    def __init__(self, port: Port, *, filters_spikes: bool) -> None:
        super().__init__(None)  # opens nothing
        self._port = port
        self._filters_spikes = filters_spikes

    def __del__(self) -> None:
        """The port is not ours to close."""

    def _write_serial(self, cmd_tuple: tuple[int, ...]) -> None:
        self._port.write(bytes(cmd_tuple))

    def read_calibration(self) -> bytes | None:
        """None where it was understood, else what came in its place."""
        self._write_serial((PPK2_Command.GET_META_DATA,))
        answer = self._port.read_until(lambda data: data.endswith(_END) or not data.isascii())
        return None if self._understands(answer) else answer

    def stop_whole(self) -> bytes | None:
        """Stop; what came until then. None where the kit does not confirm it."""
        self.stop_measuring()
        self._write_serial((PPK2_Command.GET_META_DATA,))
        answer = self._port.read_until(lambda data: data.endswith(_END))
        samples, begin, calibration = answer.rpartition(_BEGIN)
        return samples if self._understands(begin + calibration) else None

    def _understands(self, answer: bytes) -> bool:
        if not (answer.startswith(_BEGIN) and answer.endswith(_END) and answer.isascii()):
            return False
        return bool(self._parse_metadata(answer.decode()))

    def micro_a(self, word: int) -> float:
        if not self._filters_spikes:
            self.prev_range, self.after_spike = None, 0
        measured, _ = self._handle_raw_data(word)
        return float(measured)

    def forget(self) -> None:
        """The spike filter knows what was before."""
        self.rolling_avg = self.rolling_avg4 = self.prev_range = None
        self.after_spike = self.consecutive_range_samples = 0
