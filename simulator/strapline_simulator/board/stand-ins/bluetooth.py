# MicroPython's documented `bluetooth` (docs.micropython.org, library/bluetooth) in the peripheral's role. The radio is the simulator's.
from struct import pack, unpack_from

import silicon

FLAG_READ = 0x0002
FLAG_WRITE_NO_RESPONSE = 0x0004
FLAG_WRITE = 0x0008
FLAG_NOTIFY = 0x0010

_ENODEV = 19
_EINVAL = 22


class UUID:
    def __init__(self, value):
        self._value = value

    def __eq__(self, other):
        return self._value == other._value

    def __hash__(self):
        return hash(self._value)


class BLE:
    _one = None

    def __new__(cls):
        if cls._one is None:
            cls._one = object.__new__(cls)
            cls._one._active = False
            cls._one._handler = None
        return cls._one

    def active(self, active=None):
        if active is not None and bool(active) != self._active:
            silicon.ask(0x62, bytes((1 if active else 0,)) + b"A")
            self._active = bool(active)
            self._values = {}
            self._appends = set()
            self._limits = {}
            self._advertised = b""
            silicon.on_radio(self._event)
        return self._active

    def _check(self):
        if not self._active:
            raise OSError(_ENODEV)

    def config(self, *names, **values):
        if names:
            if names[0] == "mac":
                self._check()
                return (1, silicon.ask(0x62, b"\x00m"))
            if names[0] == "mtu":
                return self._mtu
            raise ValueError("unknown config param")
        for name, value in values.items():
            if name == "addr_mode":
                silicon.ask(0x62, bytes((value,)) + b"R")
            elif name == "mtu":
                self._mtu = value
                silicon.ask(0x62, pack("<H", value)[:1] + b"M" + pack("<H", value))
            elif name not in ("gap_name", "rxbuf", "bond", "mitm", "io", "le_secure"):
                raise ValueError("unknown config param")  # 'mac' can only be asked for
        return None

    def irq(self, handler):
        self._handler = handler

    def hci_cmd(self, group, command, data, response):
        # Only in builds with MICROPY_PY_BLUETOOTH_ENABLE_HCI_CMD: gives the status.
        self._check()
        return silicon.ask(0x62, bytes((group,)) + b"H" + pack("<H", command) + bytes(data))[0]

    def gap_advertise(self, interval_us, adv_data=None, *, resp_data=None, connectable=True):
        self._check()
        if interval_us is None:
            silicon.ask(0x62, b"\x00S")
            return
        if adv_data is not None:
            if len(adv_data) > 31:
                raise OSError(_EINVAL)
            self._advertised = bytes(adv_data)
        silicon.ask(0x62, bytes((1 if connectable else 0,)) + b"G" + pack("<I", interval_us) + self._advertised)

    def gap_disconnect(self, connection):
        self._check()
        return bool(silicon.ask(0x62, bytes((connection,)) + b"D")[0])

    def gatts_register_services(self, services):
        self._check()
        handle = 16
        result = []
        for _, characteristics in services:
            handles = []
            for characteristic in characteristics:
                handles.append(handle)
                self._values[handle] = b""
                self._limits[handle] = 20
                silicon.ask(
                    0x62, bytes((handle,)) + b"C" + pack("<H", characteristic[1]) + characteristic[0]._value.encode()
                )
                handle += 3
            result.append(tuple(handles))
        return tuple(result)

    def gatts_set_buffer(self, handle, size, append=False):
        self._limits[handle] = size
        self._values[handle] = b""  # as both stacks have it
        if append:
            self._appends.add(handle)

    def gatts_read(self, handle):
        value = self._values[handle]
        if handle in self._appends:
            self._values[handle] = b""
        return value

    def gatts_write(self, handle, data, send_update=False):
        self._values[handle] = bytes(data)

    def gatts_notify(self, connection, handle, data=None):
        # Sent whether or not the client has subscribed; ENOMEM where no buffer is free. What is longer than the MTU allows is cut.
        self._check()
        value = self._values[handle] if data is None else bytes(data)
        silicon.ask(0x62, bytes((connection,)) + b"N" + pack("<H", handle) + value)

    def _event(self, kind, data):
        if kind == 3:
            connection, handle = unpack_from("<BH", data)
            value = bytes(data[3:])
            kept = self._values[handle] if handle in self._appends else b""
            self._values[handle] = (kept + value)[: self._limits[handle]]
            data = (connection, handle)
        elif kind == 21:
            data = unpack_from("<BH", data)
        else:
            data = (data[0], 1, memoryview(data)[1:7])
        if self._handler:
            self._handler(kind, data)
