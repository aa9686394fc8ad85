"""Real MicroPython for tests: a script in a process of its own with the tag's heap, lines in, lines out."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from strapline_simulator import tools

_HOUSE = Path(__file__).parents[1]
HEAP = "192k"


def run_on_micropython(script: str, lines: Iterable[str] = (), *, heap: str = HEAP) -> list[str]:
    """What a script printed that reads `lines` from stdin and may import the firmware's sources. Fails where it ends with an error."""
    done = subprocess.run(
        [interpreter(), "-X", f"heapsize={heap}", "-c", script],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=60,
        env={"MICROPYPATH": f"{_HOUSE / 'protocol'}:{_HOUSE / 'firmware'}"},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    return done.stdout.removesuffix("\n").split("\n") if done.stdout else []  # texts may hold other ends of lines


def interpreter() -> Path:
    """The unix port; fails or skips the test where there is none, as the machine lets one expect."""
    micropython = tools.find_micropython()
    if micropython is None:
        if tools.has_micropython_wheel():
            pytest.fail("no MicroPython beside this Python, though the package index has it for this machine")
        pytest.skip("the package index has no MicroPython for this machine")
    return micropython
