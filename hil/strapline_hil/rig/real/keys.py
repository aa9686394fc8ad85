"""The keys of a real rig's tag, out of the files that `strapline provision` has written."""

from pathlib import Path
from typing import TypeVar

from strapline_hil.rig.file import RigFile
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_protocol.keys import CentreKeys, GatewayKeys
from strapline_simulator.chain import Desk

Keys = TypeVar("Keys", GatewayKeys, CentreKeys)


def desk_of(file: RigFile) -> Desk:
    """The tag, and the adapter that hears it. Raises `UserError`, which names no key."""
    folder = Path(file.path).parent / file.target.keys
    gateway, centre = folder / "gateway-keys.json", folder / "centre-keys.json"
    share = _one(file, gateway, read_gateway_keys(gateway))
    return Desk(share, _one(file, centre, read_centre_keys(centre)), file.gateway.bluetooth)


def _one(file: RigFile, path: Path, known: list[Keys]) -> Keys:
    wanted = file.target.tag
    if not wanted and len(known) == 1:
        return known[0]
    found = [keys for keys in known if keys.tag == wanted]
    if not found:
        tags = ", ".join(keys.tag for keys in known) or "none"
        raise UserError(f"{path}: has the tags {tags}; name the one on the rig as `tag` under `target` in {file.path}")
    return found[0]
