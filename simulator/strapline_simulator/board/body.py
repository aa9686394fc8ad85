"""The body `virtual-board`: the product build on the virtual board, behind the same messages as the bench program."""

import hashlib
import json
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path

from strapline_boards.pico_w import Board
from strapline_protocol.errors import UserError
from strapline_simulator.board.process import (
    HARD_RESET,
    PWRON_RESET,
    WDT_RESET,
    Processor,
    ResetError,
    compile_stand_ins,
)
from strapline_simulator.board.wiring import Wiring
from strapline_simulator.body_error import BodyError
from strapline_simulator.firmware import compile_firmware, firmware_sources
from strapline_tag import bench, outputs, storage

ROOT = "strapline_boards.main_pico_w"
"""The program; its pins are the virtual board's."""

HEAP_SIZE = "208k"
"""As the other bodies, and 16 KiB for the stand-ins, which no board has."""

_STAND_INS = "stand-ins"
_FOREVER = 1 << 62
_RESETS_AT_ONCE = 5
_WAKES_AT_ONCE = 2_000
_CAUSES = {PWRON_RESET: "power on", HARD_RESET: "reset by its program", WDT_RESET: "reset by its watchdog"}


def compile_product(folder: Path, texts: Mapping[str, str] | None = None) -> None:
    """The product build of the virtual board, and beside it what stands in for a board's own modules.

    `texts`: other sources than the installed ones.
    """
    compile_firmware(folder, ROOT, texts)
    compile_stand_ins(folder / _STAND_INS)


