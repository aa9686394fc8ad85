"""A rig with real ports, a real D-Bus and bleak's own backend; that behind them nothing is made of metal only the desk knows."""

import threading

import pytest

from strapline_hil.verdict import RigError
from strapline_simulator.trace import read_trace

HAND = "  hand:\n    driver: by-hand\n"


def test_a_strap_cut_through_the_relays_port_is_at_the_centre_within_two_seconds(desk, open_session):
    session = open_session()
    session.act(session.rig.strap.cut)
    told = session.wait_for("strap_open", within_s=2)
    assert told is not None
    assert told.fields["detail"] == 1  # the first opening
    session.act(session.rig.strap.mend)
    assert session.wait_for("strap_closed", within_s=10) is not None

    assert session.act(session.rig.sniffer.check) == []  # it listens beside the base station, as another program
    assert {one.rssi_dbm for one in session.act(session.rig.sniffer.heard)} == {-60}

    session.act(session.rig.supply.off)
    session.sleep(0.1)
    session.act(session.rig.supply.on)
    again = session.wait_for("started", within_s=30)
    assert again.fields["boot"] == told.fields["boot"] + 1
    assert session.now_s > again.t_s > told.t_s > 0

    desk.fakes["relays"].faults.add("silent")
    with pytest.raises(RigError, match="no answer"):
        session.act(session.rig.strap.cut)
    desk.fakes["relays"].faults.discard("silent")  # an end without the relays takes long


def test_one_session_after_the_other_has_the_same_tag(desk, open_session, tmp_path):
    with_hand = desk.rig.read_text()
    without_hand = with_hand.replace(HAND, "")
    before = set(threading.enumerate())

    desk.rig.write_text(without_hand)
    with pytest.raises(RigError, match="says that it is not armed; arm it once"):
        open_session()
    assert set(threading.enumerate()) <= before  # nothing is left of it

    desk.rig.write_text(with_hand)
    session = open_session()
    (armed,) = [told for told in session.told if told.code == "armed"]
    session.close()
    session.close()
    assert set(threading.enumerate()) <= before

    desk.rig.write_text(without_hand)
    session = open_session(folder=tmp_path)  # it is armed by now
    session.act(session.rig.strap.cut)
    told = session.wait_for("strap_open", within_s=10)
    assert told.fields["boot"] == armed.fields["boot"] + 1
    assert "armed" not in [told.code for told in session.told]
    session.close()
    interfaces = {packet.interface for packet in read_trace(tmp_path / "trace.pcapng")}
    assert {"air", "mqtt", "opened"} <= interfaces


def test_a_tag_that_is_not_heard_is_told_with_what_to_look_at(desk, open_session):
    keys = desk.rig.with_name("gateway-keys.json")
    text = keys.read_text()
    keys.write_text(text.replace(text.split('"broadcast": "')[1][:32], "0" * 32))
    with pytest.raises(RigError, match="whether the keys are its own"):
        open_session(patience_s=1.5)
