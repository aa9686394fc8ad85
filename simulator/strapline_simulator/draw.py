"""Random bytes that are the same again for the same purpose."""

import hashlib


class Draw:
    """The purpose's parts name it: each purpose has bytes of its own."""

    def __init__(self, *purpose: object) -> None:
        self._purpose = "/".join(map(str, purpose))
        self._count = 0

    def __call__(self, size: int) -> bytes:
        """At most 32 bytes."""
        self._count += 1
        return hashlib.sha256(f"{self._purpose}/{self._count}".encode()).digest()[:size]


def run_draw(seed: int, purpose: str) -> Draw:
    """For one purpose in one run of a scenario."""
    return Draw("strapline", seed, purpose)


def tag_secret(seed: int) -> bytes:
    """The tag's secret in a run with this seed: a test key, for such a run alone."""
    return run_draw(seed, "secret")(16)
