"""What an instrument is tested on: its fake, or a real one that `STRAPLINE_RIG` names (`lcus=/dev/ttyUSB0,scpi=socket://HOST:5025`)."""

import os
from contextlib import contextmanager

import pytest


def real_port(kind):
    """Where the real instrument of this kind is; skips where there is none."""
    named = dict(part.partition("=")[::2] for part in os.environ.get("STRAPLINE_RIG", "").split(",") if part)
    if kind not in named:
        pytest.skip(f"no real {kind}: STRAPLINE_RIG does not name one, as in {kind}=/dev/ttyUSB0")
    return named[kind]


@contextmanager
def closing(instrument):
    try:
        yield instrument
    finally:
        instrument.close()
