"""Runs whose parts say nothing on the log."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

QUIET = logging.ERROR
"""What is not more than that is not logged."""


@contextmanager
def unlogged() -> Iterator[None]:
    """What a gateway logs of a full disk or a deaf adapter belongs to its run, and would hide a list of runs. Also a decorator."""
    before = logging.root.manager.disable
    logging.disable(QUIET)
    try:
        yield
    finally:
        logging.disable(before)
