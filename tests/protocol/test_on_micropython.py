"""The wire on real MicroPython with the tag's heap: the same bytes as on the host, the same refusals."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from frame_values import LAYOUTS, from_vector, unpack
from real_micropython import run_on_micropython
from strapline_protocol.cipher import HostCipher
from strapline_protocol.layout import is_fixed, leaves
from strapline_wire.errors import RemoteProtocolError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))["vectors"]

# One frame a line: its name and values, bytes as {"hex": digits}. Answers: its bytes, or the name of the refusal.
PACK = """
import json, sys
from binascii import hexlify, unhexlify
from strapline_wire import documents, frames

def values_of(told):
    if isinstance(told, dict):
        return unhexlify(told["hex"])
    return tuple([values_of(one) for one in told]) if isinstance(told, list) else told

while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, values = json.loads(line)
    module = frames if hasattr(frames, "pack_" + name) else documents
    try:
        print(hexlify(getattr(module, "pack_" + name)(values_of(values))).decode())
    except Exception as error:
        print(type(error).__name__)
"""

# One frame a line: its name and bytes. Answers: its values, or the name and reason of the refusal.
UNPACK = """
import json, sys
from binascii import hexlify, unhexlify
from strapline_wire import documents, frames

def told(value):
    if isinstance(value, bytes):
        return {"hex": hexlify(value).decode()}
    return [told(one) for one in value] if isinstance(value, tuple) else value

while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, data = json.loads(line)
    module = frames if hasattr(frames, "unpack_" + name) else documents
    try:
        print(json.dumps(told(getattr(module, "unpack_" + name)(unhexlify(data)))))
    except Exception as error:
        print(type(error).__name__, error.args[0])
"""

# Every part of the wire once. What each body makes is compared; what it means is the other tests' business.
EVERYTHING = """
from strapline_wire import frames, keys, link, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.hkdf import hkdf_sha256
from strapline_wire.replay import ReplayWindow
from strapline_wire.session import TagHandshake, welcome

SECRET = bytes(range(16))
said = []

def say(*parts):
    said.append(" ".join([part.hex() if isinstance(part, (bytes, bytearray)) else str(part) for part in parts]))

def refused(attempt, *arguments):
    try:
        attempt(*arguments)
        return "accepted"
    except RemoteProtocolError as error:
        return error.reason

for purpose in ("broadcast", "link", "header", "end-to-end"):
    say(keys.derive(SECRET, purpose))
say(hkdf_sha256(SECRET, bytes(100), b"info", 32))
link_key = keys.derive(SECRET, "link")
header = make_cipher(keys.derive(SECRET, "header"))
broadcast = make_cipher(keys.derive(SECRET, "broadcast"))
inner = make_cipher(keys.derive(SECRET, "end-to-end"))
for index in (0, 1, 77, 0xFFFFFFFF):
    slot = keys.Slot(header, index)
    say(slot.pseudonym, slot.address, slot.length_s)
window = ReplayWindow()
for counter in (0, 1, 70, 8, 6, 0x3FFFFFFF, 0x40000000, 0xFFFFFFFF, 0xFFFFFFC0, 0xFFFFFFBF):
    frame = seal.seal_frame(frames.HEARTBEAT, 0xA1B2C3D4, counter, bytes(range(7)), broadcast, header, seal.UP)
    say(frame, refused(seal.open_frame, frame, broadcast, header, seal.UP, window))
    say(refused(seal.open_frame, frame, broadcast, header, seal.UP, window))
    say(refused(seal.open_frame, frame[:-1], broadcast, header, seal.UP, window))
for size in (0, 1, 18, 494):
    sealed = seal.seal_envelope((frames.EVENT, 1, 0xDEADBEEF, size), b"r" * size, inner, seal.UP)
    say(sealed, refused(seal.open_envelope, sealed, inner, seal.UP), refused(seal.open_envelope, sealed, inner, seal.DOWN))
