"""A run of tests on a rig as one page."""

from collections.abc import Sequence
from typing import Any

from strapline_hil.rig.file import RigFile


def render_page(file: RigFile, records: Sequence[dict[str, Any]]) -> str:
    """The page; nothing in it is fetched, and it needs no script."""
    return f"{file.rig} {len(records)}"
