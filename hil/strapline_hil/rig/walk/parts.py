"""A walk through a rig's wiring, step by step: every part opened and tested by itself, then what the tag says to each of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Protocol

from strapline_hil.instruments.sniffer import Sniffer
from strapline_hil.rig.drivers import Surroundings, open_instrument, open_resource
from strapline_hil.rig.file import RigFile
from strapline_hil.rig.parts import NO_PORT, Part, Resource
from strapline_hil.rig.walk.board import look_at_board
from strapline_hil.rig.walk.step import Step
from strapline_hil.verdict import BenchError

_WORDS = {
    "lcus-relay": "the relay board answers, with all its channels",
    "bench-board": "the bench board takes its program and answers",
    "strap-relay": "its relays are there, and the loop is as it should be",
    "strap-decade": "its relays are there, and the loop is as it should be",
    "contacts": "its relays are there",
    "mains-relay": "its relay is there",
    "heater": "both sensors measure a temperature",
    "shaker": "the bench board has a shaker",
    "vibration-motor": "the bench board has a motor",
    "gnss-injector": "a sentence goes out, and comes back where it is looped",
    "scpi-supply": "the supply says who it is",
    "ppk2": "the meter has its calibration and gives a sample",
    "sniffer": "the adapter listens",
    "by-hand": "somebody is there",
}


_ADAPTER_S = 0.5
_BATTERY_MV = 3900


class Checked(Protocol):
    """What is opened."""

    def check(self) -> list[str]: ...

    def close(self) -> None: ...


def walk_parts(file: RigFile, around: Surroundings) -> Iterator[Step]:
    """Each resource and each instrument alone, tested by itself, then the tag's board; all are closed at the end."""
    with ExitStack() as stack:
        resources: dict[str, Any] = {}
        for name, resource in file.resources.items():
            yield _opened(name, resource, lambda: open_resource(name, resource, around), resources, stack)  # noqa: B023 - called at once
        instruments: dict[str, Any] = {}
        for role, part in file.instruments.items():
            missing = {getattr(part, word, None) for word in ("on", "sense")} - {None, *resources}
            if missing:
                yield Step(role, _WORDS[part.driver], skipped=f"without {', '.join(map(str, missing))}")
                continue
            yield _opened(role, part, lambda: open_instrument(role, part, resources, around), instruments, stack)  # noqa: B023
        if not file.is_virtual and file.target.port != NO_PORT:
            if "supply" in instruments:
                instruments["supply"].set_mv(_BATTERY_MV)
                instruments["supply"].on()
            yield look_at_board(file)


def _looked_at(found: Checked) -> list[str]:
    """A tag without power advertises nothing: a sniffer is well that can listen."""
    if not isinstance(found, Sniffer):
        return found.check()
    try:
        found.listen(_ADAPTER_S)
    except BenchError as error:
        return [str(error)]
    return []


def _opened(
    name: str, part: Resource | Part, open_it: Callable[[], Checked], opened: dict[str, Any], stack: ExitStack
) -> Step:
    what = _WORDS[part.driver]
    try:
        found = open_it()
    except BenchError as error:
        return Step(name, what, (str(error),))
    stack.callback(found.close)
    wrong = tuple(_looked_at(found))
    if not wrong:
        opened[name] = found
    look: Callable[[], list[str]] = getattr(found, "blind_spots", list)
    return Step(name, what, wrong, notes=tuple(look()))
