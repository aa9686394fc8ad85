# The keys of one tag and what follows from them without a message: pseudonyms, BLE addresses and the slots they hold for.
from strapline_wire.compat import const, reader, writer
from strapline_wire.hkdf import hkdf_sha256

KEY_SIZE = const(16)
_SLOT_SHORTEST_S = const(300)  # 5 min to 15 min: Android CDD 7.4.3 asks for an identifier change in this range
_SLOT_SPREAD_S = const(601)

_slot_block = writer(">4s8xL")
_slot_of = reader(">LB5sH")


def derive(secret: bytes, purpose: str) -> bytes:
    # One of "broadcast", "link", "header" (shared with gateways) and "end-to-end" (tag and centre only).
    return hkdf_sha256(secret, b"strapline/1", purpose.encode(), KEY_SIZE)


def renew(end_to_end: bytes, salt: bytes, generation: int) -> "tuple[bytes, bytes]":
    # The next generation of keys: (secret of the gateways' three keys, end-to-end key). Both follow from the end-to-end key and a fresh
    # salt that only tag and centre have seen: what a gateway knew before tells it nothing of them.
    number = generation.to_bytes(4, "big")
    return (
        hkdf_sha256(end_to_end, salt, b"gateways" + number, KEY_SIZE),
        hkdf_sha256(end_to_end, salt, b"end-to-end" + number, KEY_SIZE),
    )


def session_key(link_key: bytes, gateway: int, tag_nonce: bytes, gateway_nonce: bytes) -> bytes:
    # A fresh key for each connection; both nonces go in, so neither end alone can bring an old key back.
    return hkdf_sha256(link_key, tag_nonce + gateway_nonce, b"session" + gateway.to_bytes(4, "big"), KEY_SIZE)


class Slot:
    # One stretch of time under one pseudonym; `header` is a cipher on the header key.
    def __init__(self, header, index: int):
        self.index = index
        self.pseudonym, first, rest, length = _slot_of(header.block(_slot_block(b"slot", index)))
        # A random static address: the two top bits are set (Bluetooth Core 5.4, Vol 6, Part B, 1.3.2.1).
        self.address = bytes((first | 0xC0,)) + rest
        self.length_s = _SLOT_SHORTEST_S + length % _SLOT_SPREAD_S
