"""The wire on real MicroPython with the tag's heap: the same bytes as on the host, the same refusals."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from real_micropython import run_on_micropython
from strapline_protocol.cipher import HostCipher
from strapline_protocol.definitions import ENVELOPE, FRAMES, HEADER, leaves
from strapline_wire import frames
from strapline_wire.errors import RemoteProtocolError

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "frames.json").read_text(encoding="utf-8"))["vectors"]
LAYOUTS: dict[str, Any] = {"HEADER": HEADER, "ENVELOPE": ENVELOPE, **{f.kind.name: f.layout for f in FRAMES}}

# One frame a line: its name and values. Answers: its bytes, or the name of the refusal.
PACK = """
import json, sys
from binascii import hexlify, unhexlify
from strapline_wire import frames

while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, values = json.loads(line)
    values = [unhexlify(value) if isinstance(value, str) else value for value in values]
    try:
        print(hexlify(getattr(frames, "pack_" + name)(tuple(values))).decode())
    except Exception as error:
        print(type(error).__name__)
"""

# One frame a line: its name and bytes. Answers: its values, or the name and reason of the refusal.
UNPACK = """
import json, sys
from binascii import hexlify, unhexlify
from strapline_wire import frames

while True:
    line = sys.stdin.readline()
    if not line:
        break
    name, data = json.loads(line)
    try:
        values = getattr(frames, "unpack_" + name)(unhexlify(data))
        print(json.dumps([hexlify(value).decode() if isinstance(value, bytes) else value for value in values]))
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
say(link.encode(bytes(link.FRAME_LIMIT)), link.encode(b"\\x01" * link.FRAME_LIMIT), link.crc16_nibbles(b"123456789"))
"""


def asked(script: str, questions: list[Any]) -> list[str]:
    answers = run_on_micropython(script, [json.dumps(question) for question in questions])
    assert len(answers) == len(questions)
    return answers


def test_every_vector_packs_to_its_bytes() -> None:
    questions = [[vector["frame"].lower(), list(vector["values"].values())] for vector in VECTORS]
    assert asked(PACK, questions) == [vector["bytes"] for vector in VECTORS]


def test_every_vector_unpacks_to_its_values_with_more_behind_it_too() -> None:
    questions = [[vector["frame"].lower(), vector["bytes"] + tail] for vector in VECTORS for tail in ("", "ff00")]
    expected = [list(vector["values"].values()) for vector in VECTORS for _ in range(2)]
    assert [json.loads(answer) for answer in asked(UNPACK, questions)] == expected


def test_every_truncated_vector_is_refused() -> None:
    questions = [
        [vector["frame"].lower(), vector["bytes"][:size]]
        for vector in VECTORS
        for size in range(0, len(vector["bytes"]), 2)
    ]
    assert set(asked(UNPACK, questions)) == {"RemoteProtocolError truncated"}


def test_every_value_out_of_range_is_refused_where_its_struct_would_cut_it() -> None:
    # MicroPython's struct packs 300 as the byte 44 without a word.
    questions: list[Any] = []
    for vector in VECTORS:
        if vector["case"] != "lowest":
            continue
        values = list(vector["values"].values())
        for at, leaf in enumerate(leaves(LAYOUTS[vector["frame"]])):
            low, high = leaf.limits
            wrong = (
                ["00" * (leaf.size - 1), "00" * (leaf.size + 1)]
                if leaf.type_name == "bytes"
                else [low - 1, high + 1, 1 << 64]
            )
            questions += [[vector["frame"].lower(), [*values[:at], value, *values[at + 1 :]]] for value in wrong]
    assert len(questions) > 100
    assert set(asked(PACK, questions)) == {"LocalProtocolError"}


def test_every_byte_out_of_range_is_refused() -> None:
    questions = [
        ["heartbeat", "00000065000000"],
        ["event", "010800000000000000000000000000000000"],
        ["event", "010000000000000003e80000000000000000"],
        ["fix", "00000000000000000000000035a4e9010000000000000000"],
        ["fix", "0000000000000000000000000000000094b62dff00000000"],
        ["time", "00000000000000000000000003e8"],
    ]
    assert set(asked(UNPACK, questions)) == {"RemoteProtocolError out_of_range"}


def test_random_bytes_read_the_same_as_on_the_host() -> None:
    draw = random.Random("frames on micropython")
    questions = []
    for name in LAYOUTS:
        size = getattr(frames, f"{name}_SIZE")
        questions += [[name.lower(), bytes(draw.choices([0, 0, 0, 1, 100, 101, 255], k=size)).hex()] for _ in range(40)]
    told = []
    for name, data in questions:
        try:
            values = getattr(frames, f"unpack_{name}")(bytes.fromhex(data))
            told.append(json.dumps([value.hex() if isinstance(value, bytes) else value for value in values]))
        except RemoteProtocolError as error:
            told.append(f"RemoteProtocolError {error.reason}")
    assert asked(UNPACK, questions) == told
    assert 10 < sum(answer.startswith("Remote") for answer in told) < len(told) - 10


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
print(used(link.encode, bytes(link.FRAME_LIMIT)))
print(used(deframer.feed, bytes(512)))
print(used(deframer.feed, link.encode(bytes(link.FRAME_LIMIT))))
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
