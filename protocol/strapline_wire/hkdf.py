# HMAC (RFC 2104) and HKDF (RFC 5869) on SHA-256. MicroPython has hashlib but no hmac.
from hashlib import sha256

from strapline_wire.errors import LocalProtocolError

_BLOCK = 64
_DIGEST = 32
_INNER = int.from_bytes(b"\x36" * _BLOCK, "big")
_OUTER = int.from_bytes(b"\x5c" * _BLOCK, "big")


def hmac_sha256(key: bytes, message: bytes) -> bytes:
    if len(key) > _BLOCK:
        key = sha256(key).digest()
    # As one number: a loop over the bytes costs more than the hashes.
    number = int.from_bytes(key + bytes(_BLOCK - len(key)), "big")
    inner = sha256((number ^ _INNER).to_bytes(_BLOCK, "big"))
    inner.update(message)
    outer = sha256((number ^ _OUTER).to_bytes(_BLOCK, "big"))
    outer.update(inner.digest())
    return outer.digest()


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int = 16) -> bytes:
    # Extract, then expand by one block: no key here is longer than 32 bytes.
    if length > _DIGEST:
        raise LocalProtocolError("one block of HKDF has 32 bytes", length)
    return hmac_sha256(hmac_sha256(salt, secret), info + b"\x01")[:length]


def same(a: bytes, b: bytes) -> bool:
    # Compares in a time that does not depend on where the two differ.
    if len(a) != len(b):
        return False
    difference = 0
    for i in range(len(a)):
        difference |= a[i] ^ b[i]
    return difference == 0
