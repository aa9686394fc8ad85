"""The firmware's build: sources in, what a board gets out. It knows no board and starts none."""

from strapline_simulator.firmware.modules import BENCH, board_sources, compile_firmware, firmware_sources

__all__ = ["BENCH", "board_sources", "compile_firmware", "firmware_sources"]
