"""What follows from a tag's one secret, and who is given which part of it."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_protocol.cipher import HostCipher
from strapline_protocol.keys import centre_keys, gateway_keys
from strapline_wire.keys import Slot, derive, session_key

SECRET = bytes(range(16))
PURPOSES = ("broadcast", "link", "header", "end-to-end")


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=16, salt=salt, info=info).derive(secret)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_purposes_key_is_hkdf_of_the_secret_with_the_purpose_as_info(purpose: str) -> None:
    assert derive(SECRET, purpose) == hkdf(SECRET, b"strapline/1", purpose.encode())


def test_a_gateway_gets_three_keys_and_the_centre_the_fourth() -> None:
    gateway, centre = gateway_keys("0000002a", SECRET), centre_keys("0000002a", SECRET)
    shares = [gateway.broadcast, gateway.link, gateway.header, centre.end_to_end]
    assert shares == [hkdf(SECRET, b"strapline/1", purpose.encode()) for purpose in PURPOSES]
    assert len(set(shares)) == 4
    assert (gateway.tag, centre.tag) == ("0000002a", "0000002a")


def test_no_share_holds_the_secret_or_the_others_key() -> None:
    gateway, centre = gateway_keys("0000002a", SECRET), centre_keys("0000002a", SECRET)
    assert SECRET not in gateway
    assert SECRET not in centre
    assert centre.end_to_end not in gateway


def test_a_gateway_has_the_end_to_end_key_only_where_it_is_handed_one() -> None:
    gateway = gateway_keys("0000002a", SECRET)
    assert gateway.end_to_end is None
    assert gateway._replace(end_to_end=bytes(16)).end_to_end == bytes(16)


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{!r:>80}".format, lambda keys: repr([keys])])
def test_keys_print_without_a_key(shown: Callable[[object], str]) -> None:
    centre = centre_keys("0000002a", SECRET)
    gateway = gateway_keys("0000002a", SECRET)._replace(end_to_end=centre.end_to_end)
    for keys in (gateway, centre):
        text = shown(keys)
        assert "0000002a" in text
        assert not any(repr(key) in text or key.hex() in text for key in keys[1:])


def test_a_session_key_is_hkdf_of_the_link_key_with_both_nonces_and_the_gateway() -> None:
    link_key, tag_nonce, gateway_nonce = bytes(16), b"tagnonce", b"gwnonce!"
    expected = hkdf(link_key, tag_nonce + gateway_nonce, b"session" + bytes.fromhex("0a0b0c0d"))
    assert session_key(link_key, 0x0A0B0C0D, tag_nonce, gateway_nonce) == expected


def test_a_session_key_changes_with_every_ingredient() -> None:
    keys = {
        session_key(bytes(16), 1, b"tagnonce", b"gwnonce!"),
        session_key(bytes(15) + b"\x01", 1, b"tagnonce", b"gwnonce!"),
        session_key(bytes(16), 2, b"tagnonce", b"gwnonce!"),
        session_key(bytes(16), 1, b"tagnonc_", b"gwnonce!"),
        session_key(bytes(16), 1, b"tagnonce", b"gwnonce_"),
        session_key(bytes(16), 1, b"gwnonce!", b"tagnonce"),
    }
    assert len(keys) == 6


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 0xFFFFFFFF))
def test_a_slot_is_one_aes_block_of_the_header_key_over_its_index(index: int) -> None:
    key = derive(SECRET, "header")
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    block = encryptor.update(b"slot" + bytes(8) + index.to_bytes(4, "big"))
    slot = Slot(HostCipher(key), index)
    assert slot.pseudonym.to_bytes(4, "big") == block[:4]
    assert slot.address[1:] == block[5:10]
    assert slot.address[0] & 0x3F == block[4] & 0x3F


def test_slots_last_5_to_15_minutes_and_reach_into_both_ends_of_that() -> None:
    header = HostCipher(derive(SECRET, "header"))
    lengths = [Slot(header, index).length_s for index in range(3000)]
    assert 300 <= min(lengths) < 310
    assert 890 < max(lengths) <= 900


def test_a_slots_address_is_a_random_static_one_of_its_own() -> None:
    # Bluetooth Core 5.4, volume 6, part B, 1.3.2.1: the two most significant bits are ones.
    header = HostCipher(derive(SECRET, "header"))
    slots = [Slot(header, index) for index in range(1000)]
    assert all(len(slot.address) == 6 and slot.address[0] >> 6 == 0b11 for slot in slots)
    assert len({slot.address for slot in slots}) == 1000
    assert len({slot.pseudonym for slot in slots}) == 1000
