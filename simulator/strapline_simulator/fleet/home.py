"""One home of a fleet, from its beginning to its end: no event loop, no sockets, no processes; the rules are the product's own."""

import gc
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from strapline_simulator.fleet.agenda import Agenda
from strapline_simulator.fleet.engine_house import Home
from strapline_simulator.fleet.engine_record import Observer
from strapline_simulator.fleet.spec import HomeResult, HomeSpec

_YOUNG = 50_000
"""Objects of a home that may be made before the collector looks at them: of a day a thousand stay until its end."""


def run_home(spec: HomeSpec) -> HomeResult:
    """Live through one home. Raises ValueError for a verb or a name in the lives that is not known."""
    with _collected_at_the_end():
        return _run(spec)


@contextmanager
def _collected_at_the_end() -> Iterator[None]:
    """Nothing of a home is garbage before it is over, and then all of it is: so the rest of the process is not looked through for it."""
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.collect(0)


def _run(spec: HomeSpec) -> HomeResult:
    started = time.perf_counter()
    agenda = Agenda()
    home = Home(spec, agenda)
    observer = Observer(home)
    agenda.run(round(spec.hours * 3_600_000))
    caught, missed = observer.tampers()
    refused = Counter(home.base.station.rejected) + Counter(home.ingress.station.rejected)
    return HomeResult(
        number=spec.number,
        tags=len(spec.tags),
        person_days=len(spec.tags) * spec.hours / 24,
        heartbeats_sent=sum(unit.heartbeats for unit in home.units),
        heartbeats_folded=0 if home.folder is None else home.folder.heartbeats,
        heartbeats_accepted=home.base.accepted,
        refused=dict(sorted(refused.items())),
        records=dict(sorted(observer.records.items())),
        missing=observer.missing(),
        alerts=observer.told(),
        caught=caught,
        missed=missed,
        latencies_s=tuple(observer.latencies_s),
        digest=observer.digest(),
        wall_s=round(time.perf_counter() - started, 3),
    )
