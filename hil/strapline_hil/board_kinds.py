"""The kinds of board that there is a product for, and how each calls itself: the wrong one is never flashed."""

import re
from typing import NamedTuple

from strapline_hil.board_files import BoardError
from strapline_hil.identity import MPY_VERSION, Identity
from strapline_protocol.errors import UserError


class Kind(NamedTuple):
    """`product` is the board whose product program it gets; `machine` is what its MicroPython calls it, `*` for anything."""

    product: str
    machine: str


# `sys.implementation._machine` is MICROPY_HW_BOARD_NAME " with " MICROPY_HW_MCU_NAME (py/mpconfig.h); on the unix port, what built it.
KINDS = {
    # https://github.com/micropython/micropython/blob/master/ports/rp2/boards/RPI_PICO_W/mpconfigboard.h, ports/rp2/mpconfigport.h
    "pico-w": Kind("pico-w", "Raspberry Pi Pico W with RP2040"),
    # …/ports/esp32/boards/ESP32_GENERIC_C3/mpconfigboard.h: "ESP32C3 module", "Generic ESP32C3 module" in 1.28
    "esp32-c3": Kind("esp32-c3", "* with ESP32C3"),
    # …/ports/nrf/boards/PCA10056/mpconfigboard.h: "PCA10056"; each maker's board has a name of its own, all have the chip's
    "nrf52840": Kind("nrf52840", "* with NRF52840"),
    # …/py/mpconfig.h (MICROPY_PY_SYS_PLATFORM " [" MICROPY_PLATFORM_COMPILER "] version"): the board on a pseudo-terminal.
    # The virtual board's pins are those of the Pico W.
    "virtual-board": Kind("pico-w", "* [*] version"),
}


class WrongBoardError(BoardError):
    """Not the board that was meant; nothing was written on it."""


class Wanted(NamedTuple):
    """Which board is meant; what is empty is not asked for."""

    kind: str
    machine: str = ""
    """What its MicroPython calls it, where that differs from its kind's name: a build of one's own, a board of one's own."""
    serial_number: str = ""
    unique_id: str = ""

    @property
    def product(self) -> str:
        return KINDS[self.kind].product if self.kind in KINDS else self.kind


def machine_of(wanted: Wanted) -> str:
    """Its pattern; UserError where nobody knows it."""
    if wanted.machine:
        return wanted.machine
    if wanted.kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise UserError(
            f"--board {wanted.kind}: no kind of board that is known here ({known}); "
            "where it is one of your own, say what its MicroPython calls itself: --machine NAME"
        )
    return KINDS[wanted.kind].machine


def check_board(place: str, identity: Identity, wanted: Wanted, usb_serial_number: str) -> None:
    """WrongBoardError where it is another one than is meant, or cannot load what would be written."""
    machine = machine_of(wanted)
    if not _fits(identity.machine, machine):
        raise _wrong(
            place, f"this is a {identity.machine!r}, and --board {wanted.kind} means what calls itself {machine!r}"
        )
    if wanted.serial_number and wanted.serial_number != usb_serial_number:
        has = f"serial number {usb_serial_number!r}" if usb_serial_number else "no serial number of its own"
        raise _wrong(place, f"what is plugged in there has {has} on USB, and {wanted.serial_number!r} is meant")
    if wanted.unique_id and _bare(wanted.unique_id) != identity.unique_id:
        has = f"id {identity.unique_id}" if identity.unique_id else "no id"
        raise _wrong(place, f"this board has {has}, and {_bare(wanted.unique_id)} is meant")
    if identity.mpy_version != MPY_VERSION:
        raise WrongBoardError(
            f"{place}: {identity} does not load .mpy version {MPY_VERSION}, nothing was written; flash MicroPython 1.19 or later"
        )


def _wrong(place: str, why: str) -> WrongBoardError:
    return WrongBoardError(f"{place}: {why}, nothing was written; name the board that is meant, or mend the name")


def _fits(machine: str, pattern: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), machine) is not None


def _bare(unique_id: str) -> str:
    """As `machine.unique_id().hex()`, however it was copied."""
    return re.sub(r"[^0-9a-f]", "", unique_id.lower())
