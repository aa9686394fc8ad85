"""What bumble does for nobody, left undone: a seventh of a simulation's time.

It renders packets as coloured text for a debug log, whether that is on or not, and looks for each UUID in a list of all that it knows.
With debug logging on, everything is as bumble has it.
"""

import logging
import sys
from typing import Any

from bumble import att, colors, core, hci


def make_lean() -> None:
    """Once a process; may be called again."""
    core.UUID.register = _register  # type: ignore[method-assign]
    if logging.getLogger("bumble").isEnabledFor(logging.DEBUG):
        return
    hci.HCI_Object.format_fields = staticmethod(_nothing)  # type: ignore[method-assign]
    att.ATT_PDU.__str__ = _name  # type: ignore[method-assign]
    for name, module in list(sys.modules.items()):
        if name.startswith("bumble.") and getattr(module, "color", None) is colors.color:
            module.color = _plain  # type: ignore[attr-defined]


_known: dict[bytes, core.UUID] = {}


def _register(self: core.UUID) -> core.UUID:
    if not _known:
        _known.update((uuid.to_bytes(force_128=True), uuid) for uuid in core.UUID.UUIDS)
    known = _known.setdefault(self.to_bytes(force_128=True), self)
    if known.name is None:
        known.name = self.name
    return known


def _nothing(*_arguments: Any) -> str:
    return ""


def _name(self: att.ATT_PDU) -> str:
    return self.name


def _plain(text: str, *_style: Any, **_more: Any) -> str:
    return text
