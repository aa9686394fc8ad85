"""The Wireshark dissector against the golden vectors, in tshark."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from frame_values import LAYOUTS
from strapline_protocol.definitions import FRAMES, EventCode, Kind, State, leaves
from strapline_protocol.dissector import dissector_source, field_name
from strapline_simulator.tools import find_tshark
from strapline_simulator.trace import TraceWriter
from strapline_wire import frames

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/frames.json").read_text())["vectors"]
BODIES = [vector for vector in VECTORS if vector["frame"] in Kind.__members__]


@pytest.fixture
def tshark(tmp_path):
    program = find_tshark()
    if program is None:
        if os.environ.get("STRAPLINE_REQUIRE_TSHARK") == "1":
            pytest.fail("no tshark on this machine, and STRAPLINE_REQUIRE_TSHARK=1")
        pytest.skip("no tshark on this machine: apt install tshark")
    script = tmp_path / "strapline.lua"
    script.write_text(dissector_source("a test"))

    def run(trace, *arguments):
        command = [program, "-X", f"lua_script:{script}", "-r", trace, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        assert "Lua" not in done.stderr, done.stderr
        return done.stdout

    return run


def write(path, interface, packets):
    with TraceWriter(path) as trace:
        for i, packet in enumerate(packets):
            trace.write(interface, 1_700_000_000 + i, packet)
    return path


def shown_in(prefix, layout, values):
    """What tshark's fields show of a body: (display filter, text) for every field of every record, in order."""
    told = []
    for leaf in leaves(layout):
        value = values[leaf.name]
        if leaf.record:
            for entry in value:
                told += shown_in(leaf.record.name.lower(), leaf.record.layout, entry)
        elif value != "":
            told.append((field_name(prefix, leaf), str(value)))
    return told


def names_in(prefix, layout):
    for leaf in leaves(layout):
        if leaf.record:
            yield from names_in(leaf.record.name.lower(), leaf.record.layout)
        else:
            yield field_name(prefix, leaf)


def test_every_field_of_every_vector_is_read_as_it_was_built(tshark, tmp_path):
    packets = [bytes([Kind[vector["frame"]]]) + bytes.fromhex(vector["bytes"]) for vector in BODIES]
    trace = write(tmp_path / "opened.pcapng", "opened", packets)
    names = [name for frame in FRAMES for name in names_in(frame.kind.name.lower(), frame.layout)]
    fields = [part for name in names for part in ("-e", name)]
    rows = tshark(trace, "-T", "fields", "-E", "aggregator=|", *fields).splitlines()
    assert len(rows) == len(BODIES) >= 5 * len(FRAMES)
    for vector, row in zip(BODIES, rows, strict=True):
        shown = {name: value for name, value in zip(names, row.split("\t"), strict=True) if value}
        wanted = {}
        for name, value in shown_in(vector["frame"].lower(), LAYOUTS[vector["frame"]], vector["values"]):
            wanted[name] = f"{wanted[name]}|{value}" if name in wanted else value
        assert shown == wanted


def test_lists_that_are_cut_short_are_called_malformed_and_what_follows_them_is_shown(tshark, tmp_path):
    whole = next(bytes.fromhex(v["bytes"]) for v in BODIES if (v["frame"], v["case"]) == ("CURFEW", "random"))
    packets = [bytes([Kind.CURFEW]) + body for body in (whole, whole[:-1], whole[:7], whole + b"\x01\x02")]
    trace = write(tmp_path / "cut.pcapng", "opened", packets)
    told = tshark(trace, "-T", "fields", "-e", "_ws.expert.message", "-e", "strapline.trailing").splitlines()
    assert [bool(line.split("\t")[0]) for line in told] == [False, True, True, False]
    assert told[3].split("\t")[1] == "0102"


def test_names_stand_beside_numbers(tshark, tmp_path):
    body = frames.pack_event((EventCode.JAMMED, 1, 0, 0, 0, 0, 0))
    trace = write(tmp_path / "named.pcapng", "opened", [bytes([Kind.EVENT]) + body])
    assert "code: jammed (44)" in tshark(trace, "-V")


def test_state_flags_are_shown_one_by_one(tshark, tmp_path):
    flags = State.ARMED | State.ALARM_PENDING
    body = flags.to_bytes(2, "big") + bytes(5)
    trace = write(tmp_path / "flags.pcapng", "opened", [bytes([Kind.HEARTBEAT]) + body])
    fields = [part for state in State for part in ("-e", f"strapline.state.{state.name.lower()}")]
    shown = tshark(trace, "-T", "fields", *fields).rstrip("\n").split("\t")
    assert [value in ("1", "True") for value in shown] == [state in flags for state in State]


@pytest.mark.parametrize("interface", ["air", "serial"])
def test_headers_are_shown_and_short_frames_are_called_malformed(tshark, tmp_path, interface):
    heartbeat = bytes([0x40 | Kind.HEARTBEAT]) + bytes.fromhex("01020304 0a0b0c0d 11223344556677 a1a2a3a4a5a6a7a8")
    hello = bytes([0x40 | Kind.HELLO]) + bytes.fromhex("01020304 0011223344556677 0001 00000010 b1b2b3b4b5b6b7b8")
    trace = write(
        tmp_path / "t.pcapng", interface, [heartbeat, hello, heartbeat[:12], heartbeat[:3], hello[:15], b"\x7f" * 30]
    )
    fields = ["version", "kind", "header.pseudonym", "header.masked_counter", "sealed", "mic", "hello.nonce", "mac"]
    rows = tshark(
        trace,
        "-T",
        "fields",
        *[part for field in fields for part in ("-e", f"strapline.{field}")],
        "-e",
        "_ws.malformed",
    )
    rows = [row.split("\t") for row in rows.splitlines()]
    assert rows[0][:6] == ["1", "0x01", str(0x01020304), str(0x0A0B0C0D), "11223344556677", "a1a2a3a4a5a6a7a8"]
    assert rows[1][:3] == ["1", "0x02", str(0x01020304)]
    assert rows[1][6:8] == ["0011223344556677", "b1b2b3b4b5b6b7b8"]
    told = tshark(trace, "-T", "fields", "-e", "_ws.expert.message").splitlines()
    assert [bool(message) for message in told] == [False, False, True, True, True, False]


def test_publications_show_topic_and_json(tshark, tmp_path):
    trace = write(tmp_path / "mqtt.pcapng", "mqtt", [b'strapline/v1/6a7e0001/state\0{"data":{"state":"online"}}'])
    shown = tshark(trace, "-T", "fields", "-e", "strapline.topic", "-e", "json.value.string").rstrip("\n").split("\t")
    assert shown == ["strapline/v1/6a7e0001/state", "online"]
