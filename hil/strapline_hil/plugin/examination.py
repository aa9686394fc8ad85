"""A rig, looked at right after a failure (or before a test): every instrument's self-test, and whether the board still answers."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

from strapline_hil.plugin.judgement import Finding
from strapline_hil.rig.body import RigBody
from strapline_hil.verdict import BenchError, Verdict
from strapline_tag import bench

Look = Callable[[], Sequence[str]]
"""A self-test: what is found wrong."""


@runtime_checkable
class Movable(Protocol):
    """An instrument that finds out more by moving: a relay that is stuck looks well while nobody moves it."""

    def try_out(self) -> list[str]: ...


def examine(body: RigBody, *, booted: bool = True) -> list[Finding]:
    """What is not well. `booted`: the board runs, so that it can be asked, and whatever can be moved is tried out."""
    found = _told((name, part.check) for name, part in [*body.rig.resources.items(), *body.rig])
    if booted and not found:
        found = _told((name, part.try_out) for name, part in body.rig if isinstance(part, Movable))
    return found + (list(_asked(body)) if booted else [])


def _told(looks: Iterable[tuple[str, Look]]) -> list[Finding]:
    """What several instruments say of one board is said once."""
    found: dict[Finding, list[str]] = {}
    for name, look in looks:
        for finding in _checked(look):
            found.setdefault(finding, []).append(name)
    return [Finding(finding.verdict, f"{', '.join(names)}: {finding.words}") for finding, names in found.items()]


def unwell(body: RigBody) -> Sequence[Finding]:
    """Before a test: what would make its verdict worthless."""
    return examine(body, booted=False)


def _checked(look: Look) -> Iterator[Finding]:
    try:
        for words in look():
            yield Finding(Verdict.RIG, words)
    except BenchError as error:
        yield Finding(error.verdict, str(error))
    except Exception as error:  # noqa: BLE001 - an examination tells what it finds: a self-test that breaks is a finding
        yield Finding(Verdict.RIG, f"its self-test broke: {type(error).__name__}: {error}")


def _asked(body: RigBody) -> Iterator[Finding]:
    """The bench's own errors alone: what else the board says is the product's affair."""
    try:
        body.request(struct.pack(">BQ", bench.MEASURE, 0))
    except BenchError as error:
        yield Finding(error.verdict, f"board: {error}")
    except Exception:  # noqa: BLE001, S110 - a program that has died or hangs is what the test is about
        pass