class VirtualBoard:
    """A `Body`. A BOOT without memory is the end of a power cut: what is on its flash stays, time begins anew."""

    name = "virtual-board"
    identity = ""

    def __init__(self, program: Path | None = None, sources: Path | None = None) -> None:
        """`program`: a folder that `compile_product` has filled; without one it is compiled.

        `sources`: a folder whose changed files of the firmware's packages go before the installed ones.
        """
        texts = firmware_sources(sources) if program is None else {}
        self._folder = tempfile.TemporaryDirectory(prefix="strapline-board-")
        self.flash = Path(self._folder.name, "flash")
        self.flash.mkdir()
        if program is None:
            program = Path(self._folder.name, "program")
            compile_product(program, texts)
        self._program = program
        self._factory: set[Path] | None = None  # what was on the flash before it was a tag
        self._processor: Processor | None = None
        self.wiring = Wiring(Board)
        self._seed = b""
        self._draws = 0
        self._woken_at, self._wakes = 0, 0
        self.resets: list[int] = []
        """What reset it since power-on."""
        self._printed = ""

    # The messages.

    def request(self, message: bytes) -> list[bytes]:
        code, now = struct.unpack_from(">BQ", message)
        rest = message[9:]
        if code == bench.FACTORY:
            raise UserError("--on virtual-board: scenarios with updates run on model and micropython")
        if code == bench.FLASH:
            raise UserError("--on virtual-board: scenarios with faults of the flash run on model and micropython")
        if code == bench.BOOT:
            self._boot(json.loads(rest))
        elif code == bench.ADVANCE:
            self._advance(now)
        elif code == bench.MEASURE:
            measured = self._running().measure()
            return [bytes([bench.MEASURED]) + message[1:9] + json.dumps(measured).encode(), self._done()]
        else:
            self.arrive(now)
            self._stimulate(code, rest)
            return self.answer()
        return self._answers()

    def arrive(self, now_ms: int) -> None:
        """Time goes on to here; then somebody else may act on the wiring, and ask for the `answer`."""
        self._running()
        self._go_to(now_ms)

    def answer(self) -> list[bytes]:
        """What the program says to what was done to the wiring."""
        self._settle()
        return self._answers()

    def close(self) -> None:
        if self._processor is not None:
            self._printed = self.serial_log
            self._processor.close()
            self._processor = None
        self._folder.cleanup()

    @property
    def serial_log(self) -> str:
        """All that it has printed, with a line at each reset."""
        return self._printed + ("" if self._processor is None else self._processor.printed())

    def _boot(self, given: dict[str, object]) -> None:
        self._seed = bytes.fromhex(str(given["seed"]))
        self._draws = 0
        if self._factory is None:
            self._factory = set(self.flash.iterdir())
        if "memory" in given:
            for kept in set(self.flash.iterdir()) - self._factory:
                kept.unlink()
        (self.flash / storage.SECRET).write_bytes(bytes.fromhex(str(given["secret"])))
        settings = {"config": given["config"], "apn": "iot.example", "host": "ingress.example", "port": 7070}
        (self.flash / storage.SETTINGS).write_text(json.dumps(settings), encoding="utf-8")
        self.resets = []
        self.wiring = Wiring(Board, self.wiring)
        self._start(PWRON_RESET)

    def _start(self, cause: int) -> None:
        if self._processor is not None:
            self._printed = f"{self.serial_log}--- {_CAUSES[cause]} at {self.wiring.circuit.now / 1000:.3f} s\n"
            self._processor.close()
        self.wiring.circuit.interrupts.clear()
        self._processor = Processor(
            self.wiring.circuit,
            self.wiring.radio,
            stand_ins=self._program / _STAND_INS,
            program=self._program,
            root="main",
            flash=self.flash,
            heap_size=HEAP_SIZE,
            entropy=self._entropy,
            cause=cause,
        )
        self._guarded(self._processor.run)

    def _guarded(self, run: "object") -> None:
        """Run the processor; what resets it starts it anew."""
        assert callable(run)
        try:
            run()
        except ResetError as reset:
            self.resets.append(reset.cause)
            if self.resets[-_RESETS_AT_ONCE:].count(HARD_RESET) == _RESETS_AT_ONCE:
                raise BodyError(f"the board's program resets again and again: {self._last_crash()}") from None
            self._start(reset.cause)

    def _last_crash(self) -> str:
        crash = self.flash / storage.CRASH
        return " / ".join(crash.read_text("utf-8").split("\n")[-4:]) if crash.exists() else "it left no traceback"

    def _running(self) -> Processor:
        if self._processor is None:
            raise UserError("the virtual board has no power yet")
        return self._processor

    def _entropy(self, size: int) -> bytes:
        # As the bench program's: a simulation must come out the same twice, on every body.
        self._draws += 1
        return hashlib.sha256(self._seed + self._draws.to_bytes(4, "big")).digest()[:size]

    # Time.

    def _go_to(self, now: int) -> None:
        self.wiring.circuit.now = max(self.wiring.circuit.now, now)

    def _settle(self) -> None:
        """Interrupts run now."""
        while self.wiring.circuit.interrupts and not self._running().ended:
            self._guarded(self._running().wake)

    def _due(self) -> int:
        wakes_at, chips_at = self._running().wakes_at, self.wiring.circuit.next_deadline()
        return min(_FOREVER if wakes_at is None else wakes_at, _FOREVER if chips_at is None else chips_at)

    def _advance(self, until: int) -> None:
        circuit = self.wiring.circuit
        self._settle()
        while not circuit.outputs:
            due = self._due()
            if due > until:
                self._go_to(until)
                return
            self._go_to(due)
            circuit.run_due()
            wakes_at = self._running().wakes_at
            self._note_wake(due)
            if circuit.interrupts:
                self._settle()
            elif wakes_at is not None and wakes_at <= circuit.now:
                self._guarded(self._running().wake)

    def _note_wake(self, due: int) -> None:
        """A program that does not sleep would keep time from going on for ever."""
        self._wakes = self._wakes + 1 if due == self._woken_at else 0
        self._woken_at = due
        if self._wakes > _WAKES_AT_ONCE:
            raise BodyError(f"the board's program does not sleep any more: {self._wakes} wakes in one millisecond")

    # The world.

    def _stimulate(self, code: int, rest: bytes) -> None:
        wiring = self.wiring
        bearer = rest[0] if rest else 0
        if code == bench.SENSOR:
            wiring.sense(bench.SENSORS[rest[0]], struct.unpack_from(">i", rest, 1)[0])
        elif code == bench.STRAP_EDGE:
            wiring.strap_edge(is_open=bool(rest[0]))
        elif code == bench.GNSS:
            wiring.gnss.epoch(rest)
        elif code == bench.KEY:
            wiring.key.hold(rest)
        elif code == bench.MOTION:
            wiring.move(rest)
        elif code == bench.RING:
            wiring.modem.ring()
        elif code == bench.BUTTON:
            wiring.button(pressed=bool(rest[0]))
        elif bearer == outputs.BLE:
            self._stimulate_radio(code, rest[1:])
        elif code == bench.LINK_UP:
            wiring.modem.opened()
        elif code == bench.LINK_DATA:
            wiring.modem.came(rest[1:])
        elif code == bench.LINK_DOWN:
            wiring.modem.closed()

    def _stimulate_radio(self, code: int, data: bytes) -> None:
        radio = self.wiring.radio
        if code == bench.LINK_UP:
            radio.connected()
        elif code == bench.LINK_DATA:
            radio.written(data)
        elif code == bench.LINK_DOWN:
            radio.disconnected()

    # Answers.

    def _answers(self) -> list[bytes]:
        circuit = self.wiring.circuit
        said, circuit.outputs = circuit.outputs, []
        return [struct.pack(">BQB", bench.OUTPUT, at, kind) + content for at, kind, content in said] + [self._done()]

    def _done(self) -> bytes:
        return struct.pack(">BQQ", bench.DONE, self.wiring.circuit.now, max(self._due(), self.wiring.circuit.now))
