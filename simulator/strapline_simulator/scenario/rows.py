"""The requirements R01–R55 by their numbers, as scenarios name them."""

import re
from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

LAST = 55


def _row(name: str) -> str:
    if not re.fullmatch(r"R\d\d", name) or not 1 <= int(name[1:]) <= LAST:
        raise ValueError(f"{name!r} is no requirement: write one from R01 to R{LAST}")
    return name


Row = Annotated[
    str, AfterValidator(_row), WithJsonSchema({"type": "string", "enum": [f"R{n:02}" for n in range(1, LAST + 1)]})
]
"""Such as R05."""


def row_of(name: str) -> tuple[str, ...]:
    """The row that a scenario's name begins with (`r05-opened-out-of-range`), where it does."""
    found = re.match(r"[rR](\d\d)-", name)
    return (f"R{found[1]}",) if found and 1 <= int(found[1]) <= LAST else ()
