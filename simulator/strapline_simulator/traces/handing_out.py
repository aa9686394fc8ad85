"""The test keys that a trace holds, written as the key files that gateways, centres and consumers read."""

from pathlib import Path

from strapline_protocol.errors import UserError
from strapline_protocol.keyring import locked, successor
from strapline_protocol.link_key import write_link_keys
from strapline_simulator.traces.keybox import TraceKeys


def write_keys(held: TraceKeys, folder: Path) -> list[Path]:
    """`gateway.json` and `centre.json` for the tags, `GATEWAY.key` for each gateway; gives them. UserError where one is there already."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder}: {error.strerror or error}; give a folder that can be made") from None
    shares, seals = folder / "gateway.json", folder / "centre.json"
    links = {folder / f"{gateway}.key": key for gateway, key in held.links.items()}
    for file in (shares, seals, *links):
        if file.exists():
            raise UserError(f"{file}: is there already; name an empty folder")
    with locked(shares), successor(shares, held.gateways) as put_shares, successor(seals, held.centres) as put_seals:
        put_shares()
        put_seals()
    for file, key in links.items():
        write_link_keys(file, [key])
    return [shares, seals, *links]