tag = TagHandshake(link_key, header, 0xA1B2C3D4, b"tagnonce", make_cipher)
hello, answer, at_gateway = welcome(tag.hello, link_key, header, 0xFFFFFFFE, 1, b"gw-nonce", make_cipher)
told, at_tag = tag.receive(answer)
say(tag.hello, answer, tuple(hello)[1:], told.gateway, refused(tag.receive, answer))
deframer = link.Deframer()
for size in (0, 7, 252, 253, 254, 255, 300, 508, 527):
    frame = at_tag.seal(frames.RECORD, b"\\x00\\x01" * (size // 2))
    line = link.encode(frame)
    say(line)
    for heard in deframer.feed(b"log text\\r\\n" + line + b"\\xff\\xfe\\x00"):
        kind, body = at_gateway.open(heard)
        say(kind, len(body), refused(at_gateway.open, heard))
say(deframer.broken, deframer.text)
say(link.encode(bytes(link.CONTENT_LIMIT)), link.encode(b"\\x01" * link.CONTENT_LIMIT), link.crc16_nibbles(b"123456789"))
"""


def asked(script: str, questions: list[Any]) -> list[str]:
    answers = run_on_micropython(script, [json.dumps(question, ensure_ascii=False) for question in questions])
    assert len(answers) == len(questions)
    return answers


def told(value: Any) -> Any:
    """A value as the two scripts read and write it."""
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    return [told(one) for one in value] if isinstance(value, tuple) else value


def values_of(vector: dict[str, Any]) -> Any:
    return told(from_vector(LAYOUTS[vector["frame"]], vector["values"]))


def test_every_vector_packs_to_its_bytes() -> None:
    questions = [[vector["frame"].lower(), values_of(vector)] for vector in VECTORS]
    assert asked(PACK, questions) == [vector["bytes"] for vector in VECTORS]


def test_every_vector_unpacks_to_its_values_with_more_behind_it_too() -> None:
    questions = [[vector["frame"].lower(), vector["bytes"] + tail] for vector in VECTORS for tail in ("", "ff00")]
    expected = [values_of(vector) for vector in VECTORS for _ in range(2)]
    assert [json.loads(answer) for answer in asked(UNPACK, questions)] == expected


def test_every_truncated_vector_is_refused() -> None:
    questions = [
        [vector["frame"].lower(), vector["bytes"][:size]]
        for vector in VECTORS
        for size in range(0, len(vector["bytes"]), 2)
        if len(vector["bytes"]) < 400 or size < 400  # of long lists the beginning says it all
    ]
    assert set(asked(UNPACK, questions)) == {"RemoteProtocolError truncated"}


def test_every_value_out_of_range_is_refused_where_its_struct_would_cut_it() -> None:
    # MicroPython's struct packs 300 as the byte 44 without a word.
    questions: list[Any] = []
    for vector in VECTORS:
        if vector["case"] != "lowest":
            continue
        values = values_of(vector)
        for at, leaf in enumerate(leaves(LAYOUTS[vector["frame"]])):
            low, high = leaf.limits
            wrong: list[Any] = [low - 1, high + 1, 1 << 64]
            if leaf.shape == "bytes":
                wrong = [told(bytes(leaf.size - 1)), told(bytes(leaf.size + 1))]
            elif leaf.shape == "blob":
                wrong = [told(bytes(high + 1))]
            elif leaf.shape == "text":
                wrong = ["é" * (high // 2 + 1)]
            elif leaf.shape == "items":
                wrong = [[[]] * (high + 1)]
            questions += [[vector["frame"].lower(), [*values[:at], value, *values[at + 1 :]]] for value in wrong]
    assert len(questions) > 200
    assert set(asked(PACK, questions)) == {"LocalProtocolError"}


def test_every_byte_out_of_range_is_refused() -> None:
    questions = [
        ["heartbeat", "00000065000000"],
        ["event", "010000000000000003e80000000000000000"],
        ["fix", "00000000000000000000000035a4e9010000000000000000"],
        ["fix", "0000000000000000000000000000000094b62dff00000000"],
        ["time", "00000000000000000000000003e8"],
        ["zones", "0000000121"],
        ["zones", "00000001010001000000000000000135a4e90100000000"],
        ["curfew", "000000010100000000034900"],
        ["locate", "000000010000"],
        ["part", "2700000001000101e1"],
    ]
    assert set(asked(UNPACK, questions)) == {"RemoteProtocolError out_of_range"}


def test_texts_are_as_strict_as_on_the_host() -> None:
    written = [
        *(bytes([first]) for first in range(256)),
        *(bytes([a, b]) for a in (0xC1, 0xC2, 0xDF) for b in range(0x70, 0xC8)),
    ]
    thirds = [bytes([a, b, 0x80]) for a in (0xE0, 0xE1, 0xED, 0xEF) for b in range(0x70, 0xC8)]
    fourths = [bytes([a, b, 0x80, 0xBF]) for a in (0xF0, 0xF1, 0xF4, 0xF5) for b in range(0x70, 0xC8)]
    raw = [bytes(9) + len(text).to_bytes(2, "big") + text for text in [*written, *thirds, *fourths]]
    on_host = [answer_of("message", octets) for octets in raw]
    assert [_same(answer) for answer in asked(UNPACK, [["message", octets.hex()] for octets in raw])] == [
        _same(a) for a in on_host
    ]
    assert 300 < sum(answer.endswith("not_utf8") for answer in on_host) < len(on_host) - 300


def answer_of(name: str, data: bytes) -> str:
    """What the host answers to the question that UNPACK asks."""
    try:
        return json.dumps(told(tuple(unpack(name.upper(), data))))
    except RemoteProtocolError as error:
        return f"RemoteProtocolError {error.reason}"


def test_random_bytes_read_the_same_as_on_the_host() -> None:
    draw = random.Random("frames on micropython")
    questions = []
    for name, layout in LAYOUTS.items():
        size = sum(leaf.size for leaf in leaves(layout)) + (0 if is_fixed(layout) else 60)
        values = [0, 0, 0, 1, 100, 101, 255] if is_fixed(layout) else [0, 0, 0, 0, 0, 1, 2, 3, 255]
        questions += [[name.lower(), bytes(draw.choices(values, k=size)).hex()] for _ in range(40)]
    on_host = [answer_of(name, bytes.fromhex(data)) for name, data in questions]
    assert [_same(answer) for answer in asked(UNPACK, questions)] == [_same(answer) for answer in on_host]
    assert 20 < sum(answer.startswith("Remote") for answer in on_host) < len(on_host) - 20


def _same(answer: str) -> Any:
    return answer if answer.startswith("Remote") else json.loads(answer)


ALLOCATED = """
import gc
from strapline_wire import frames

def used(attempt, data):
    attempt(data)
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    attempt(data)
    after = gc.mem_alloc()
    gc.enable()
    return after - before

print(used(frames.unpack_heartbeat, bytes(7)), used(frames.unpack_fix, bytes(24)), used(frames.unpack_receipt, bytes(12)))
"""


def test_decoding_allocates_the_result_and_what_struct_and_the_call_need_and_no_copies() -> None:
    # Words of 8 bytes: a tuple of n takes 16 + 8 n, rounded up to blocks of 32. Struct's tuple, the call's arguments, the record.
    heartbeat, fix, receipt = (int(word) for word in run_on_micropython(ALLOCATED)[0].split())
    assert heartbeat <= 3 * 64
    assert fix <= 3 * 96
    assert receipt <= 3 * 64


@pytest.fixture(scope="module")
def said_on_the_host() -> list[str]:
    space: dict[str, Any] = {"make_cipher": HostCipher}
    exec(EVERYTHING, space)
    return list(space["said"])


def test_keys_seals_sessions_and_lines_are_the_same_to_the_byte(said_on_the_host: list[str]) -> None:
    head = "from strapline_wire.ccm import CcmCipher as make_cipher\n"
    assert run_on_micropython(head + EVERYTHING + "\nfor line in said:\n    print(line)\n") == said_on_the_host


def test_the_comparison_saw_acceptance_and_every_kind_of_refusal(said_on_the_host: list[str]) -> None:
    words = {word for line in said_on_the_host for word in line.split()}
    assert {"accepted", "replayed", "too_old", "forged", "unexpected"} <= words
    assert said_on_the_host[-2] == "9 " + (b"log text\r\n" * 9).hex()


MEMORY = """
import gc
from strapline_wire import link

def used(attempt, argument):
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    attempt(argument)
    after = gc.mem_alloc()
    gc.enable()
    return after - before

deframer = link.Deframer()
print(used(link.encode, bytes(link.CONTENT_LIMIT)))
print(used(deframer.feed, bytes(512)))
print(used(deframer.feed, link.encode(bytes(link.CONTENT_LIMIT))))
print(used(deframer.feed, b"\\xa5" * 500 + b"\\x00"))
endless = link.Deframer()
gc.collect()
before = gc.mem_alloc()
for _ in range(200):
    endless.feed(b"\\xa5" * 100)
gc.collect()
print(gc.mem_alloc() - before)
"""


def test_neither_zeros_nor_garbage_nor_an_endless_line_fill_a_small_heap() -> None:
    # Bytes of garbage made, where words have 8 bytes; a list entry and an object for each byte would be 30 KiB and more.
    *portions, endless = (int(line) for line in run_on_micropython(MEMORY))
    assert len(portions) == 4
    assert max(portions) < 6 * 1024
    assert endless < 2 * 1024
