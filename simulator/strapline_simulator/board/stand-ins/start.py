# What a board's boot loader does: puts the chips in reach, then runs main.py, which it does not change.
import gc
import sys

sys.path[:] = [sys.argv[1], sys.argv[2], ""]  # the stand-ins first, then the program, then the flash
import os

os.chdir(sys.argv[3])
if "boot.py" in os.listdir():
    exec(open("boot.py").read())  # noqa: S102 - as a board does
gc.collect()
__import__(sys.argv[4])
