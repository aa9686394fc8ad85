"""What the bench finds on a machine: the serial boards."""

from collections.abc import Iterator

from strapline_hil.boards import find_boards
from strapline_protocol.diagnosis import Finding


def findings() -> Iterator[Finding]:
    found = find_boards()
    for board in found:
        name = board.serial_number or "(no serial number)"
        mend = "" if board.accessible else "sudo usermod -aG dialout $USER, then log in again"
        yield Finding("boards", name, board.accessible, f"{board.name}, {board.usb_id} at {board.port}", mend)
    if not found:
        yield Finding(
            "boards", "serial boards", present=False, detail="none on USB", mend="plug one in; none is needed"
        )
