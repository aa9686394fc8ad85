"""MAX17048: Maxim 19-6171. Voltage and charge as the world says they are; its model of the cell is taken to be right."""

from strapline_simulator.board.circuit import NackError


class Max17048:
    """`percent` and `milli_v` of the cell."""

    def __init__(self) -> None:
        self.present = True
        self.percent = 100
        self.milli_v = 3900

    def transfer(self, data: bytes, size: int) -> bytes:
        if not self.present:
            raise NackError
        vcell = min(-(-self.milli_v * 64 // 5), 0xFFFF)
        registers = bytes(2) + vcell.to_bytes(2, "big") + bytes((self.percent, 0))
        at = data[0] if data else 0
        return registers[at : at + size].ljust(size, b"\0")
