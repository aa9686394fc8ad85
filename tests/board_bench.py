"""Drivers of `strapline_boards` in this CPython, on simulated chips: what `machine` would be between them, and a tag that writes down."""

import struct

from strapline_simulator.board.chips.radio import Radio as RadioChip
from strapline_simulator.board.chips.radio import RefusedError
from strapline_simulator.board.circuit import UART, Circuit, NackError


class Bus:
    """`machine.I2C` on a circuit; counts what goes over it."""

    def __init__(self, circuit):
        self._circuit = circuit
        self.transfers = 0

    def _transfer(self, address, data, size):
        self.transfers += 1
        try:
            return self._circuit.transfer(address, bytes(data), size)
        except NackError:
            raise OSError(19) from None

    def writeto_mem(self, address, register, data, *, addrsize=8):
        self._transfer(address, register.to_bytes(addrsize // 8, "big") + bytes(data), 0)

    def readfrom_mem(self, address, register, size, *, addrsize=8):
        return self._transfer(address, register.to_bytes(addrsize // 8, "big"), size)

    def readfrom_mem_into(self, address, register, buffer, *, addrsize=8):
        buffer[:] = self._transfer(address, bytes([register]), len(buffer))


class Line:
    """`machine.UART`: what the board sends goes to the chip, what comes is held in a buffer of `size`."""

    def __init__(self, circuit, number, size=1024):
        self._circuit, self._number, self._size = circuit, number, size
        self._held = b""

    def came(self, data):
        self._held = (self._held + data)[: self._size]

    def any(self):
        return len(self._held)

    def read(self, size):
        data, self._held = self._held[:size], self._held[size:]
        return data or None

    def write(self, data):
        self._circuit.uarts[self._number].receive(bytes(data))


class Desk:
    """Time for one driver: lets it do what is due, hands over what comes, until nothing is left or time is over."""

    def __init__(self, circuit=None):
        self.circuit = circuit or Circuit()
        self.lines = {}
        self.drivers = []
        self.split = 0
        """So many bytes come at a time; 0: as the chip sends them."""

    def line(self, number):
        self.lines[number] = Line(self.circuit, number)
        return self.lines[number]

    def run(self, for_ms):
        circuit = self.circuit
        until = circuit.now + for_ms
        while True:
            self._hand_over()
            dues = [driver.due for driver in self.drivers]
            chip = circuit.next_deadline()
            at = min([*dues, *([] if chip is None else [chip])], default=until + 1)
            if at > until:
                circuit.now = until
                return
            circuit.now = max(circuit.now, at)
            circuit.run_due()
            self._hand_over()
            for driver in self.drivers:
                if driver.due <= circuit.now:
                    driver.handle_timer(circuit.now)

    def _hand_over(self):
        circuit = self.circuit
        while circuit.interrupts:
            kind, number, size = struct.unpack_from("<BBH", circuit.interrupts[0])
            data = circuit.interrupts.pop(0)[4 : 4 + size]
            step = self.split or len(data) or 1
            for start in range(0, len(data), step):
                if kind == UART and number in self.lines:
                    self.lines[number].came(data[start : start + step])
                self.poll()
        self.poll()

    def poll(self):
        for driver in self.drivers:
            if hasattr(driver, "poll"):
                driver.poll(self.circuit.now)


class WritingTag:
    """Notes what it is fed."""

    def __init__(self):
        self.said = []

    def feed_link_up(self, now, bearer):
        self.said.append(("up", bearer))

    def feed_link(self, now, bearer, data):
        self.said.append((bearer, bytes(data)))

    def feed_link_down(self, now, bearer):
        self.said.append(("down", bearer))

    def feed_ring(self, now):
        self.said.append(("ring", None))

    def feed_gnss(self, now, data):
        self.said.append(("gnss", bytes(data)))

    def stream(self, bearer):
        return b"".join(data for kind, data in self.said if kind == bearer)

    def turns(self):
        return [kind for kind, _ in self.said if kind in ("up", "down")]


class Bluetooth:
    """The module `bluetooth` over the simulated radio, as the stand-in has it; without hci_cmd where a build lacks it."""

    def __init__(self, chip: RadioChip, *, hci=True):
        self.ble = _Ble(chip, hci=hci)
        self.BLE = lambda: self.ble
        self.UUID = lambda text: text


class _Ble:
    def __init__(self, chip, *, hci):
        self._chip = chip
        self._values = {}
        if hci:
            self.hci_cmd = self._hci_cmd

    def _ask(self, argument, letter, data=b""):
        try:
            return self._chip.obey(argument, letter, data)
        except RefusedError as refused:
            raise OSError(refused.number) from None

    def active(self, on):
        self._ask(int(on), "A")

    def config(self, *, mtu=None, addr_mode=None):
        if addr_mode is not None:
            self._ask(addr_mode, "R")
        if mtu is not None:
            self._ask(0, "M", struct.pack("<H", mtu))

    def irq(self, handler):
        self.handler = handler

    def _hci_cmd(self, group, command, data, response):
        return self._ask(group, "H", struct.pack("<H", command) + bytes(data))[0]

    def gap_advertise(self, interval_us, adv_data=None, *, connectable=True):
        if interval_us is None:
            self._ask(0, "S")
        else:
            self._ask(int(connectable), "G", struct.pack("<I", interval_us) + bytes(adv_data))

    def gap_disconnect(self, connection):
        return bool(self._ask(connection, "D")[0])

    def gatts_register_services(self, services):
        handles = []
        for handle, (uuid, flags) in enumerate(services[0][1], 16):
            self._ask(handle, "C", struct.pack("<H", flags) + uuid.encode())
            handles.append(handle)
        return (tuple(handles),)

    def gatts_set_buffer(self, handle, size, append=False):
        self._values[handle] = b""
        assert append

    def gatts_read(self, handle):
        value, self._values[handle] = self._values[handle], b""
        return value

    def gatts_notify(self, connection, handle, data):
        self._ask(connection, "N", struct.pack("<H", handle) + bytes(data))

    def deliver(self, circuit):
        """The interrupts that wait, into the driver's handler."""
        while circuit.interrupts:
            _, event, size = struct.unpack_from("<BBH", circuit.interrupts[0])
            data = circuit.interrupts.pop(0)[4 : 4 + size]
            if event == 3:
                connection, handle = struct.unpack_from("<BH", data)
                self._values[handle] += data[3:]
                self.handler(event, (connection, handle))
            elif event == 21:
                self.handler(event, struct.unpack("<BH", data))
            else:
                self.handler(event, (data[0], 1, data[1:]))
