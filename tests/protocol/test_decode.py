"""`strapline protocol …` as a user runs it, on frames that the wire's own code has sealed."""

import subprocess
import sys
from pathlib import Path

import pytest

from strapline_protocol.cipher import HostCipher
from strapline_protocol.decode import decode
from strapline_wire import documents, frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.session import TagHandshake

STRAPLINE = Path(sys.executable).parent / "strapline"
SECRET = bytes(range(16))
HEADER = HostCipher(derive(SECRET, "header"))


def heartbeat():
    body = frames.pack_heartbeat((frames.STATE_ARMED | frames.STATE_STRAP_OPEN, 2, 88, 900, 5))
    return seal.seal_frame(frames.HEARTBEAT, 0x4D, 1234, body, HostCipher(derive(SECRET, "broadcast")), HEADER, seal.UP)


def event():
    body = frames.pack_event((frames.EVENT_STRAP_OPEN, 1, 3, 3600, 250, 0, 1))
    return seal.seal_envelope((frames.EVENT, 1, 0xCAFE, 7), body, HostCipher(derive(SECRET, "end-to-end")), seal.UP)


def shown(rows):
    return {row.name: row.value for row in rows}


def test_a_heartbeat_opens_with_the_tags_secret():
    told = shown(decode(heartbeat(), SECRET))
    assert told["counter"] == "1234"
    assert told["battery_percent"] == "88 %"
    meanings = {row.name: row.meaning for row in decode(heartbeat(), SECRET)}
    assert meanings["flags"] == "armed, strap_open"


def test_without_a_secret_only_the_header_is_told():
    told = shown(decode(heartbeat()))
    assert told["pseudonym"] == "0000004d"
    assert told["opened"] == "no"
    assert "counter" not in told
    assert "battery_percent" not in told


def test_an_envelope_shows_its_identity_and_opens_with_the_secret():
    assert shown(decode(event()))["number"] == "7"
    told = shown(decode(event(), SECRET))
    assert told["uptime_s"] == "3600 s"
    assert {row.name: row.meaning for row in decode(event(), SECRET)}["code"] == "strap_open: the strap is open"


def command(kind, body):
    return seal.seal_envelope((kind, 0, 1, 7), body, HostCipher(derive(SECRET, "end-to-end")), seal.DOWN)


def test_lists_are_shown_entry_by_entry_with_names_and_what_trails():
    vertices = ((1, 2), (3, 4), (5, 6))
    body = documents.pack_zones((4, ((7, 1, 25, 0, vertices), (8, 9, 0, 500, ((-1, -2),))))) + b"later"
    rows = decode(command(frames.ZONES, body), SECRET)
    told, meanings = shown(rows), {row.name: row.meaning for row in rows}
    assert told["zones"] == "2"
    assert told["zones[0].vertices[2].lat_e7"] == "5 1e-7 degree"
    assert told["zones[1].radius_m"] == "500 m"
    assert (meanings["zones[0].rule"], meanings["zones[1].rule"]) == ("stay_out", "unknown to this version")
    assert told["trailing"] == b"later".hex()


def test_a_message_is_shown_as_text():
    told = shown(decode(command(frames.MESSAGE, documents.pack_message((1, 1, 60, "de", "Zurück!"))), SECRET))
    assert told["text"] == "Zurück!"


def test_a_hello_is_checked():
    hello = TagHandshake(derive(SECRET, "link"), HEADER, 5, b"n" * 8, HostCipher).hello
    verdict = {row.name: row.meaning for row in decode(hello, SECRET)}["hmac"]
    assert verdict == "right"
    spoilt = hello[:-1] + bytes([hello[-1] ^ 1])
    assert {row.name: row.meaning for row in decode(spoilt, SECRET)}["hmac"].startswith("wrong")


@pytest.mark.parametrize("data", [b"", b"\x41", b"\x41" * 10, b"\x99" * 40, b"\x10" * 12, b"\x3f" * 40])
def test_what_is_no_frame_is_refused(data):
    with pytest.raises(RemoteProtocolError):
        decode(data, SECRET)


def test_the_wrong_secret_is_refused():
    with pytest.raises(RemoteProtocolError, match="forged"):
        decode(heartbeat(), bytes(16))


def run(*arguments):
    return subprocess.run([STRAPLINE, "protocol", *arguments], capture_output=True, text=True, check=False)


def test_the_command_reads_hex_with_spaces_and_a_key_file(tmp_path):
    (tmp_path / "key").write_text(SECRET.hex() + "\n")
    done = run("decode", heartbeat().hex(" "), "--key", str(tmp_path / "key"))
    assert done.returncode == 0, done.stderr
    assert "strap_open" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["decode", "xyz"], "hexadecimal"),
        (["decode", "41"], "truncated"),
        (["decode", "41" * 20, "--key", "/nowhere"], "--key"),
    ],
)
def test_a_mistake_is_one_line(arguments, word):
    done = run(*arguments)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert word in done.stderr


def test_what_is_printed_is_what_the_checkout_holds():
    root = Path(__file__).parents[2]
    assert run("dissector").stdout == (root / "docs/strapline.lua").read_text()
    assert run("vectors").stdout == (root / "tests/vectors/frames.json").read_text()
    assert run("docs").stdout == (root / "docs/protocol-frames.md").read_text()
    assert run("check").returncode == 0
