"""Where shards are run: in this process, in processes of this machine, or on a Dask cluster. The results are the same.

A worker that dies takes its shard with it, and the shard runs again. Whoever stops the run leaves no process behind.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from strapline_protocol.errors import UserError
from strapline_simulator.fleet.question import Question, Shard
from strapline_simulator.fleet.spec import HomeResult
from strapline_simulator.workers import worker_pool

Work = Callable[[Question, Shard], list[HomeResult]]
"""A function of a module, which workers can import."""

Done = tuple[Shard, list[HomeResult]]

ANSWER_S = 10.0
"""A scheduler that says nothing for so long is not there."""

_DEATHS = 3
"""So many times in a row without a shard done: it is the shards' own fault, not an accident's."""


def run_here(work: Work, question: Question, shards: Sequence[Shard]) -> Iterator[Done]:
    """One after the other, in this process."""
    for shard in shards:
        yield shard, work(question, shard)


def run_in_processes(work: Work, question: Question, shards: Sequence[Shard], jobs: int) -> Iterator[Done]:
    """In `jobs` processes, as they get done. Raises `UserError` where workers die again and again."""
    waiting = {shard.number: shard for shard in shards}
    deaths = 0
    while waiting:
        try:
            for shard, results in _in_one_pool(work, question, list(waiting.values()), jobs):
                del waiting[shard.number]
                deaths = 0
                yield shard, results
        except BrokenProcessPool:
            deaths += 1
            if deaths == _DEATHS:
                raise UserError(
                    f"{_DEATHS} workers died in a row; is there enough memory for --jobs {jobs}? What is done is kept: ask the same again"
                ) from None


def _in_one_pool(work: Work, question: Question, shards: Sequence[Shard], jobs: int) -> Iterator[Done]:
    with worker_pool(min(jobs, len(shards))) as pool:
        running: dict[Future[list[HomeResult]], Shard] = {pool.submit(work, question, shard): shard for shard in shards}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()


def run_on_dask(work: Work, question: Question, shards: Sequence[Shard], address: str) -> Iterator[Done]:
    """On the cluster whose scheduler is there. Its workers need this package, and the same recordings."""
    client = _client(address)
    with client:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        completed: Any = as_completed  # Dask is untyped
        running: dict[Any, Shard] = {client.submit(work, question, shard, pure=False): shard for shard in shards}
        try:
            for future in completed(list(running), loop=client.loop):
                yield running.pop(future), future.result()
        except KilledWorker as error:
            text = f"workers died with one shard again and again ({error.task}); have they enough memory?"
            raise UserError(f"--dask {address}: {text} What is done is kept: ask the same again") from None
        finally:
            client.cancel(list(running))


_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[^\]]+\]|[^:/\s]+):\d{1,5}")


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UserError("--dask needs Dask: pip install 'strapline[fleet]'") from None
    if not _ADDRESS.fullmatch(address):  # Dask itself would try for long, and end with a traceback
        raise UserError(f"--dask {address}: no address of a scheduler; write one such as tcp://127.0.0.1:8786")
    try:
        connect: Any = Client
        return connect(address, timeout=ANSWER_S, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UserError(f"--dask {address}: no scheduler answers ({reason}); start one with `dask scheduler`") from None
