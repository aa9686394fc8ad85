# AES-128-CCM (RFC 3610), built on the AES-ECB and AES-CBC that MicroPython has: the wire's 13-byte nonce and 8-byte MIC, and every
# other size of NIST SP 800-38C, so that its examples hold the very code that seals.
# On CPython the host hands in its own cipher with the same three methods (strapline_protocol.cipher).
from cryptolib import aes

from strapline_wire.compat import FORGED, const
from strapline_wire.hkdf import same

_ECB = const(1)
_CBC = const(2)
_ZERO = bytes(16)
_MIC_SIZE = const(8)


class CcmCipher:
    # Nonces of 7 to 13 bytes, MICs of 4 to 16 (even).
    def __init__(self, key: bytes, mic_size: int = _MIC_SIZE):
        self._key = key
        self._mic_size = mic_size
        self._ecb = aes(key, _ECB)

    def block(self, data: bytes) -> bytes:
        # One AES block: 16 bytes in, 16 bytes out.
        return self._ecb.encrypt(data)

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        # Gives ciphertext and MIC.
        stream = self._stream(nonce, len(plaintext))
        return _xor(plaintext, stream[16:]) + _xor(self._mac(nonce, plaintext, associated), stream)

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes:
        # Gives the plaintext; raises FORGED where the MIC does not hold.
        size = len(sealed) - self._mic_size
        if size < 0:
            raise FORGED
        stream = self._stream(nonce, size)
        plaintext = _xor(sealed[:size], stream[16:])
        if not same(_xor(self._mac(nonce, plaintext, associated), stream), sealed[size:]):
            raise FORGED
        return plaintext

    def _stream(self, nonce: bytes, size: int) -> bytes:
        # RFC 3610 section 2.3: block 0 masks the MIC, blocks 1… the text; the flags octet is L - 1, and L what the nonce leaves of 15.
        count = 15 - len(nonce)
        head = bytes((count - 1,)) + nonce
        return self._ecb.encrypt(b"".join([head + i.to_bytes(count, "big") for i in range(1 + (size + 15) // 16)]))

    def _mac(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        # Section 2.2: flags 0x40 (associated data), (M - 2) / 2 << 3, L - 1. One CBC call; the last block is the MAC.
        count = len(associated)
        size = 15 - len(nonce)
        blocks = (
            bytes(((0x40 if count else 0) + self._mic_size * 4 + size - 9,))
            + nonce
            + len(plaintext).to_bytes(size, "big")
        )
        if count:
            size = 2
            if count >= 0xFF00:
                blocks += b"\xff\xfe"
                size = 4
            blocks += count.to_bytes(size, "big") + associated
            blocks += _ZERO[: -len(blocks) % 16]
        blocks += plaintext + _ZERO[: -len(plaintext) % 16]
        return aes(self._key, _CBC, _ZERO).encrypt(blocks)[-16:][: self._mic_size]


def _xor(data: bytes, mask: bytes) -> bytes:
    # As big integers: a byte loop costs twice as much on a small board.
    size = len(data)
    return (int.from_bytes(data, "big") ^ int.from_bytes(mask[:size], "big")).to_bytes(size, "big")
