"""The boot program's verifier against RFC 8554 and against pyhsslms, on CPython and on real MicroPython."""

import json
from functools import cache
from pathlib import Path

import pyhsslms
import pytest

from real_micropython import run_on_micropython
from strapline_boot import lms
from strapline_simulator.quick_key import QuickKey

RFC8554 = json.loads((Path(__file__).parents[1] / "vectors" / "rfc8554.json").read_text())
TYPES = pyhsslms.lms_sha256_m32_h10, pyhsslms.lmots_sha256_n32_w4


def holds(key, message, signature):
    return lms.verify(key, message, lambda at, size: signature[at : at + size])


@cache
def every_case():
    """(public key, message, signature) that hold, of a key with all its 1,024 leaves: once a process, as each leaf signs once."""
    vector = tuple(bytes.fromhex(RFC8554[name]) for name in ("public_key", "message", "signature"))
    made = [vector]
    key = pyhsslms.LmsPrivateKey(*TYPES, SEED=bytes(range(32)), I=bytes(range(16)))
    for leaf in (0, 1, 512, 1023):
        key.q = leaf
        message = bytes([leaf & 0xFF]) * (leaf % 300)
        made.append((key.publicKey().serialize(), message, key.sign(message)))
    quick = QuickKey()
    made += [(quick.public, message, quick.sign(message)) for message in (b"", b"manifest", bytes(308))]
    return tuple(made)


@pytest.fixture
def cases():
    return every_case()


def spoilt(case):
    """The same with one thing wrong each."""
    key, message, signature = case
    yield key, message + b"\0", signature
    yield key, message, signature[:-1]
    yield key, message, signature[:4] + signature[8:]
    yield key, message, b""
    for at in (0, 2, 3, 4, 7, 8, 39, 40, 41, 1000, 2183, 2184, 2187, 2188, 2507):
        yield key, message, signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
    for at in (0, 3, 7, 8, 23, 24, 55):
        yield key[:at] + bytes([key[at] ^ 0x80]) + key[at + 1 :], message, signature
    yield key[:-1], message, signature
    yield key + b"\0", message, signature


def test_the_rfcs_own_signature_and_those_of_pyhsslms_hold(cases):
    assert [holds(*case) for case in cases] == [True] * len(cases)


def test_nothing_that_is_spoilt_holds(cases):
    assert not any(holds(*wrong) for case in cases for wrong in spoilt(case))


def test_pyhsslms_holds_what_the_quick_key_signs(cases):
    for key, message, signature in cases:
        assert pyhsslms.LmsPublicKey.deserialize(key).verify(message, signature)


def test_a_leaf_that_no_tree_of_this_height_has_is_refused():
    key, message, signature = (bytes.fromhex(RFC8554[name]) for name in ("public_key", "message", "signature"))
    for leaf in (1024, 1027, 2048, 0x80000003, 0xFFFFFFFF):
        assert not holds(key, message, leaf.to_bytes(4, "big") + signature[4:])


ON_MICROPYTHON = """
import sys
from binascii import unhexlify
from strapline_boot import lms

while True:
    line = sys.stdin.readline()
    if not line:
        break
    key, message, signature = [unhexlify(part) for part in line.rstrip("\\n").split(",")]
    print(lms.verify(key, message, lambda at, size: signature[at : at + size]))
"""


def test_real_micropython_judges_the_same(cases):
    questions = [*cases, *spoilt(cases[0]), *spoilt(cases[1])]
    lines = [",".join(part.hex() for part in case) for case in questions]
    answers = run_on_micropython(ON_MICROPYTHON, lines, heap="64k")
    assert answers == ["True"] * len(cases) + ["False"] * (len(questions) - len(cases))
