"""AES-128-CCM of both ends, held to RFC 3610, NIST SP 800-38C and `cryptography`; the tag's runs on real MicroPython."""

import json
import random
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from hypothesis import given, settings
from hypothesis import strategies as st

from real_micropython import HEAP, run_on_micropython
from strapline_protocol.cipher import HostCipher
from strapline_wire.compat import FORGED

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "rfc3610.json").read_text(encoding="utf-8"))["vectors"]
NIST = json.loads((FOLDER / "nist-sp800-38c.json").read_text(encoding="utf-8"))["vectors"]

SIZES = 513
"""Every size of text up to the largest body of a frame; coprime to the next, so that they meet in all ways."""
ASSOCIATED_SIZES = 41
CASES = 20 * SIZES

# One case a line: size of the MIC, key, nonce, associated data, plaintext, what to open. One answer a line: what was sealed, what was
# opened, one block.
SCRIPT = """
import sys
from binascii import hexlify, unhexlify
from strapline_wire.ccm import CcmCipher
from strapline_wire.compat import FORGED

while True:
    line = sys.stdin.readline()
    if not line:
        break
    size, *words = line.split()
    key, nonce, associated, plaintext, other = [unhexlify(word[1:]) for word in words]
    cipher = CcmCipher(key) if size == "8" else CcmCipher(key, int(size))
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
    mic_size: int = 8

    def line(self) -> str:
        fields = (self.key, self.nonce, self.associated, self.plaintext, self.to_open)
        return " ".join([str(self.mic_size), *("=" + field.hex() for field in fields)])


class Answer(NamedTuple):
    sealed: bytes
    opened: bytes | None
    block: bytes


def on_micropython(cases: list[Case], heap: str = HEAP) -> list[Answer]:
    answers = []
    for line in run_on_micropython(SCRIPT, [case.line() for case in cases], heap=heap):
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
    """Sizes in turn, so that all occur as often; what is to be opened is another text of the same size."""
    cases = []
    for at in range(count):
        key, nonce = draw.randbytes(16), draw.randbytes(13)
        associated, plaintext = draw.randbytes(at % ASSOCIATED_SIZES), draw.randbytes(at % SIZES)
        other = draw.randbytes(at % SIZES)
        cases.append(Case(key, nonce, associated, plaintext, reference(key).encrypt(nonce, other, associated)))
    return cases


def flipped(case: Case, draw: random.Random) -> Case:
    """One bit of what is to be opened turned round."""
    sealed = bytearray(case.to_open)
    sealed[draw.randrange(len(sealed))] ^= 1 << draw.randrange(8)
    return case._replace(to_open=bytes(sealed))


def nist_cases() -> list[Case]:
    return [
        Case(
            bytes.fromhex(vector["key"]),
            bytes.fromhex(vector["nonce"]),
            bytes.fromhex(vector["associated"]) * vector["associated_repeated"],
            bytes.fromhex(vector["plaintext"]),
            bytes.fromhex(vector["sealed"]),
            vector["mic_size"],
        )
        for vector in NIST
    ]


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


def test_the_nist_file_holds_all_four_examples_and_cryptography_agrees_with_them() -> None:
    shapes = [(len(case.nonce), case.mic_size, len(case.associated), len(case.plaintext)) for case in nist_cases()]
    assert shapes == [(7, 4, 8, 4), (8, 6, 16, 16), (12, 8, 20, 24), (13, 14, 65536, 32)]
    for case in nist_cases():
        cipher = AESCCM(case.key, tag_length=case.mic_size)
        assert cipher.encrypt(case.nonce, case.plaintext, case.associated) == case.to_open


def test_micropython_seals_and_opens_the_examples_of_nist_sp_800_38c() -> None:
    # The fourth has 65,536 bytes of associated data: more than a tag's heap takes, as hexadecimal digits on a line.
    cases = nist_cases()
    for case, answer in zip(cases, on_micropython(cases, heap="4m"), strict=True):
        assert (answer.sealed, answer.opened) == (case.to_open, case.plaintext)


def test_micropython_opens_no_altered_nist_example() -> None:
    cases = [flipped(case, random.Random("nist")) for case in nist_cases() for _ in range(5)]
    assert {answer.opened for answer in on_micropython(cases, heap="4m")} == {None}


@pytest.mark.parametrize("mic_size", [4, 6, 8, 10, 12, 14, 16])
@pytest.mark.parametrize("associated", [b"", bytes(40), bytes(0xFEFF), bytes(0xFF00)], ids=len)
def test_the_other_sizes_of_the_standard_are_as_cryptography_has_them(mic_size: int, associated: bytes) -> None:
    draw = random.Random(mic_size)
    cases = []
    for nonce_size in range(7, 14):
        key, nonce, text = draw.randbytes(16), draw.randbytes(nonce_size), draw.randbytes(33)
        sealed = AESCCM(key, tag_length=mic_size).encrypt(nonce, text, associated)
        cases.append(Case(key, nonce, associated, text, sealed, mic_size))
    for case, answer in zip(cases, on_micropython(cases, heap="4m"), strict=True):
        assert (answer.sealed, answer.opened) == (case.to_open, case.plaintext)


def test_micropython_seals_and_opens_10260_random_cases_as_cryptography_does_and_none_with_a_bit_flipped() -> None:
    draw = random.Random("ccm on micropython")
    cases = random_cases(draw, CASES)
    assert CASES >= 10_000
    assert {(len(case.plaintext) % 16, len(case.associated)) for case in cases} == {
        (rest, size) for rest in range(16) for size in range(ASSOCIATED_SIZES)
    }
    answers = on_micropython([*cases, *(flipped(case, draw) for case in cases)])
    for case, answer in zip(cases, answers[:CASES], strict=True):
        assert answer.sealed == reference(case.key).encrypt(case.nonce, case.plaintext, case.associated)
        assert answer.opened == reference(case.key).decrypt(case.nonce, case.to_open, case.associated)
        assert answer.block == one_block(case.key, case.key)
    assert {answer.opened for answer in answers[CASES:]} == {None}


def test_micropython_opens_nothing_that_was_cut_or_extended() -> None:
    draw = random.Random("ccm forgeries")
    forged = []
    for case in random_cases(draw, SIZES):
        forged.append(case._replace(to_open=case.to_open[: draw.randrange(len(case.to_open))]))
        forged.append(case._replace(to_open=case.to_open + draw.randbytes(draw.randrange(1, 17))))
        forged.append(case._replace(associated=case.associated + b"\x00"))
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
