# LMS signatures (RFC 8554), verified: LMS_SHA256_M32_H10 with LMOTS_SHA256_N32_W4 and nothing else. Needs SHA-256 only.
from hashlib import sha256

_TYPES = b"\0\0\0\x06\0\0\0\x03"


def verify(key: bytes, message: bytes, read) -> bool:
    # key: 56 bytes, as section 5.3 lays them out; read(at, size) gives the signature's bytes, so that it is never in memory whole.
    if len(key) != 56 or key[:8] != _TYPES or read(4, 4) != _TYPES[4:] or read(2184, 4) != _TYPES[:4]:
        return False
    number = read(0, 4)
    node = int.from_bytes(number, "big") + 1024
    if node > 2047:
        return False
    ident = key[8:24]
    head = ident + number
    # Algorithm 4b: the public key of the one-time signature.
    digest = _hash(head + b"\x81\x81" + read(8, 32) + message)
    total = 0
    for byte in digest:
        total += 30 - (byte >> 4) - (byte & 15)
    digest += (total << 4).to_bytes(2, "big")
    whole = sha256(head + b"\x80\x80")
    for i in range(67):
        value = read(40 + 32 * i, 32)
        step = digest[i >> 1]
        step = step & 15 if i & 1 else step >> 4
        while step < 15:
            value = _hash(head + bytes((0, i, step)) + value)
            step += 1
        whole.update(value)
    # Algorithm 6a: from the leaf up to the root.
    value = _hash(ident + node.to_bytes(4, "big") + b"\x82\x82" + whole.digest())
    at = 2188
    while node > 1:
        other = read(at, 32)
        at += 32
        pair = other + value if node & 1 else value + other
        node >>= 1
        value = _hash(ident + node.to_bytes(4, "big") + b"\x83\x83" + pair)
    return value == key[24:]


def _hash(data: bytes) -> bytes:
    return sha256(data).digest()
