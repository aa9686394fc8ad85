"""New keys for a tag: who works them out, and how a gateway's share travels to it. What it means to have them is each part's own.

The centre draws a salt. With it and the tag's end-to-end key, tag and centre work out the next keys; a gateway is handed its share sealed
under the gateway–centre key. Whoever held only a gateway's keys of before can work out none of them.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import octets, text_of
from strapline_protocol.keys import CentreKeys, GatewayKeys, gateway_keys
from strapline_protocol.link_key import others_of
from strapline_wire.compat import FORGED
from strapline_wire.errors import LocalProtocolError, RemoteProtocolError
from strapline_wire.hkdf import hkdf_sha256
from strapline_wire.keys import KEY_SIZE, renew

ORDER_AGAIN = timedelta(minutes=1)
"""A REKEY that a tag has not obeyed, and a share that a gateway has not confirmed, go again when the tag is heard, at most so often."""

SALT_SIZE = 16
_NONCE_SIZE = 13


class Generation(NamedTuple):
    """One generation of a tag's keys: both shares. 0 are the provisioned ones, of which a centre has only its own."""

    number: int
    salt: bytes
    centre: CentreKeys
    gateways: GatewayKeys


class KeyChange:
    """A change of keys at the centre: until the tag has come under the new ones, and after that for gateways that start anew."""

    def __init__(
        self, generation: Generation, gateways: set[str], *, proved: bool, before: Generation | None = None
    ) -> None:
        self.generation = generation
        self.before = before
        """The one that the tag has come under before, where it is not the provisioned one."""
        self.gateways = gateways
        """Who is to have a share."""
        self.confirmed: set[str] = set()
        self.proved = proved
        """The tag has come under the new keys."""
        self.again_at = datetime.min.replace(tzinfo=UTC)
        """Not before then anything is said again because the tag was heard."""

    @property
    def ready(self) -> bool:
        """Whether every gateway would take the tag under the new keys."""
        return self.confirmed >= self.gateways

    @property
    def valid(self) -> list[Generation]:
        """Under which the tag may come, in order: a gateway that has started anew has none of them."""
        earlier = [] if self.proved or self.before is None else [self.before]
        return [*earlier, self.generation]


def next_generation(before: CentreKeys, number: int, salt: bytes) -> Generation:
    """The keys that follow from the end-to-end key of the generation before and a fresh salt of 16 random bytes."""
    if len(salt) != SALT_SIZE:
        raise LocalProtocolError("a salt has 16 bytes", len(salt))
    shared, end_to_end = renew(before.end_to_end, salt, number)
    return Generation(number, salt, CentreKeys(before.tag, end_to_end), gateway_keys(before.tag, shared))


def root_of(provisioned: CentreKeys) -> str:
    """A name for provisioned keys, from which none of them follows: 16 hexadecimal digits. A store keeps a tag's salts under it."""
    return bytes(hkdf_sha256(provisioned.end_to_end, b"strapline/1", b"root", 8)).hex()


def wrap(keys: GatewayKeys, number: int, topic: str, key: bytes, nonce: bytes) -> dict[str, object]:
    """The data of a `keys` message: a gateway's share, sealed under the gateway–centre key for this topic alone.

    `nonce` is 13 fresh random bytes. An end-to-end key among them goes too, where a deployment lets gateways have it.
    """
    if len(nonce) != _NONCE_SIZE:
        raise LocalProtocolError("a nonce has 13 bytes", len(nonce))
    share = keys.broadcast + keys.link + keys.header + (keys.end_to_end or b"")
    sealed = _cipher(key).seal(nonce, share, _context(topic, number))
    return {"generation": number, "keys": text_of(nonce + sealed)}


def unwrap(tag: str, data: dict[str, object], topic: str, key: bytes) -> tuple[GatewayKeys, int]:
    """(the share, its generation). Raises `RemoteProtocolError`: "malformed" or "forged"."""
    number = data.get("generation")
    if type(number) is not int or not 0 < number <= 0xFFFFFFFF:
        raise RemoteProtocolError("malformed", "generation")
    whole = octets(data, "keys")
    share = _share(whole, _context(topic, number), (key, *others_of(key)))
    if len(share) not in (3 * KEY_SIZE, 4 * KEY_SIZE):
        raise RemoteProtocolError("malformed", "keys")
    parts = [share[at : at + KEY_SIZE] for at in range(0, len(share), KEY_SIZE)]
    return GatewayKeys(tag, *parts), number


def _share(whole: bytes, context: bytes, keys: tuple[bytes, ...]) -> bytes:
    for key in keys:
        with suppress(FORGED, ValueError):
            return bytes(_cipher(key).open(whole[:_NONCE_SIZE], whole[_NONCE_SIZE:], context))
    raise RemoteProtocolError("forged", "keys")


def _cipher(key: bytes) -> HostCipher:
    return HostCipher(hkdf_sha256(key, b"strapline/1", b"keys", KEY_SIZE))


def _context(topic: str, number: int) -> bytes:
    return f"{topic}\n{number}".encode()
