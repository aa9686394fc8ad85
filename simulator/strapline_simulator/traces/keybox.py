"""The keys that a reader of traces was given, each with what it opens: from key files, or from a trace that was asked to hold them."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_protocol.keys import CentreKeys, GatewayKeys


class Share(NamedTuple):
    """A gateway's share of one tag, ready for use."""

    tag: str
    link: bytes
    broadcast: HostCipher
    header: HostCipher

    def __repr__(self) -> str:
        return f"Share(tag={self.tag!r}, keys not shown)"


class KeyBox:
    """`shares` open heartbeats and connections, `seals` records and commands. Of one tag there may be several, the first is tried first."""

    def __init__(self) -> None:
        self.shares: list[Share] = []
        self.seals: list[tuple[str, HostCipher]] = []

    def __bool__(self) -> bool:
        return bool(self.shares or self.seals)

    def add(self, gateways: Iterable[GatewayKeys] = (), centres: Iterable[CentreKeys] = ()) -> None:
        """Use these too."""
        for keys in gateways:
            self.shares.append(Share(keys.tag, keys.link, HostCipher(keys.broadcast), HostCipher(keys.header)))
            if keys.end_to_end is not None:
                self.seals.append((keys.tag, HostCipher(keys.end_to_end)))
        self.seals += [(keys.tag, HostCipher(keys.end_to_end)) for keys in centres]

    def read(self, path: Path) -> None:
        """Use a gateway's or the centre's key file; UserError where it is neither."""
        try:
            self.add(read_gateway_keys(path))
        except UserError as error:
            try:
                self.add(centres=read_centre_keys(path))
            except UserError:
                raise error from None


class TraceKeys(NamedTuple):
    """The keys that a trace holds because somebody asked for them. Prints without them."""

    gateways: list[GatewayKeys]
    centres: list[CentreKeys]
    links: dict[str, bytes]
    """By gateway: under what it and the centre seal."""

    def __repr__(self) -> str:
        return f"TraceKeys({len(self.gateways)} tags, keys not shown)"


def keys_text(gateways: Iterable[GatewayKeys], centres: Iterable[CentreKeys], links: Mapping[str, bytes]) -> str:
    """Keys for `TraceWriter.write_keys`."""
    held = {
        "gateways": {one.tag: [one.broadcast.hex(), one.link.hex(), one.header.hex()] for one in gateways},
        "centres": {one.tag: one.end_to_end.hex() for one in centres},
        "links": {gateway: key.hex() for gateway, key in links.items()},
    }
    return json.dumps(held)


def read_keys_text(text: str) -> TraceKeys:
    """What `keys_text` made; ValueError for anything else."""
    try:
        held = json.loads(text)
        return TraceKeys(
            [GatewayKeys(tag, *map(bytes.fromhex, keys)) for tag, keys in held["gateways"].items()],
            [CentreKeys(tag, bytes.fromhex(key)) for tag, key in held["centres"].items()],
            {gateway: bytes.fromhex(key) for gateway, key in held["links"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError("no keys of strapline's") from None
