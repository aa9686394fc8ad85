"""HMAC and HKDF without `hmac`: RFC 4231, RFC 5869 and `cryptography` say what they give."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import example, given, settings
from hypothesis import strategies as st

from strapline_wire.errors import LocalProtocolError
from strapline_wire.hkdf import hkdf_sha256, hmac_sha256, same

# RFC 4231, sections 4.2 to 4.8: key, data, HMAC-SHA-256 (case 5 is truncated to 128 bits there).
RFC_4231 = [
    pytest.param(
        b"\x0b" * 20,
        b"Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        id="case-1",
    ),
    pytest.param(
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        id="case-2",
    ),
    pytest.param(
        b"\xaa" * 20,
        b"\xdd" * 50,
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        id="case-3",
    ),
    pytest.param(
        bytes(range(1, 26)),
        b"\xcd" * 50,
        "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        id="case-4",
    ),
    pytest.param(b"\x0c" * 20, b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b", id="case-5"),
    pytest.param(
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        id="case-6",
    ),
    pytest.param(
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        id="case-7",
    ),
]

# RFC 5869, appendices A.1 to A.3: secret, salt, info, and the first block of what they expand to.
RFC_5869 = [
    pytest.param(
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf",
        id="case-1",
    ),
    pytest.param(
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c",
        id="case-2",
    ),
    pytest.param(
        b"\x0b" * 22,
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d",
        id="case-3",
    ),
]


@pytest.mark.parametrize("key, data, expected", RFC_4231)
def test_hmac_gives_the_rfc_4231_vectors(key: bytes, data: bytes, expected: str) -> None:
    assert hmac_sha256(key, data).hex()[: len(expected)] == expected


@given(st.binary(max_size=140), st.binary(max_size=300))
@example(b"k" * 63, b"one less than a block")
@example(b"k" * 64, b"a block")
@example(b"k" * 65, b"one more than a block")
def test_hmac_is_that_of_the_standard_library(key: bytes, data: bytes) -> None:
    assert hmac_sha256(key, data) == hmac.new(key, data, hashlib.sha256).digest()


@pytest.mark.parametrize("secret, salt, info, expected", RFC_5869)
def test_hkdf_gives_the_first_block_of_the_rfc_5869_vectors(
    secret: bytes, salt: bytes, info: bytes, expected: str
) -> None:
    assert hkdf_sha256(secret, salt, info, 32).hex() == expected


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=80), st.integers(1, 32))
def test_hkdf_up_to_32_bytes_is_that_of_cryptography(secret: bytes, salt: bytes, info: bytes, length: int) -> None:
    expected = HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)
    assert hkdf_sha256(secret, salt, info, length) == expected


def test_hkdf_gives_16_bytes_unless_told_otherwise() -> None:
    assert hkdf_sha256(b"secret", b"salt", b"info") == hkdf_sha256(b"secret", b"salt", b"info", 32)[:16]


def test_hkdf_refuses_more_than_its_one_block_rather_than_give_a_shorter_key() -> None:
    with pytest.raises(LocalProtocolError):
        hkdf_sha256(b"secret", b"salt", b"info", 33)


@settings(max_examples=200)
@given(st.binary(max_size=20), st.data())
def test_same_is_equality(a: bytes, data: st.DataObject) -> None:
    b = data.draw(st.one_of(st.just(a), st.binary(max_size=20), st.just(a + b"\x00"), st.just(a[:-1])))
    assert same(a, b) == (a == b)


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("bit", range(8))
def test_same_sees_every_single_bit_of_a_mic(place: int, bit: int) -> None:
    mic = bytes(range(8))
    other = bytearray(mic)
    other[place] ^= 1 << bit
    assert not same(mic, bytes(other))
