"""AES-128-CCM on the host: the three methods of `strapline_wire.ccm.CcmCipher`, on the `cryptography` library."""

from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM


class HostCipher:
    """One AES-128 key (16 bytes), 13-byte nonces, 8-byte MIC."""

    def __init__(self, key: bytes) -> None:
        ccm = AESCCM(key, tag_length=8)
        ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - single blocks as a PRF, never a message
        # The library's own methods: a call through one of ours would cost a tenth of the whole.
        self.seal: Callable[[bytes, bytes, bytes], bytes] = ccm.encrypt
        """Nonce, plaintext, associated data into ciphertext and MIC."""
        self.block: Callable[[bytes], bytes] = ecb.update
        """One AES block: 16 bytes in, 16 bytes out."""
        self.open: Callable[[bytes, bytes, bytes], bytes] = ccm.decrypt
        """Nonce, ciphertext and MIC, associated data into the plaintext; raises `compat.FORGED` where the MIC does not hold."""
