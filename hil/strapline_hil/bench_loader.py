"""The bench program onto a bare board: read over the line while the board imports it. Nothing is written on the board's flash."""

from collections.abc import Callable

from strapline_hil.board_files import BoardError
from strapline_hil.identity import MPY_VERSION, Identity, ask_identity
from strapline_hil.repl_board import ReplBoard
from strapline_simulator.firmware import APP

NEEDS = ("binascii", "collections", "cryptolib", "hashlib", "io", "json", "micropython", "select", "struct")
"""What the bench program imports of MicroPython."""

HEAP_NEEDED = 90_000
"""Bytes free before loading on a 32-bit board: less, and the program stops half-way through its import."""

PORTION, LOADED, END = 0x06, 0x05, 0x04
_PORTION_BYTES = 512

# A short read is the end of a file to MicroPython's reader of modules, so `readinto` fills what it is given.
# Ctrl-C stays a byte from the first of the program's bytes on: the first message, which may hold that byte, comes as soon as the host has
# read that the program is there. The REPL makes it an interrupt again with whatever it runs next.
_LOAD = """
import sys, gc, io, micropython
try:
 import vfs
except ImportError:
 import os as vfs
I = sys.stdin.buffer
O = sys.stdout.buffer
class F(io.IOBase):
 def __init__(s):
  s.n = SIZE
  s.b = b''
 def readinto(s, t):
  a = 0
  while a < len(t) and (s.b or s.n):
   if not s.b:
    n = min(PORTION, s.n)
    s.n -= n
    O.write(bytes((6, n >> 8, n & 255)))
    s.b = I.read(n)
   n = min(len(t) - a, len(s.b))
   t[a:a + n] = s.b[:n]
   s.b = s.b[n:]
   a += n
  return a
 def ioctl(s, o, a):
  return 0
class D:
 def mount(s, r, m):
  pass
 def umount(s):
  pass
 def chdir(s, p):
  pass
 def stat(s, p):
  if p.strip('/') == 'APP.mpy':
   return (0x8000, 0, 0, 0, 0, 0, SIZE, 0, 0, 0)
  raise OSError(2)
 def open(s, p, m):
  return F()
gc.collect()
micropython.kbd_intr(-1)
vfs.mount(D(), '/strapline')
sys.path.insert(0, '/strapline')
sys.modules.pop('APP', None)
try:
 import APP
finally:
 sys.path.pop(0)
 vfs.umount('/strapline')
del F, D
gc.collect()
O.write(b'\\5')
APP.run()
"""


def look_at(board: ReplBoard) -> Identity:
    """Ask a board what it is, with an empty heap. `BoardError` names all that the bench program lacks there."""
    identity = ask_identity(board, NEEDS)
    if not _lacks(identity) and identity.resets_softly:
        board.soft_reset()
        identity = ask_identity(board, NEEDS)
    lacks = _lacks(identity)
    if identity.heap_free < HEAP_NEEDED:
        lacks.append(f"{identity.heap_free:,} bytes of heap are free and {HEAP_NEEDED:,} are needed")
    if lacks:
        raise BoardError(f"{board.place}: {identity} cannot run the bench program: {'; '.join(lacks)}")
    return identity


def _lacks(identity: Identity) -> list[str]:
    lacks = []
    if identity.mpy_version != MPY_VERSION:
        lacks.append("it does not load .mpy version 6 (needs MicroPython 1.19 or later)")
    if identity.missing:
        lacks.append(f"it has no {', '.join(identity.missing)}")
    if not identity.has_vfs:
        lacks.append("it mounts no file systems")
    return lacks


def load_script(size: int) -> str:
    """What a board runs to import a program of so many bytes over the line, and to begin it."""
    return _LOAD.replace("SIZE", str(size)).replace("PORTION", str(_PORTION_BYTES)).replace("APP", APP)


def serve(image: bytes, read: Callable[[int], bytes], write: Callable[[bytes], object]) -> str:
    """Hand a board the program as it asks for it; gives what it says instead of having loaded it, empty where it has."""
    at = 0
    words = b""
    while True:
        sign = read(1)
        if sign[0] == PORTION:
            size = int.from_bytes(read(2), "big")
            write(image[at : at + size])
            at += size
        elif sign[0] == LOADED:
            return ""
        elif sign[0] == END and words:
            return words.decode("utf-8", "replace")
        elif sign[0] != END:
            words += sign
