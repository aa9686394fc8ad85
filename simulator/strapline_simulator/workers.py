"""Processes that work for this one. Interrupts are this one's to decide on, and no worker outlives it or its pool."""

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection

from strapline_simulator.unlogged import QUIET


@contextmanager
def worker_pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes. Who leaves the block ends them, and what they are still at."""
    context = multiprocessing.get_context("spawn")  # a fork would take this process's threads, sockets and locks along
    theirs, ours = context.Pipe(duplex=False)
    pool = ProcessPoolExecutor(jobs, context, _begin, (theirs,))
    try:
        yield pool
    finally:
        ours.close()
        pool.shutdown(wait=True, cancel_futures=True)
        theirs.close()


def _begin(theirs: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.disable(QUIET)

    def watch() -> None:
        theirs.poll(None)  # until the pool's end is closed, or its process gone
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
