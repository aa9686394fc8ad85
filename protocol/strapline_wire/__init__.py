# The wire: frames, seals, replay windows and the serial link, in the subset of Python that MicroPython and CPython share.
# Nothing here reads a clock, a socket or a random source; ciphers are handed in.
