"""`strapline trace` on a simulated run: what is shown, compared, exported and handed out, and what a mistake is told."""

import csv
import json
import re

import gpxpy
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from strapline_protocol.errors import UserError
from strapline_protocol.keyring import read_centre_keys, read_gateway_keys
from strapline_protocol.link_key import read_link_keys
from strapline_simulator.trace import TraceWriter, read_keys, read_trace
from strapline_simulator.traces.command import trace as app
from strapline_simulator.traces.keybox import read_keys_text
from traced_run import make_run


def run(*arguments):
    """(exit status, what it printed)."""
    told = CliRunner().invoke(app, [str(one) for one in arguments])
    if isinstance(told.exception, UserError):
        return 2, str(told.exception)
    assert told.exception is None or isinstance(told.exception, SystemExit), told.exception
    return told.exit_code, told.output


def lines(*arguments):
    status, told = run(*arguments)
    assert status == 0, told
    return told.splitlines()


@pytest.fixture(scope="module")
def key_files(run_with_keys, tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys") / "handed-out"
    lines("keys", run_with_keys, folder)
    return folder


@pytest.fixture(scope="module")
def sealed(run_with_keys, tmp_path_factory):
    """The same trace without the keys and without what the simulation has opened: as a gateway would record it."""
    path = tmp_path_factory.mktemp("sealed") / "sealed.pcapng"
    with TraceWriter(path) as trace:
        for packet in read_trace(run_with_keys):
            if packet.interface in ("air", "cellular", "mqtt"):
                trace.write(packet.interface, packet.utc_s, packet.data, packet.inbound, packet.comment)
    return path


def test_every_packet_is_a_line_and_none_is_broken(run_with_keys):
    shown = lines("show", run_with_keys)
    assert len(shown) == sum(1 for _ in read_trace(run_with_keys))
    assert not [line for line in shown if " broken " in line or " unknown " in line]
    interfaces = {line.split()[3] for line in shown}
    assert interfaces == {"air", "cellular", "mqtt", "opened", "truth", "hci"}


def test_a_cut_is_read_on_every_link_that_it_passes_with_the_keys_and_on_none_without(run_with_keys, sealed, key_files):
    cut = "code=strap_open"
    passed = [line.split()[3] for line in lines("show", run_with_keys) if cut in line]
    assert set(passed) == {"cellular", "mqtt", "opened"}
    assert not [line for line in lines("show", sealed) if cut in line]
    with_share = lines("show", sealed, "--key", key_files / "gateway.json")
    assert not [line for line in with_share if cut in line]
    assert [line for line in with_share if " record " in line and "is=event" in line and "lane=alarm" in line]
    both = lines("show", sealed, "--key", key_files / "gateway.json", "--key", key_files / "centre.json")
    assert {line.split()[3] for line in both if cut in line} == {"cellular", "mqtt"}


def test_filters_by_interface_kind_tag_gateway_and_time(run_with_keys):
    assert {line.split()[7 - 1] for line in lines("show", run_with_keys, "--kind", "hello")} == {"hello"}
    heartbeats = lines("show", run_with_keys, "--kind", "heartbeat", "--interface", "air", "--tag", "7a900001")
    assert all(" air " in line for line in heartbeats)
    early = lines("show", run_with_keys, "--kind", "heartbeat", "--interface", "air", "--until", "1m30s")
    late = lines(
        "show", run_with_keys, "--kind", "heartbeat", "--interface", "air", "--start", "2026-03-03T08:01:30.960Z"
    )
    assert len(early) + len(late) == len(heartbeats)
    assert early
    assert late
    assert lines("show", run_with_keys, "--tag", "7a900002") == [f"{run_with_keys}: no packet of that choice"]
    assert {"6a7e00ce"} == {
        found.group(1)
        for line in lines("show", run_with_keys, "--gateway", "6a7e00ce")
        if (found := re.search("gateway=([0-9a-f]+)", line))
    }


def test_the_keys_of_a_trace_are_written_as_the_files_that_gateway_and_centre_read(run_with_keys, key_files):
    held = read_keys_text(read_keys(run_with_keys)[0])
    assert read_gateway_keys(key_files / "gateway.json") == held.gateways
    assert read_centre_keys(key_files / "centre.json") == held.centres
    for gateway, key in held.links.items():
        assert read_link_keys(key_files / f"{gateway}.key") == (key,)
    assert {file.stat().st_mode & 0o777 for file in key_files.iterdir()} == {0o600}
    status, told = run("keys", run_with_keys, key_files)
    assert (status, "is there already" in told) == (2, True)


def test_without_being_asked_for_no_key_is_in_a_trace(run_with_keys, tmp_path):
    """In no form: not as bytes, not as text, and not in what the simulation has opened."""
    held = read_keys_text(read_keys(run_with_keys)[0])
    plain = make_run(tmp_path / "plain", keys=False)
    assert read_keys(plain) == []
    content = plain.read_bytes()
    secrets = [key for keys in held.gateways for key in keys[1:4]]
    secrets += [keys.end_to_end for keys in held.centres] + [*held.links.values()]
    assert [packet.data for packet in read_trace(plain)] == [packet.data for packet in read_trace(run_with_keys)]
    for secret in secrets:
        assert secret not in content
        assert secret.hex().encode() not in content


def test_two_runs_of_one_seed_mean_the_same_and_a_later_cut_is_the_first_difference(run_with_keys, tmp_path):
    assert lines("diff", run_with_keys, run_with_keys) == [
        line for line in lines("diff", run_with_keys, run_with_keys) if line.startswith("the same: ")
    ]
    later = make_run(tmp_path / "later", cut="9min 30s")
    status, told = run("diff", run_with_keys, later, "--interface", "truth")
    assert status == 1
    assert "truth: packet" in told
    assert "30.000 s later in the second" in told
    assert run("diff", run_with_keys, later, "--interface", "truth", "--tolerance", 31)[0] == 0


def test_another_seed_draws_other_numbers_and_means_the_same_where_the_radio_has_no_say(run_with_keys, tmp_path):
    other = make_run(tmp_path / "other", seed=2)
    asked = ("diff", run_with_keys, other, "--interface", "mqtt", "--kind", "event", "--tolerance", 60)
    assert run(*asked, "--ignore", "detail") == (0, run(*asked, "--ignore", "detail")[1])
    assert run(*asked, "--count", "journal", "--ignore", "detail")[0] == 1


def test_a_packet_that_one_trace_lacks_is_told_as_such(run_with_keys, tmp_path):
    short = tmp_path / "short.pcapng"
    with TraceWriter(short) as trace:
        left_out = False
        for packet in read_trace(run_with_keys):
            if not left_out and packet.interface == "truth":
                left_out = True
                continue
            trace.write(packet.interface, packet.utc_s, packet.data, packet.inbound, packet.comment)
    status, told = run("diff", run_with_keys, short)
    assert status == 1
    assert "only one of them can be opened" in told
    assert "truth: packet 1: only in the first" in told


def test_tables_hold_every_packet_and_the_same(run_with_keys, tmp_path):
    for form in ("csv", "jsonl", "parquet"):
        lines("export", run_with_keys, tmp_path / f"t.{form}")
    packets = list(read_trace(run_with_keys))
    with (tmp_path / "t.csv").open() as file:
        rows = list(csv.DictReader(file))
    objects = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert [bytes.fromhex(row["bytes"]) for row in rows] == [packet.data for packet in packets]
    assert [row["fields"] for row in objects] == [json.loads(row["fields"]) for row in rows]
    assert [row["bytes"] for row in table] == [packet.data for packet in packets]
    assert [row["time"].timestamp() for row in table] == pytest.approx([packet.utc_s for packet in packets], abs=1e-6)


def test_a_track_holds_each_position_once(run_with_keys, tmp_path):
    lines("export", run_with_keys, tmp_path / "t.gpx")
    (track,) = gpxpy.parse((tmp_path / "t.gpx").read_text()).tracks
    points = track.segments[0].points
    fixes = {
        line.partition("lat_e7=")[2] for line in lines("show", run_with_keys, "--interface", "opened", "--kind", "fix")
    }
    assert 0 < len(points) == len(fixes)
    assert points == sorted(points, key=lambda point: point.time)
    assert {round(point.latitude) for point in points} == {53}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "nowhere"], "No such file"),
        (["show", "TEXT"], "not a readable trace"),
        (["show", "/dev/null"], "not a readable trace: it is empty"),
        (["show", "TRACE", "--interface", "ether"], "one of air"),
        (["show", "TRACE", "--start", "soon"], "no time in a trace"),
        (["show", "TRACE", "--key", "TEXT"], "keys"),
        (["export", "TRACE", "t.xls"], "end it in .csv"),
        (["export", "TRACE", "/nowhere/t.csv"], "give a file"),
        (["export", "SEALED", "t.gpx"], "--key"),
        (["keys", "SEALED", "folder"], "--trace-keys"),
        (["replay", "SEALED", "--to", "tcp:127.0.0.1:1"], "--key"),
        (["replay", "TRACE", "--to", "ble:"], "no radio"),
        (["replay", "TRACE", "--to", "http://x"], "mqtt://"),
        (["replay", "TRACE", "--to", "tcp:127.0.0.1:1", "--verify", "delivery"], "it is records"),
        (["replay", "TRACE", "--to", "tcp:127.0.0.1:1", "--verify", "records"], "--broker"),
        (["replay", "TRACE", "--to", "tcp:127.0.0.1:1", "--map", "6a7e0001=6a7e0002"], "by its key"),
        (["replay", "TRACE", "--to", "mqtt://127.0.0.1:1"], "refused"),
        (["replay", "TRACE", "--to", "mqtt://127.0.0.1:1", "--map", "home=away"], "OLD=NEW"),
        (["replay", "TRACE", "--to", "mqtt://127.0.0.1:1", "--seal", "6a7e0001=nowhere"], "nowhere"),
        (["replay", "TRACE", "--to", "mqtt://127.0.0.1:1", "--side", "left"], "gateways"),
        (["replay", "TRACE", "--to", "mqtt://127.0.0.1:1", "--kind", "nothing"], "no publication"),
        (["record", "--config", "nowhere.toml"], "nowhere.toml"),
    ],
)
def test_a_mistake_is_one_line(arguments, said, run_with_keys, sealed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = tmp_path / "text"
    text.write_text("no trace\n")
    places = {"TRACE": run_with_keys, "SEALED": sealed, "TEXT": text}
    status, told = run(*[places.get(argument, argument) for argument in arguments])
    assert (status, said in told, len(told.splitlines())) == (2, True, 1), told
