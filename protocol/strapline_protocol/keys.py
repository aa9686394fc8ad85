"""Who holds which key. One secret per tag; the gateway and the centre each get only what follows from it for them."""

from typing import NamedTuple

from strapline_wire.keys import derive


class GatewayKeys(NamedTuple):
    """What a gateway needs to hear one tag: it can open heartbeats and connections, and no record.

    `end_to_end` only where the gateway is trusted to read the records too. Prints without the keys.
    """

    tag: str
    broadcast: bytes
    link: bytes
    header: bytes
    end_to_end: bytes | None = None

    def __repr__(self) -> str:
        return _redacted(self, self.tag)


class CentreKeys(NamedTuple):
    """What the centre needs: the end-to-end key of one tag. Prints without it."""

    tag: str
    end_to_end: bytes

    def __repr__(self) -> str:
        return _redacted(self, self.tag)


def _redacted(keys: object, tag: str) -> str:
    return f"{type(keys).__name__}(tag={tag!r}, keys not shown)"


def gateway_keys(tag: str, secret: bytes) -> GatewayKeys:
    """The gateway's share of a tag's 16-byte secret."""
    return GatewayKeys(tag, derive(secret, "broadcast"), derive(secret, "link"), derive(secret, "header"))


def centre_keys(tag: str, secret: bytes) -> CentreKeys:
    """The centre's share of a tag's 16-byte secret."""
    return CentreKeys(tag, derive(secret, "end-to-end"))
