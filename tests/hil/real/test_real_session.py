"""A rig with real ports, a real D-Bus and bleak's own backend; that behind them nothing is made of metal only the desk knows."""

import threading

import pytest

from strapline_hil.verdict import RigError
from strapline_simulator.trace import read_trace


def test_a_strap_cut_through_the_relays_port_is_at_the_centre_within_two_seconds(open_session):
    session = open_session()
    session.act(session.rig.strap.cut)
    told = session.wait_for("strap_open", within_s=2)
    assert told is not None
    assert told.fields["detail"] == 1  # the first opening
    session.act(session.rig.strap.mend)
    assert session.wait_for("strap_closed", within_s=10) is not None

    session.act(session.rig.supply.off)
    session.sleep(0.1)
    session.act(session.rig.supply.on)
    again = session.wait_for("started", within_s=30)
    assert again.fields["boot"] == told.fields["boot"] + 1
    assert session.now_s > again.t_s > told.t_s > 0


def test_the_sniffer_listens_beside_the_base_station(open_session):
    session = open_session()
    assert session.act(session.rig.sniffer.check) == []
    session.sleep(1)
    heard = session.act(session.rig.sniffer.heard)
    assert heard
    assert {one.rssi_dbm for one in heard} == {-60}


def test_the_next_session_finds_the_same_tag_and_nothing_of_the_last_one(desk, open_session):
    first = open_session()
    before = first.told[0].fields["boot"]
    first.close()
    second = open_session()
    assert {told.fields["boot"] for told in second.told} == {before + 1}
    assert [told.code for told in second.told].count("armed") == 1


def test_a_rig_without_a_hand_wants_a_tag_that_is_armed_already(desk, open_session, tmp_path):
    text = desk.rig.read_text()
    desk.rig.write_text(text.replace("  hand:\n    driver: by-hand\n", ""))
    with pytest.raises(RigError, match="says that it is not armed; arm it once"):
        open_session().close()
    desk.rig.write_text(text)
    open_session().close()
    desk.rig.write_text(text.replace("  hand:\n    driver: by-hand\n", ""))
    session = open_session(folder=tmp_path)
    session.act(session.rig.strap.cut)
    assert session.wait_for("strap_open", within_s=10) is not None
    session.close()
    interfaces = {packet.interface for packet in read_trace(tmp_path / "trace.pcapng")}
    assert {"air", "mqtt", "opened"} <= interfaces


def test_a_relay_board_that_falls_silent_is_the_rigs_failure(desk, open_session):
    session = open_session()
    desk.fakes["relays"].faults.add("silent")
    with pytest.raises(RigError, match="no answer"):
        session.act(session.rig.strap.cut)
    desk.fakes["relays"].faults.discard("silent")  # an end without the relays takes long


def test_a_tag_that_is_not_heard_is_told_with_what_to_look_at(desk, open_session):
    gateway = desk.rig.with_name("gateway-keys.json")
    text = gateway.read_text()
    gateway.write_text(text.replace(text.split('"broadcast": "')[1][:32], "0" * 32))
    with pytest.raises(RigError, match="whether the keys are its own"):
        open_session(patience_s=1.5)


def test_nothing_is_left_when_a_session_ends(open_session):
    before = set(threading.enumerate())
    session = open_session()
    assert set(threading.enumerate()) > before
    session.close()
    session.close()
    assert set(threading.enumerate()) <= before
