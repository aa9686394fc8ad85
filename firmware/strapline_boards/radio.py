# BLE by MicroPython's `bluetooth`: one advertising event at a time, and a byte stream over GATT with one central.
from strapline_boards.deadlines import NEVER
from strapline_tag import outputs as out
from strapline_wire import gatt
from strapline_wire.compat import const

_CENTRAL_CONNECT = const(1)
_CENTRAL_DISCONNECT = const(2)
_GATTS_WRITE = const(3)
_MTU_EXCHANGED = const(21)

_MTU = const(247)  # one ATT packet in one link-layer packet of 251 bytes
_RX_SIZE = const(1200)  # two lines of the link
_INTERVAL_US = const(100000)
_EVENT_MS = const(
    40
)  # the first event follows within some 10 ms; stopped before the interval has passed it is the only one
_RETRY_MS = const(20)  # a notification that finds no buffer goes again

# 128-bit UUIDs, properties: docs.micropython.org, bluetooth, gatts_register_services
_NOTIFY = const(0x10)
_WRITE = const(0x0C)  # with and without a response


class Radio:
    fault = 64

    # bluetooth: the module, or None; wake.is_set is set when something has come.
    def __init__(self, bluetooth, wake):
        self._wake = wake
        self._central = None
        self._events = []  # True: up, False: down, None: bytes have come
        self._waiting = b""
        self._room = 20
        self._stop_at = NEVER
        self._address = None
        self.due = NEVER
        self.tag = None
        self.failed = True
        if bluetooth is not None:
            try:
                self._start(bluetooth)
                self.failed = False
            except OSError:
                pass  # a radio that does not start

    def _start(self, bluetooth) -> None:
        self._ble = ble = bluetooth.BLE()
        ble.active(True)
        ble.config(mtu=_MTU, addr_mode=1)  # a random static address; which one, advertise() says
        ble.irq(self._irq)
        uuid = bluetooth.UUID
        service = (uuid(gatt.SERVICE_UUID), ((uuid(gatt.TO_TAG_UUID), _WRITE), (uuid(gatt.FROM_TAG_UUID), _NOTIFY)))
        ((self._to_tag, self._from_tag),) = ble.gatts_register_services((service,))
        ble.gatts_set_buffer(self._to_tag, _RX_SIZE, True)

    def _irq(self, event, data):
        if event == _CENTRAL_CONNECT:
            if self._central is not None:
                self._ble.gap_disconnect(data[0])
                return
            self._central = data[0]
            self._room = 20
            self._events.append(True)
        elif data[0] != self._central:
            return
        elif event == _CENTRAL_DISCONNECT:
            self._central = None
            self._events.append(False)
        elif event == _MTU_EXCHANGED:
            self._room = data[1] - 3
        elif event == _GATTS_WRITE and None not in self._events:
            self._events.append(None)
        self._wake.is_set = True

    def poll(self, now: int) -> bool:
        # Hands on what has come; False where nothing has.
        events = self._events
        if not events:
            return False
        self._events = []
        for event in events:
            if event:
                self.tag.feed_link_up(now, out.BLE)
            elif event is None:
                self.tag.feed_link(now, out.BLE, bytes(self._ble.gatts_read(self._to_tag)))
            else:
                self._waiting = b""
                self.tag.feed_link_down(now, out.BLE)
        return True

    def advertise(self, now: int, address: bytes, frame: bytes) -> None:
        if self.failed:
            return
        ble = self._ble
        ble.gap_advertise(None)
        if address != self._address:
            self._address = address
            # `config` cannot set the address: LE Set Random Address (Core 5.4, 7.8.4 of Vol 4, Part E), which a controller refuses while
            # it advertises. Stock builds lack hci_cmd: there the stack draws an address of its own at each change.
            if hasattr(ble, "hci_cmd"):
                ble.hci_cmd(8, 5, bytes(reversed(address)), bytearray(1))
            else:
                ble.config(addr_mode=1)
        # Flags (general discoverable, no BR/EDR), service data of a 16-bit UUID.
        head = (2, 1, 6, len(frame) + 3, 0x16, gatt.SERVICE_DATA_UUID16 & 255, gatt.SERVICE_DATA_UUID16 >> 8)
        try:
            ble.gap_advertise(_INTERVAL_US, bytes(head) + frame, connectable=self._central is None)
            self._stop_at = now + _EVENT_MS
        except OSError:  # the stack is busy with a connection that begins: the next heartbeat is near
            self._stop_at = NEVER
        self._set_due(now)

    def send(self, now: int, data: bytes) -> None:
        self._waiting += data
        self._pump(now)

    def _pump(self, now: int) -> None:
        while self._waiting and self._central is not None:
            try:
                self._ble.gatts_notify(self._central, self._from_tag, self._waiting[: self._room])
            except OSError:
                break  # ENOMEM: no buffer is free
            self._waiting = self._waiting[self._room :]
        self._set_due(now)

    def _set_due(self, now: int) -> None:
        self.due = min(self._stop_at, now + _RETRY_MS) if self._waiting else self._stop_at

    def handle_timer(self, now: int) -> None:
        if now >= self._stop_at:
            self._stop_at = NEVER
            self._ble.gap_advertise(None)
        self._pump(now)

    def hang_up(self, now: int) -> None:
        if self._central is not None:
            self._ble.gap_disconnect(self._central)
