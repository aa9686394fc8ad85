# AES-128-CCM (RFC 3610) with a 13-byte nonce and an 8-byte MIC, built on the AES-ECB and AES-CBC that MicroPython has.
# On CPython the host hands in its own cipher with the same three methods (strapline_protocol.cipher).
from cryptolib import aes

from strapline_wire.compat import FORGED, const
from strapline_wire.hkdf import same

_ECB = const(1)
_CBC = const(2)
_ZERO = bytes(16)
MIC_SIZE = const(8)
NONCE_SIZE = const(13)


class CcmCipher:
    def __init__(self, key: bytes):
        self._key = key
        self._ecb = aes(key, _ECB)

    def block(self, data: bytes) -> bytes:
        # One AES block: 16 bytes in, 16 bytes out.
        return self._ecb.encrypt(data)

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        # Gives ciphertext and MIC.
        stream = self._stream(nonce, len(plaintext))
        mic = _xor(self._mac(nonce, plaintext, associated), stream[:MIC_SIZE])
        return _xor(plaintext, stream[16:]) + mic

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        # Gives the plaintext; raises FORGED where the MIC does not hold.
        size = len(sealed) - MIC_SIZE
        if size < 0:
            raise FORGED
        stream = self._stream(nonce, size)
        plaintext = _xor(sealed[:size], stream[16:])
        mic = _xor(self._mac(nonce, plaintext, associated), stream[:MIC_SIZE])
        if not same(mic, sealed[size:]):
            raise FORGED
        return plaintext

    def _stream(self, nonce: bytes, size: int) -> bytes:
        # RFC 3610 section 2.3: block 0 masks the MIC, blocks 1… the text; the flags octet is L - 1 = 1.
        head = b"\x01" + nonce
        return self._ecb.encrypt(b"".join([head + i.to_bytes(2, "big") for i in range(1 + (size + 15) // 16)]))

    def _mac(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        # Section 2.2: flags 0x40 (associated data), (8 - 2) / 2 << 3 = 0x18, L - 1 = 1. One CBC call; the last block is the MAC.
        count = len(associated)
        blocks = b"\x59" if count else b"\x19"
        blocks += nonce + len(plaintext).to_bytes(2, "big")
        if count:
            blocks += count.to_bytes(2, "big") + associated + _ZERO[: -(2 + count) % 16]
        blocks += plaintext + _ZERO[: -len(plaintext) % 16]
        return aes(self._key, _CBC, _ZERO).encrypt(blocks)[-16 : -16 + MIC_SIZE]


def _xor(data: bytes, mask: bytes) -> bytes:
    # As big integers: a byte loop costs twice as much on a small board.
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
