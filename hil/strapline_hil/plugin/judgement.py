"""Whose failure it is: the rules, and nothing of pytest.

The product is what is left: a failure is put down to it only where nothing else was found. In this order:

1. an error of the bench (`RigError`, `SurroundingsError`) says itself whose it is;
2. anything but a failed claim (`assert`, `pytest.fail`) that the test's own code raises is the test's, unless the test had
   already waited in vain for the product;
3. a programming error in the bench's own code is the rig's;
4. the rig is examined right after the failure, and what is found wrong there is the verdict;
5. a failure on a rig that is found well is the product's.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from strapline_hil.plugin.host import HOST, Clocks, Moment, asleep
from strapline_hil.verdict import BenchError, Verdict
from strapline_protocol.errors import UserError
from strapline_simulator.body_error import BodyError

_HOUSE, _BENCH = "strapline_", "strapline_hil."
_AROUND_A_TEST = {f"strapline_hil.plugin.{name}" for name in ("bench", "handles", "measurement", "plugin")}
"""Where a test's own mistakes show: what calls it, and what it calls with wrong arguments."""
_BUGS = (NameError, AttributeError, TypeError, NotImplementedError)
_BUGS_ON_A_BENCH = (*_BUGS, LookupError, ValueError, ArithmeticError)
"""In the chain these may come of what a tag has sent."""


class Finding(NamedTuple):
    """Something that is not well, and not the product's."""

    verdict: Verdict
    words: str


class Judgement(NamedTuple):
    """Of one failure."""

    verdict: Verdict
    why: str


class Examined(Protocol):
    """A rig that is open, right after a failure on it."""

    @property
    def missed(self) -> Sequence[str]:
        """What the test has waited for in vain."""

    def examine(self) -> Sequence[Finding]:
        """What is not well now; it does not raise."""


def judge(failure: BaseException, rig: Examined, before: Moment, clocks: Clocks = HOST) -> Judgement:
    """Whose failure it is. `before`: the host's clocks when the test began."""
    own = bench_error(failure)
    if own is not None:
        return Judgement(own.verdict, str(own))
    mistaken = _mistake(failure, waited=bool(rig.missed))
    if mistaken is not None:
        return mistaken
    words = asleep(before, Moment.now(clocks))
    found = [*([Finding(Verdict.ENVIRONMENT, words)] if words else []), *rig.examine()]
    if found:
        return Judgement(found[0].verdict, "; ".join(dict.fromkeys(finding.words for finding in found)))
    return Judgement(Verdict.PRODUCT, _claim(failure, rig.missed))


def judge_unopened(failure: BaseException) -> Judgement:
    """Where the rig did not even open: nothing was asked of the product yet."""
    own = bench_error(failure)
    return Judgement(Verdict.RIG if own is None else own.verdict, first_line(failure) if own is None else str(own))


def bench_error(failure: BaseException) -> BenchError | None:
    """The bench's own error in a failure, or in what led to it."""
    return next((error for error in _chain(failure, set()) if isinstance(error, BenchError)), None)


def first_line(failure: BaseException) -> str:
    """What it says, in one line."""
    said = str(failure).strip().splitlines()
    if isinstance(failure, AssertionError | UserError | BodyError) or not isinstance(failure, Exception):
        return said[0] if said else type(failure).__name__
    return f"{type(failure).__name__}: {said[0]}" if said else type(failure).__name__


def _claim(failure: BaseException, missed: Sequence[str]) -> str:
    """`assert gateway.wait_for(…)` fails as "assert None", which tells nobody anything."""
    line = first_line(failure)
    unsaid = line.startswith("assert None") or not isinstance(failure, AssertionError)
    return missed[-1] if missed and unsaid and isinstance(failure, Exception) else line


def _mistake(failure: BaseException, *, waited: bool) -> Judgement | None:
    """Where it is neither a claim about the product nor something that happened on the rig."""
    if isinstance(failure, AssertionError | BodyError) or not isinstance(failure, Exception):
        return None
    if isinstance(failure, UserError):
        return Judgement(Verdict.TEST, first_line(failure))
    where = _deepest_of_ours(failure)
    if where is None:
        return None if waited else Judgement(Verdict.TEST, first_line(failure))
    if isinstance(failure, _BUGS_ON_A_BENCH if where.startswith(_BENCH) else _BUGS):
        return Judgement(Verdict.RIG, f"the bench itself failed in {where}: {first_line(failure)}")
    return None


def _deepest_of_ours(failure: BaseException) -> str | None:
    """The module of the bench or the chain that it passed through last; None where it never left the test."""
    found = None
    step = failure.__traceback__
    while step is not None:
        module = str(step.tb_frame.f_globals.get("__name__", ""))
        if module.startswith(_HOUSE) and module not in _AROUND_A_TEST:
            found = module
        step = step.tb_next
    return found


def _chain(failure: BaseException | None, seen: set[int]) -> Iterator[BaseException]:
    if failure is None or id(failure) in seen:
        return
    seen.add(id(failure))
    yield failure
    if isinstance(failure, BaseExceptionGroup):
        for member in failure.exceptions:
            yield from _chain(member, seen)
    yield from _chain(failure.__cause__, seen)
    yield from _chain(None if failure.__suppress_context__ else failure.__context__, seen)
