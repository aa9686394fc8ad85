"""The serial boards on this machine. Looks at USB; opens no port and speaks to no board.

A board's identity is its USB serial number, never the port's name: ports are handed out in the order of plugging in,
and the wrong board must never be flashed.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from serial.tools.list_ports import comports
from serial.tools.list_ports_common import ListPortInfo

from strapline_hil.board_files import BoardError

_NRF52840_ADAFRUIT = "nRF52840 with Adafruit's boot loader (Feather nRF52840 Express)"

# USB vendor and product → what it is. Only what its maker or MicroPython publishes.
KNOWN = {
    # https://github.com/raspberrypi/usb-pid (also every RP2 board that keeps MicroPython's default, ports/rp2/mpconfigport.h)
    (0x2E8A, 0x0005): "Raspberry Pi Pico (RP2) with MicroPython",
    (0x2E8A, 0x000A): "Raspberry Pi Pico (RP2040) with a Pico SDK program",
    (0x2E8A, 0x000C): "Raspberry Pi Debug Probe",
    # https://docs.espressif.com/projects/esp-iot-solution/en/latest/usb/usb_overview/usb_device_const_COM.html
    (0x303A, 0x1001): "Espressif USB JTAG/serial (ESP32-C3, C6, H2, S3 …)",
    # https://github.com/adafruit/Adafruit_nRF52_Arduino/blob/master/boards.txt: boot loader and program, with and without UF2
    (0x239A, 0x0029): _NRF52840_ADAFRUIT,
    (0x239A, 0x002A): _NRF52840_ADAFRUIT,
    (0x239A, 0x8029): _NRF52840_ADAFRUIT,
    (0x239A, 0x802A): _NRF52840_ADAFRUIT,
    # https://github.com/micropython/micropython/blob/master/ports/nrf/drivers/usb/usb_descriptors.c
    (0xF055, 0x9802): "nRF52 with MicroPython",
    # https://www.silabs.com/community/interface/knowledge-base.entry.html/2010/02/02/can_t_connect_twocp-M7lF
    (0x10C4, 0xEA60): "CP210x serial bridge, whatever is behind it",
}

# What a CP210x has until somebody writes another: https://lists.freebsd.org/archives/freebsd-hackers/2024-October/004017.html
# All zeros are as common: the boot ROM of every ESP32-S2 (Espressif's page above), MicroPython on nRF (its file above).
# None of them tells two boards apart.
_NOBODYS_SERIALS = frozenset({"0001"})


class Board(NamedTuple):
    """A serial port on USB; `serial_number` is empty where the board has none that tells it from another."""

    serial_number: str
    usb_id: str
    port: str
    name: str
    accessible: bool


def find_boards(ports: Iterable[ListPortInfo] | None = None) -> list[Board]:
    """The boards among `ports` (this machine's unless given), those with an identity first, by serial number."""
    on_usb = [port for port in (comports() if ports is None else ports) if port.vid is not None]
    shared = _shared_serials(on_usb)
    boards = [_board(port, shared) for port in on_usb]
    return sorted(boards, key=lambda board: (not board.serial_number, board.serial_number, board.port))


def serial_port(board: str) -> str:
    """The port of a board: what is a path stays, a USB serial number is looked up."""
    if not board or os.sep in board:
        return board
    ports = [found.port for found in find_boards() if found.serial_number == board]
    if len(ports) > 1:
        raise BoardError(f"{board}: this board has several ports; name one: {', '.join(ports)}")
    return ports[0] if ports else board


def _board(port: ListPortInfo, shared: frozenset[str]) -> Board:
    serial = port.serial_number or ""
    return Board(
        serial_number="" if serial in shared or not _tells_apart(serial) else serial,
        usb_id=f"{port.vid:04X}:{port.pid:04X}",
        port=port.device,
        name=KNOWN.get((port.vid, port.pid), port.product or "unknown board"),
        accessible=os.access(port.device, os.R_OK | os.W_OK),
    )


def _tells_apart(serial: str) -> bool:
    return bool(serial.strip("0")) and serial not in _NOBODYS_SERIALS


def _shared_serials(ports: Sequence[ListPortInfo]) -> frozenset[str]:
    """Serial numbers at more than one place on the bus; one board may well have several ports ("1-2:1.0", "1-2:1.2")."""
    places: dict[str, set[str]] = defaultdict(set)
    for port in ports:
        places[port.serial_number or ""].add((port.location or port.device).partition(":")[0])
    return frozenset(serial for serial, at in places.items() if len(at) > 1)
