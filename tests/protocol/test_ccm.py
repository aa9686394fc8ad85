"""AES-128-CCM of both ends, held to RFC 3610 and to `cryptography`; the tag's runs on real MicroPython."""

import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from real_micropython import run_on_micropython
from strapline_protocol.cipher import HostCipher
from strapline_wire.compat import FORGED

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "rfc3610.json").read_text(encoding="utf-8"))["vectors"]

# Around AES blocks, and around the largest bodies that a frame carries.
LENGTHS = (0, 1, 7, 8, 15, 16, 17, 24, 31, 32, 33, 255, 256, 494, 495, 496, 512)
ASSOCIATED_LENGTHS = (0, 1, 5, 10, 13, 14, 15, 29, 30, 31, 64)

# One case a line: key, nonce, associated data, plaintext, what to open. One answer a line: what was sealed, what was opened, one block.
SCRIPT = """
import sys
from binascii import hexlify, unhexlify
from strapline_wire.ccm import CcmCipher
from strapline_wire.compat import FORGED

while True:
    line = sys.stdin.readline()
    if not line:
        break
    key, nonce, associated, plaintext, other = [unhexlify(word[1:]) for word in line.split()]
    cipher = CcmCipher(key)
    sealed = cipher.seal(nonce, plaintext, associated)
    try:
        opened = cipher.open(nonce, other, associated)
    except FORGED:
        opened = None
    print("=" + hexlify(sealed).decode(), "None" if opened is None else "=" + hexlify(opened).decode(), hexlify(cipher.block(key)).decode())
"""


class Case(NamedTuple):
    key: bytes
    nonce: bytes
    associated: bytes
    plaintext: bytes
    to_open: bytes

    def line(self) -> str:
        return " ".join("=" + field.hex() for field in self)


class Answer(NamedTuple):
    sealed: bytes
    opened: bytes | None
    block: bytes


def on_micropython(cases: list[Case]) -> list[Answer]:
    answers = []
    for line in run_on_micropython(SCRIPT, [case.line() for case in cases]):
        sealed, opened, block = line.split()
        told = None if opened == "None" else bytes.fromhex(opened[1:])
        answers.append(Answer(bytes.fromhex(sealed[1:]), told, bytes.fromhex(block)))
    assert len(answers) == len(cases)
    return answers


def reference(key: bytes) -> AESCCM:
    return AESCCM(key, tag_length=8)


def one_block(key: bytes, block: bytes) -> bytes:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def random_cases(draw: random.Random, count: int) -> list[Case]:
    """Every length of interest with every associated length at least once, the rest anywhere."""
    sizes = [(length, associated) for length in LENGTHS for associated in ASSOCIATED_LENGTHS]
    sizes += [(draw.randrange(513), draw.randrange(65)) for _ in range(count - len(sizes))]
    cases = []
    for length, associated_length in sizes:
        key, nonce = draw.randbytes(16), draw.randbytes(13)
        associated, plaintext = draw.randbytes(associated_length), draw.randbytes(length)
        other = draw.randbytes(draw.choice(LENGTHS))
        cases.append(Case(key, nonce, associated, plaintext, reference(key).encrypt(nonce, other, associated)))
    return cases


def vector_cases() -> list[Case]:
    return [
        Case(*(bytes.fromhex(vector[name]) for name in ("key", "nonce", "associated", "plaintext", "sealed")))
        for vector in VECTORS
    ]


def test_the_vector_file_holds_every_rfc_3610_vector_with_an_8_byte_mic() -> None:
    assert [vector["number"] for vector in VECTORS] == [*range(1, 7), *range(13, 19)]
    assert all(len(case.to_open) == len(case.plaintext) + 8 and len(case.nonce) == 13 for case in vector_cases())


@pytest.mark.parametrize("case", vector_cases(), ids=[f"packet-{vector['number']}" for vector in VECTORS])
def test_the_host_seals_and_opens_the_rfc_3610_vectors(case: Case) -> None:
    cipher = HostCipher(case.key)
    assert cipher.seal(case.nonce, case.plaintext, case.associated) == case.to_open
    assert cipher.open(case.nonce, case.to_open, case.associated) == case.plaintext


def test_micropython_seals_and_opens_the_rfc_3610_vectors() -> None:
    cases = vector_cases()
    for case, answer in zip(cases, on_micropython(cases), strict=True):
        assert (answer.sealed, answer.opened) == (case.to_open, case.plaintext)


def test_micropython_seals_and_opens_1200_random_cases_as_cryptography_does() -> None:
    cases = random_cases(random.Random("ccm on micropython"), 1200)
    for case, answer in zip(cases, on_micropython(cases), strict=True):
        assert answer.sealed == reference(case.key).encrypt(case.nonce, case.plaintext, case.associated)
        assert answer.opened == reference(case.key).decrypt(case.nonce, case.to_open, case.associated)
        assert answer.block == one_block(case.key, case.key)


def test_micropython_opens_nothing_that_was_altered_or_cut() -> None:
    draw = random.Random("ccm forgeries")
    forged = []
    for case in random_cases(draw, 300):
        sealed = bytearray(case.to_open)
        sealed[draw.randrange(len(sealed))] ^= 1 << draw.randrange(8)
        forged.append(case._replace(to_open=bytes(sealed)))
        forged.append(case._replace(to_open=case.to_open[: draw.randrange(len(case.to_open))]))
    case = random_cases(draw, 1)[0]
    forged += [case._replace(to_open=bytes(size)) for size in range(9)]
    assert {answer.opened for answer in on_micropython(forged)} == {None}


@settings(max_examples=100, deadline=None)
@given(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=13, max_size=13),
    st.binary(max_size=512),
    st.binary(max_size=64),
)
def test_the_host_seals_as_cryptography_does_and_opens_it_again(
    key: bytes, nonce: bytes, plaintext: bytes, associated: bytes
) -> None:
    cipher = HostCipher(key)
    sealed = cipher.seal(nonce, plaintext, associated)
    assert sealed == reference(key).encrypt(nonce, plaintext, associated)
    assert cipher.open(nonce, sealed, associated) == plaintext


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=48), st.binary(max_size=16), st.data())
def test_the_host_gives_none_for_what_was_altered_cut_or_extended(
    plaintext: bytes, associated: bytes, data: st.DataObject
) -> None:
    cipher, nonce = HostCipher(bytes(range(16))), bytes(13)
    sealed = cipher.seal(nonce, plaintext, associated)
    altered = bytearray(sealed)
    altered[data.draw(st.integers(0, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    cut = sealed[: data.draw(st.integers(0, len(sealed) - 1))]
    assert refused(cipher, nonce, bytes(altered), associated)
    assert refused(cipher, nonce, cut, associated)
    assert refused(cipher, nonce, sealed + data.draw(st.binary(min_size=1, max_size=9)), associated)
    assert refused(cipher, nonce, sealed, associated + b"\x00")
    assert refused(cipher, bytes(12) + b"\x01", sealed, associated)


def refused(cipher: HostCipher, nonce: bytes, sealed: bytes, associated: bytes) -> bool:
    try:
        cipher.open(nonce, sealed, associated)
    except FORGED:
        return True
    return False


def test_the_hosts_block_is_one_aes_block_whatever_came_before_it() -> None:
    # FIPS 197, appendix C.1.
    cipher = HostCipher(bytes.fromhex("000102030405060708090a0b0c0d0e0f"))
    plain, encrypted = "00112233445566778899aabbccddeeff", "69c4e0d86a7b0430d8cdb78070b4c55a"
    assert [cipher.block(bytes.fromhex(plain)).hex() for _ in range(3)] == [encrypted] * 3
