"""One question worked out: what is done already is left, what is not is run, and each shard is kept as soon as it is there."""

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import NamedTuple

from strapline_simulator.fleet.folder import RunFolder
from strapline_simulator.fleet.question import Question, Shard, shards
from strapline_simulator.fleet.workers import Done, Work, run_here, run_in_processes, run_on_dask


class Means(NamedTuple):
    """How it is worked out; the answer is the same."""

    jobs: int = 1
    dask: str | None = None
    """Address of a scheduler; `jobs` does not count then."""


def complete(
    work: Work,
    question: Question,
    folder: RunFolder,
    means: Means,
    on_done: Callable[[Shard], None] = lambda _shard: None,
) -> list[Shard]:
    """Run what the folder lacks; gives all shards. Interrupted, it leaves the folder as far as it came."""
    planned = shards(question)
    done = folder.done()
    with closing(_run(work, question, [shard for shard in planned if shard.number not in done], means)) as running:
        for shard, results in running:
            folder.keep(shard, results)
            on_done(shard)
    return planned


def _run(work: Work, question: Question, waiting: Sequence[Shard], means: Means) -> Generator[Done, None, None]:
    if not waiting:
        return
    if means.dask is not None:
        yield from run_on_dask(work, question, waiting, means.dask)
    elif means.jobs == 1:
        yield from run_here(work, question, waiting)
    else:
        yield from run_in_processes(work, question, waiting, means.jobs)
