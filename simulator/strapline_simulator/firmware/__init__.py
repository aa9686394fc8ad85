"""The firmware's build: sources in, what a board gets out. It knows no board and starts none."""

from strapline_simulator.firmware.bundle import APP
from strapline_simulator.firmware.image import compile_firmware, compile_modules, compiled_firmware
from strapline_simulator.firmware.modules import board_sources
from strapline_simulator.firmware.sources import BENCH, BENCH_SERIAL, BuildError, firmware_sources

__all__ = [
    "APP",
    "BENCH",
    "BENCH_SERIAL",
    "BuildError",
    "board_sources",
    "compile_firmware",
    "compile_modules",
    "compiled_firmware",
    "firmware_sources",
]
