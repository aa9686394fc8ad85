"""`--on rig:FILE`: a scenario on a rig."""

from pathlib import Path

from strapline_hil.rig.body import RigBody
from strapline_hil.rig.file import load_rig
from strapline_hil.rig.virtual.rig import open_virtual
from strapline_protocol.errors import UserError


def rig_body(address: str) -> RigBody:
    """What follows `rig:`: a rig file."""
    if not address:
        raise UserError("--on rig: names no file: write rig:rig.yaml; `strapline hil init` makes one")
    file = load_rig(Path(address))
    if not file.is_virtual:
        raise UserError(f"{address}: scenarios run in virtual time; a real rig runs them with `pytest --rig {address}`")
    return open_virtual(file)
