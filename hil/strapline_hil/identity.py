"""Which board it is, as it says itself: asked before anything is written on it or run."""

from collections.abc import Sequence
from typing import NamedTuple

from strapline_hil.repl_board import ReplBoard

MPY_VERSION = 6
"""Of compiled code without native functions; MicroPython 1.19 and later (docs.micropython.org, reference/mpyfiles)."""

_LOOK = """
import sys, gc
def has(m):
 try:
  __import__(m)
  return True
 except ImportError:
  return False
gc.collect()
i = sys.implementation
m = getattr(i, '_machine', '') or sys.platform
try:
 import machine
 u = ''.join(['%02x' % b for b in machine.unique_id()])
except (ImportError, AttributeError):
 u = ''
n = [x for x in NEEDS if not has(x)]
print(repr((tuple(i.version)[:3], sys.platform, m, u, getattr(i, '_mpy', 0) & 255, gc.mem_free(), n, has('vfs') or has('os'))))
"""


class Identity(NamedTuple):
    """`missing` are the modules, of those that were asked for, that it has not."""

    version: tuple[int, ...]
    platform: str
    machine: str
    unique_id: str
    mpy_version: int
    heap_free: int
    missing: Sequence[str]
    has_vfs: bool

    def __str__(self) -> str:
        about = f"MicroPython {'.'.join(map(str, self.version))} on {self.machine}"
        return f"{about}, id {self.unique_id}" if self.unique_id else about

    @property
    def resets_softly(self) -> bool:
        """The unix port alone ends where a board begins anew; with an id it is a board on a pseudo-terminal."""
        return bool(self.unique_id) or self.platform not in {"linux", "darwin"}


def ask_identity(board: ReplBoard, needs: Sequence[str] = ()) -> Identity:
    return Identity(*board.tell(_LOOK.replace("NEEDS", repr(tuple(needs)))))
