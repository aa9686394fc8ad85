"""The body `qemu:ELF`: somebody's MicroPython image on an emulated board, driven as a board behind a serial line is."""

import os
import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Self

from strapline_hil.board_files import BoardError
from strapline_hil.serial_body import SerialBody
from strapline_protocol.diagnosis import find_program
from strapline_protocol.errors import UserError

MACHINE = "mps2-an385"
"""A Cortex-M3 with 4 MiB of memory, which MicroPython's port `qemu` is built for by default."""

MICROBIT = "microbit"
"""QEMU's nRF51822; its images are .hex files."""

_START_LIMIT_S = 10.0
_PTY = re.compile(rb"char device redirected to (/dev/\S+)")


def qemu_body(address: str) -> "QemuBody":
    """What `--on qemu:ELF` or `--on qemu:ELF@MACHINE` means."""
    path, at, machine = address.rpartition("@")
    if not at:
        path, machine = address, MICROBIT if address.endswith(".hex") else MACHINE
    if not Path(path).is_file():
        raise UserError(f"--on qemu:{address}: there is no file {path or '(none named)'}: name a MicroPython image")
    return QemuBody(Path(path), machine)


class QemuBody(SerialBody):
    """A `Body` in an emulator's process, which ends with it."""

    def __init__(self, image: Path, machine: str = MACHINE) -> None:
        with ExitStack() as stack:
            emulator = stack.enter_context(_Emulator([_program(), *_arguments(image, machine)]))
            try:
                super().__init__(emulator.port(), f"qemu:{image.name}@{machine}")
            except BoardError as error:
                raise BoardError(f"--on qemu:{image}@{machine}: {emulator.last_words() or error}") from None
            self._emulator = stack.pop_all()

    def close(self) -> None:
        super().close()
        self._emulator.close()


@contextmanager
def emulated_board(image: Path, machine: str = MACHINE) -> Iterator[str]:
    """The port of a board in an emulator's process, for a `with`: for the driver's own tests, and for trying an image by hand."""
    with _Emulator([_program(), *_arguments(image, machine)]) as emulator:
        yield emulator.port()


def _program() -> str:
    program = find_program("qemu-system-arm")
    if program is None:
        raise UserError("--on qemu: no qemu-system-arm on this machine: apt install qemu-system-arm")
    return str(program)


def _arguments(image: Path, machine: str) -> list[str]:
    load = ["-device", f"loader,file={image}"] if image.suffix == ".hex" else ["-kernel", str(image)]
    return ["-M", machine, "-display", "none", "-monitor", "null", "-serial", "pty", *load]


class _Emulator:
    def __init__(self, arguments: list[str]) -> None:
        self._process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def last_words(self) -> str:
        """What QEMU said when it ended by itself; empty while it runs."""
        if self._process.poll() is None or self._process.stdout is None:
            return ""
        return f"QEMU ended: {_text(self._process.stdout.read())}"

    def port(self) -> str:
        """Where its serial line ends; UserError with QEMU's own words where it does not start."""
        said = b""
        stream = self._process.stdout
        assert stream is not None
        deadline = monotonic() + _START_LIMIT_S
        while (found := _PTY.search(said)) is None:
            left = deadline - monotonic()
            data = os.read(stream.fileno(), 4096) if left > 0 and select.select([stream], [], [], left)[0] else b""
            if not data:
                raise UserError(f"--on qemu: QEMU does not start: {_text(said)}")
            said += data
        return found[1].decode()


def _text(said: bytes) -> str:
    return " / ".join(said.decode("utf-8", "replace").split("\n")).strip(" /")[:200] or "it says nothing"
