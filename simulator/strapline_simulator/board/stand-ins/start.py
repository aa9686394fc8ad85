# What a board's boot loader does: puts the chips in reach, then runs main.py, which it does not change.
import gc
import sys

sys.path[:] = [sys.argv[1], sys.argv[2]]  # the stand-ins first, then the flash with the program
import os

os.chdir(sys.argv[3])
gc.collect()
__import__(sys.argv[4])
