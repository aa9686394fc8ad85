"""AES-128-CCM on the host: the three methods of `strapline_wire.ccm.CcmCipher`, on the `cryptography` library."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM


class HostCipher:
    """One AES-128 key (16 bytes), 13-byte nonces, 8-byte MIC."""

    def __init__(self, key: bytes) -> None:
        self._ccm = AESCCM(key, tag_length=8)
        self._ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - single blocks as a PRF, never a message

    def block(self, data: bytes) -> bytes:
        """One AES block: 16 bytes in, 16 bytes out."""
        return self._ecb.update(data)

    def seal(self, nonce: bytes, plaintext: bytes, associated: bytes) -> bytes:
        """Ciphertext and MIC."""
        return self._ccm.encrypt(nonce, plaintext, associated)

    def open(self, nonce: bytes, sealed: bytes, associated: bytes) -> bytes | None:
        """The plaintext, or None where the MIC does not hold."""
        try:
            return self._ccm.decrypt(nonce, sealed, associated)
        except InvalidTag:
            return None
