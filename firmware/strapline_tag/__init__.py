# The tag: a state machine without I/O. Inputs and `now` go in, outputs are drained; everything outside it is handed in.
# The same source runs on MicroPython and CPython; integers only, milliseconds since boot for time.
