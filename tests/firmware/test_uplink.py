"""One bearer's connection: the window, waiting for receipts, and what a stranger's bytes do to it (nothing)."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import HEADER, LINK_KEY, SECRET, TagPair, epoch, frame_of
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs as out
from strapline_wire import frames, link, seal
from strapline_wire.keys import derive
from strapline_wire.session import Session, TagHandshake, welcome

QUIET = {"home_silence_s": 100_000_000, "log_every_epoch": 1}


def loaded(count, config=None):
    """A tag at home with `count` positions and STARTED in its journal, nobody connected."""
    pair = TagPair(QUIET | (config or {}))
    pair.coverage = False
    pair.run(1)
    for second in range(count):
        pair.gnss(epoch(second))
        pair.run(1)
    assert len(pair.waiting()) == count + 1
    return pair


def sequences(pair):
    return [record.sequence for record in pair.arrived]


@pytest.mark.parametrize("window", [1, 3, 8])
def test_no_more_than_the_window_is_on_its_way(window):
    pair = loaded(20, {"link_window": window})
    pair.receipting = False
    pair.connect()
    assert sequences(pair) == list(range(1, window + 1))
    for _ in range(5):
        pair.gnss(epoch(30 + pair.now // 1000))
    assert sequences(pair) == list(range(1, window + 1))


def test_each_receipt_moves_the_window_on():
    pair = loaded(20, {"link_window": 4})
    pair.receipting = False
    pair.connect()
    journal = pair.tag.journal.ident
    pair.command(pair.centre.receipt_of(journal, 1, 0b010))  # only 3
    assert sequences(pair) == [1, 2, 3, 4, 5]
    pair.command(pair.centre.receipt_of(journal, 2, 0b010))  # 1, and 4
    assert sequences(pair) == [1, 2, 3, 4, 5, 6, 7]
    pair.command(pair.centre.receipt_of(journal, 8))
    assert sequences(pair) == list(range(1, 12))


def test_without_a_receipt_all_of_the_window_comes_again_after_10_s_20_s_and_so_on_up_to_an_hour():
    pair = loaded(20)
    pair.receipting = False
    pair.connect()
    connected_at = pair.now
    pair.run(6 * 3600)
    rounds = sorted({record.at for record in pair.arrived})
    assert rounds[0] == connected_at
    waits = [later - sooner for sooner, later in pairwise(rounds)]
    doubling = [10_000 * 2**n for n in range(9)]
    assert waits[:9] == doubling
    assert set(waits[9:]) == {3_600_000}
    assert all(sequences(pair).count(n) == len(rounds) for n in range(1, 9))
    assert len({(record.sequence, record.sealed) for record in pair.arrived}) == 8


def test_a_receipt_makes_the_waiting_short_again():
    pair = loaded(20)
    pair.receipting = False
    pair.connect()
    pair.run(3600)
    pair.command(pair.centre.receipt_of(pair.tag.journal.ident, 3))
    receipted_at = pair.now
    pair.arrived.clear()
    pair.run(25)
    assert sorted({record.at - receipted_at for record in pair.arrived}) == [10_000]


def test_when_everything_is_receipted_nothing_is_remembered_and_nothing_is_due():
    pair = loaded(40)
    pair.connect()
    assert pair.waiting() == []
    uplink = pair.tag._bearers._ble
    assert uplink._sent == set()
    assert uplink.next_deadline() is None


def test_a_new_session_sends_again_at_once_what_has_no_receipt_and_with_the_same_bytes():
    pair = loaded(5)
    pair.receipting = False
    pair.connect()
    first = {record.sequence: record.sealed for record in pair.arrived}
    pair.run(3000)
    pair.disconnect()
    pair.arrived.clear()
    pair.connect()
    assert {record.sequence: record.sealed for record in pair.arrived} == first
    again_at = pair.now
    pair.arrived.clear()
    pair.run(15)
    assert {record.at - again_at for record in pair.arrived} == {10_000}


def test_an_alarm_goes_past_a_full_window_and_is_repeated_soon():
    pair = loaded(20)
    pair.receipting = False
    pair.arm()
    pair.connect()
    pair.run(5000)  # by now it would wait more than half an hour
    pair.arrived.clear()
    pair.edge(is_open=True)
    opened_at = pair.now
    assert [record.name for record in pair.arrived] == ["strap_open"]
    pair.run(35)
    times = [record.at - opened_at for record in pair.arrived if record.name == "strap_open"]
    assert times == [0, 10_000, 30_000]


def test_alarms_are_bounded_by_the_window_too():
    pair = loaded(20, {"link_window": 4})
    pair.receipting = False
    pair.arm()
    pair.connect()
    pair.arrived.clear()
    for _ in range(10):
        pair.edge(is_open=True)
        pair.edge(is_open=False)
    assert [record.name for record in pair.arrived] == ["strap_open"] * 4


def test_a_position_that_was_dropped_on_its_way_takes_no_place_in_the_window():
    pair = loaded(13, {"journal_bytes": 768, "journal_block_bytes": 256, "journal_alarm_reserve": 0, "link_window": 4})
    pair.receipting = False
    pair.connect()
    assert sequences(pair) == [1, 2, 3, 4]
    for second in range(20, 23):
        pair.gnss(epoch(second))
    held = pair.held()
    assert held[0] == 1
    assert not {2, 3, 4} <= set(held)
    waiting = [sequence for sequence in held[:4] if sequence > 4]
    assert sequences(pair) == [1, 2, 3, 4, *waiting]


# A stranger, or a gateway that has gone mad.


def still_works(pair):
    before = pair.names().count("strap_open")
    pair.edge(is_open=not pair.tag.strap.is_open)
    pair.edge(is_open=not pair.tag.strap.is_open)
    pair.visit()
    return pair.names().count("strap_open") == before + 1 and pair.waiting() == []


JUNK = st.one_of(
    st.binary(max_size=700),
    st.binary(max_size=60).map(link.encode),
    st.builds(
        lambda head, kind, rest: link.encode(head + bytes([0x40 | kind]) + rest),
        st.tuples(st.integers(1, 255), st.sampled_from([0, 0, 1, 104]), st.sampled_from([0, 0x10, 0x21])).map(bytes),
        st.integers(0, 63),
        st.binary(max_size=60),
    ),
)


def standing(pair):
    frames_sent = len(transmissions(pair, 0))  # the link may acknowledge garbage that has a correct CRC
    return pair.tag.armed, pair.tag.away, len(pair.waiting()), frames_sent, pair.tag.clock.trusted(pair.now)


@settings(deadline=None)
@given(chunks=st.lists(JUNK, max_size=12), stage=st.sampled_from(["no link", "before welcome", "in session"]))
def test_garbage_does_nothing_but_count(chunks, stage):
    pair = TagPair(QUIET)
    pair.arm()
    pair.greeting = stage == "in session"
    if stage != "no link":
        pair.connect()
    before = standing(pair)
    for chunk in chunks:
        pair.line_data(chunk)
    assert standing(pair) == before
    pair.greeting = True
    pair.disconnect()
    assert still_works(pair)


def counted(pair, data):
    before = pair.tag.rejected
    pair.line_data(data)
    return pair.tag.rejected - before


def test_each_frame_that_is_refused_is_counted_once():
    pair = TagPair(QUIET)
    assert counted(pair, link.encode(bytes(30))) == 1  # no link at all
    pair.connect()
    assert counted(pair, pair.line(b"\x45" + bytes(30))) == 1
    session = pair.lines[out.BLE].session
    assert counted(pair, pair.line(session.seal(frames.HELLO, b"no command"))) == 1
    assert counted(pair, pair.line(session.seal(frames.COMMAND, b"not sealed by the centre"))) == 1
    frame = session.seal(frames.COMMAND, pair.centre.receipt(1))
    line = pair.line(frame)
    assert counted(pair, line) == 0
    assert counted(pair, line) == 0  # the link knows its own lines again
    assert counted(pair, pair.line(frame)) == 1  # the same again


def test_an_endless_line_without_a_frame_is_not_kept():
    pair = TagPair(QUIET)
    pair.connect()
    for _ in range(200):
        pair.line_data(b"\x55" * 1000)
    deframer = pair.tag._bearers._ble._link._deframer
    assert len(deframer._line) + len(deframer.text) < 4 * link.FRAME_LIMIT
    pair.line_data(b"\x00")
    pair.arm()
    assert still_works(pair)


def test_a_welcome_that_was_recorded_opens_no_second_session():
    pair = TagPair(QUIET)
    said = []
    feed = pair.tag.feed_link
    pair.tag.feed_link = lambda now, bearer, data: (said.append(data), feed(now, bearer, data))
    pair.visit()
    recorded = said[0]
    pair.greeting = False
    pair.connect()
    pair.line_data(recorded)
    assert pair.tag.rejected == 0  # the link sees that it is none of this connection's
    pair.line_data(pair.line(frame_of(recorded)))
    assert not pair.tag._bearers._ble.is_open
    assert pair.tag.rejected == 1


def test_a_welcome_without_the_link_key_opens_no_session():
    pair = TagPair(QUIET)
    pair.greeting = False
    pair.connect()
    stranger = derive(bytes(16), "link")
    hello = TagHandshake(stranger, HEADER, 1, bytes(8), HostCipher).hello
    _, answer, _ = welcome(hello, stranger, HEADER, 7, 1, bytes(8), HostCipher)
    pair.line_data(pair.line(answer))
    assert not pair.tag._bearers._ble.is_open
    assert not pair.arrived


def test_what_was_said_in_one_session_is_refused_in_the_next():
    pair = TagPair(QUIET)
    pair.connect()
    old = pair.lines[out.BLE].session
    pair.connect()
    pair.tag.feed_link(pair.now, out.BLE, pair.line(old.seal(frames.COMMAND, pair.centre.arm())))
    assert pair.tag.rejected == 1
    assert not pair.tag.armed


def test_what_the_tag_said_itself_is_no_command():
    pair = TagPair(QUIET)
    pair.connect()
    own = [frame for _, _, data in pair.sent if (frame := frame_of(data))]
    for frame in own:
        pair.line_data(pair.line(frame))
    assert pair.tag.rejected == len(own)


def test_bytes_arrive_in_any_portions():
    pair = TagPair(QUIET)
    pair.arm()
    pair.receipting = False
    pair.connect()
    session = pair.lines[out.BLE].session
    line = pair.line(session.seal(frames.COMMAND, pair.centre.receipt(pair.tag.journal.ident)))
    for byte in b"I (372) boot: hello\r\n" + line:
        pair.line_data(bytes([byte]))
    assert pair.waiting() == []


def test_every_connection_has_fresh_nonces_and_a_key_of_its_own():
    pair = TagPair(QUIET)
    hellos, keys = set(), set()
    for _ in range(50):
        pair.connect()
        frame = next(frame for _, _, data in reversed(pair.sent) if (frame := frame_of(data)).startswith(b"\x42"))
        hellos.add(frames.unpack_hello(frame[5:-8]).nonce)
        keys.add(pair.lines[out.BLE].session.seal(frames.COMMAND, b""))
        pair.disconnect()
    assert len(hellos) == len(keys) == 50


def test_hello_tells_a_nonce_alone_and_reply_boot_and_uptime():
    pair = TagPair(QUIET)
    pair.run(3723)
    greeted = []

    def greet(frame, *rest):
        hello, answer, session = welcome(frame, LINK_KEY, HEADER, 1, 0, bytes(8), HostCipher)
        greeted.append(hello)
        return answer, session

    pair.greeting = False
    pair.connect()
    (hello,) = [frame for _, _, data in pair.sent if (frame := frame_of(data))]
    answer, session = greet(hello)
    assert isinstance(session, Session)
    pair.tag.feed_link(pair.now, out.BLE, pair.line(answer))
    (kind, reply) = session.open(frame_of(pair.tag.take_outputs()[0][2]))
    assert kind == frames.REPLY
    assert len(greeted[0]) == 1  # the clear HELLO: nothing by which two pseudonyms could be linked
    assert tuple(frames.unpack_reply(reply)) == (1, 3723)


def test_the_outer_seal_says_nothing_that_repeats():
    pair = loaded(5)
    pair.receipting = False
    pair.connect()
    pair.run(300)
    sent = [frame for _, _, data in pair.sent if (frame := frame_of(data))]
    assert len(set(sent)) == len(sent) > 30
    assert SECRET not in b"".join(sent)
    assert all(seal.peek(frame)[0] in (frames.HELLO, frames.REPLY, frames.RECORD) for frame in sent)


# What the link does for the session.


def transmissions(pair, since):
    """Time (ms after `since`) and frame of every line with a frame that the tag has sent since then."""
    return [(at - since, frame) for at, _, data in pair.sent if at >= since and (frame := frame_of(data))]


BLE_TIMES = [0, 1000, 3000, 7000, 15_000, 23_000]


@pytest.mark.parametrize(
    ("bearer", "times"), [(out.BLE, BLE_TIMES), (out.CELLULAR, [10 * at for at in BLE_TIMES])], ids=["ble", "cellular"]
)
def test_what_nobody_acknowledges_goes_again_after_the_time_of_its_bearer_and_then_the_connection_is_closed(
    bearer, times
):
    pair = loaded(1, {"cellular_idle_ms": 10_000_000, "receipt_wait_ms": 10_000_000})
    pair.receipting = False
    pair.connect(bearer)
    pair.lines[bearer].deaf = True
    deaf_at = pair.now
    pair.run(1)
    pair.gnss(epoch(100))
    pair.run(400)
    ((first_at, frame), *again) = [sent for sent in transmissions(pair, deaf_at) if sent[0] > 0]
    assert [(0, frame), *((at - first_at, other) for at, other in again)] == [(at, frame) for at in times]
    assert pair.hung_up == [(deaf_at + first_at + 31 * times[1], bearer)]
    assert len(pair.waiting()) == 3
    pair.connect(bearer)
    pair.command(pair.centre.receipt(pair.tag.journal.ident), bearer)
    assert pair.waiting() == []


def test_waiting_for_receipts_adds_nothing_to_a_line_that_is_not_acknowledged():
    pair = loaded(20)
    pair.connect()
    pair.run(1)
    pair.lines[out.BLE].deaf = True
    deaf_at = pair.now
    pair.gnss(epoch(100))
    pair.run(31)  # more than two times of waiting for a receipt
    sent = transmissions(pair, deaf_at)
    assert len(sent) == len(BLE_TIMES)
    assert len({frame for _, frame in sent}) == 1


def test_a_broken_line_is_repaired_long_before_a_receipt_is_missed():
    pair = loaded(30)
    pair.connect()
    for second in range(200, 230):
        pair.gnss(epoch(second))
        pair.lines[out.BLE].deaf = second % 3 == 0
        pair.run(0.5)
    pair.lines[out.BLE].deaf = False
    pair.run(8)
    assert pair.waiting() == []
    assert sequences(pair) == list(range(1, pair.tag.journal.newest + 1))
    assert pair.tag._bearers._ble._link.retransmitted > 0


def test_an_alarm_waits_for_no_acknowledgement_of_the_rest():
    pair = loaded(20)
    pair.arm()
    pair.receipting = False
    pair.connect()
    pair.lines[out.BLE].deaf = True
    before = len(transmissions(pair, 0))
    pair.key(pair.centre.receipt(pair.tag.journal.ident))  # the rest moves on, and nobody acknowledges it
    assert len(transmissions(pair, 0)) == before + 6
    pair.edge(is_open=True)
    assert len(transmissions(pair, 0)) == before + 7
    pair.lines[out.BLE].deaf = False
    pair.run(1)
    assert "strap_open" in pair.names()
