"""Whose failure it is: the product's, the rig's or that of what is around them."""

from enum import StrEnum

from strapline_protocol.errors import UserError


class Verdict(StrEnum):
    """What a failed test is put down to."""

    PRODUCT = "product"
    RIG = "rig"
    ENVIRONMENT = "environment"
    TEST = "test"
    """Nothing has failed but the test's own code."""


class BenchError(UserError):
    """Something that is not the product's fault. Names the place, what is wrong there, and the mend."""

    verdict: Verdict

    def __init__(self, place: str, what: str, mend: str) -> None:
        super().__init__(f"{place}: {what}; {mend}")
        self.place, self.what, self.mend = place, what, mend


class RigError(BenchError):
    """An instrument, a cable or the board as a part of the rig does not do what it was told."""

    verdict = Verdict.RIG


class SurroundingsError(BenchError):
    """The machine that the bench runs on: a port that another program has, a host that slept."""

    verdict = Verdict.ENVIRONMENT
