"""What each source costs in a bundle: what the bundle would be smaller by without it."""

import zlib
from typing import NamedTuple

from strapline_simulator.firmware.bundle import Bundle
from strapline_simulator.firmware.image import BENCH_MODULES, compile_text

LIMIT_BYTES = 40 * 1024
"""For all of the tag's code; a board's drivers and main program come on top, the bench program is on no product."""

_BOARDS = "strapline_boards"


class Weight(NamedTuple):
    """Sizes in bytes."""

    modules: dict[str, int]
    shared: int
    """Names and constants that leaving out one source would not save."""
    tag: int
    board: int
    compressed: int
    """The tag, compressed with deflate."""


def weigh(bundle: Bundle) -> Weight:
    """Compile it again and again, each time without something."""
    boards = {module for module in bundle.modules if module.partition(".")[0] == _BOARDS}
    whole = _size(bundle, BENCH_MODULES)
    tag = compile_text(bundle.text(without=BENCH_MODULES | boards))
    modules = {
        module: whole - _size(bundle, BENCH_MODULES | {module})
        for module in bundle.modules
        if module not in BENCH_MODULES
    }
    return Weight(
        modules=modules,
        shared=whole - sum(modules.values()),
        tag=len(tag),
        board=whole - len(tag),
        compressed=len(zlib.compress(tag, 9)),
    )


def _size(bundle: Bundle, without: frozenset[str]) -> int:
    return len(compile_text(bundle.text(without=without)))
