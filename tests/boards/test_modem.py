"""The SIM7080 and its driver: the dial, the line, and everything that networks and lines do to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from board_bench import Desk, WritingTag
from strapline_boards.deadlines import NEVER
from strapline_boards.sim7080 import Modem
from strapline_simulator.board.chips.sim7080 import Sim7080
from strapline_tag.outputs import CELLULAR

_DIAL_MS = 10_000


def _desk(split=0):
    desk = Desk()
    desk.split = split
    desk.asked, desk.sent, desk.closed = [], b"", []
    desk.answers = True

    def opened():
        desk.asked.append(desk.circuit.now)
        if desk.answers:
            desk.circuit.later(100, desk.chip.opened)

    def sent(data):
        desk.sent += data

    desk.chip = Sim7080(
        desk.circuit, 1, on_open=opened, on_send=sent, on_close=lambda: desk.closed.append(desk.circuit.now)
    )
    desk.circuit.uarts[1] = desk.chip
    desk.modem = Modem(desk.line(1), desk.chip.key, {"apn": "iot", "host": "ingress", "port": 7070})
    desk.modem.tag = desk.tag = WritingTag()
    desk.drivers = [desk.modem]
    return desk


def _dialled(split=0):
    desk = _desk(split)
    desk.modem.dial(0)
    desk.run(_DIAL_MS)
    assert desk.tag.turns() == ["up"]
    return desk


@pytest.fixture
def desk():
    return _dialled()


def _from_centre(desk, data):
    desk.chip.came(data)
    desk.run(2000)


def test_off_until_a_line_is_wanted():
    desk = _desk()
    desk.run(60_000)
    assert not desk.chip.is_on
    assert desk.modem.due == NEVER


def test_both_ways_carry_bytes(desk):
    desk.modem.send(desk.circuit.now, b"\x00up\x00")
    desk.run(100)
    _from_centre(desk, b"\x00down\x00")
    assert desk.sent == b"\x00up\x00"
    assert desk.tag.stream(CELLULAR) == b"\x00down\x00"


@given(st.binary(min_size=1, max_size=2500), st.integers(0, 9))
def test_any_bytes_come_and_go_however_the_line_cuts_them(data, split):
    desk = _dialled(split)
    desk.modem.send(desk.circuit.now, data)
    _from_centre(desk, data)
    desk.run(2000)
    assert desk.sent == data
    assert desk.tag.stream(CELLULAR) == data


def test_content_that_looks_like_answers_is_content(desk):
    trap = b"\r\nOK\r\n+CASTATE: 0,0\r\nERROR\r\n+CARECV: 5,abc>"
    _from_centre(desk, trap)
    desk.modem.send(desk.circuit.now, trap)
    desk.run(1000)
    assert desk.tag.stream(CELLULAR) == trap
    assert desk.sent == trap
    assert desk.tag.turns() == ["up"]


def test_data_while_a_command_is_under_way_is_fetched(desk):
    desk.modem.send(desk.circuit.now, b"one")
    desk.chip.came(b"two")
    desk.modem.send(desk.circuit.now, b"three")
    desk.run(2000)
    assert desk.sent == b"onethree"
    assert desk.tag.stream(CELLULAR) == b"two"


def test_the_other_end_closes(desk):
    desk.chip.closed()
    desk.run(100)
    assert desk.tag.turns() == ["up", "down"]
    desk.run(10_000)
    assert not desk.chip.is_on


def test_hanging_up_switches_it_off_and_the_next_dial_works(desk):
    desk.modem.hang_up(desk.circuit.now)
    desk.run(5000)
    assert desk.closed
    assert not desk.chip.is_on
    desk.modem.dial(desk.circuit.now)
    desk.run(_DIAL_MS)
    assert desk.tag.turns() == ["up", "down", "up"]


@pytest.mark.parametrize("command", [b"AT+CPIN", b"AT+CNCFG", b"AT+CEREG", b"AT+CNACT"])
def test_an_error_is_asked_again(command):
    desk = _desk()
    desk.chip.errors = [command]
    desk.modem.dial(0)
    desk.run(_DIAL_MS)
    assert desk.tag.turns() == ["up"]


def test_errors_without_end_end_the_dial():
    desk = _desk()
    desk.chip.errors = [b"AT+CNACT"] * 10
    desk.modem.dial(0)
    desk.run(30_000)
    assert desk.tag.turns() == ["down"]
    assert not desk.chip.is_on


def test_a_line_that_is_refused_ends_the_dial_at_once():
    desk = _desk()
    desk.answers = False
    desk.modem.dial(0)
    desk.run(_DIAL_MS)
    desk.chip.closed()
    desk.run(100)
    assert desk.tag.turns() == ["down"]


def test_no_network_is_given_up_after_five_minutes_and_told_as_no_signal():
    desk = _desk()
    desk.chip.registered = False
    desk.modem.dial(0)
    desk.run(240_000)
    assert desk.tag.turns() == []
    desk.run(60_000)
    assert desk.tag.turns() == ["down"]
    assert desk.modem.cell_dbm == -140


def test_an_error_on_a_line_ends_it(desk):
    desk.chip.errors = [b"AT+CASEND"]
    desk.modem.send(desk.circuit.now, b"lost")
    desk.run(1000)
    assert desk.tag.turns() == ["up", "down"]


def test_a_context_that_goes_down_ends_the_line(desk):
    desk.chip._say(b"+APP PDP: 0,DEACTIVE")
    desk.run(100)
    assert desk.tag.turns() == ["up", "down"]


def test_a_late_word_of_an_earlier_line_does_not_end_the_next_dial(desk):
    desk.modem.hang_up(desk.circuit.now)
    desk.run(5000)
    desk.modem.dial(desk.circuit.now)
    desk.run(3200)
    desk.chip._say(b"+CASTATE: 0,0")
    desk.run(_DIAL_MS)
    assert desk.tag.turns() == ["up", "down", "up"]


def test_noise_between_answers_changes_nothing(desk):
    desk.circuit.send(1, b"\xff\x00\xfe\r\n\x80garbage\xff\r\n")
    desk.run(10)
    _from_centre(desk, b"still here")
    assert desk.tag.stream(CELLULAR) == b"still here"
    assert desk.tag.turns() == ["up"]


def test_a_modem_that_hangs_in_a_command_ends_the_line(desk):
    desk.chip.present = False
    desk.modem.send(desk.circuit.now, b"nobody")
    desk.run(20_000)
    assert desk.tag.turns() == ["up", "down"]


def test_a_dead_modem_is_a_fault_until_it_answers():
    desk = _desk()
    desk.chip.present = False
    desk.modem.dial(0)
    desk.run(60_000)
    assert desk.modem.failed
    assert desk.tag.turns() == ["down"]
    desk.chip.present = True
    desk.modem.dial(desk.circuit.now)
    desk.run(_DIAL_MS)
    assert not desk.modem.failed
    assert desk.tag.turns() == ["down", "up"]


def test_the_level_is_told_in_dbm(desk):
    assert desk.modem.cell_dbm == -85


def test_on_stand_by_the_line_needs_no_search():
    desk = _desk()
    desk.modem.stand_by(0, True)
    desk.run(_DIAL_MS)
    assert desk.asked == []
    desk.modem.dial(desk.circuit.now)
    asked_at = desk.circuit.now
    desk.run(1000)
    assert desk.asked[0] - asked_at <= 10
    desk.modem.hang_up(desk.circuit.now)
    desk.run(1000)
    assert desk.chip.is_on
    desk.modem.dial(desk.circuit.now)
    desk.run(1000)
    assert desk.tag.turns() == ["up", "down", "up"]
    desk.modem.hang_up(desk.circuit.now)
    desk.modem.stand_by(desk.circuit.now, False)
    desk.run(1000)
    assert not desk.chip.is_on


def test_standing_by_without_a_network_looks_again_later():
    desk = _desk()
    desk.chip.registered = False
    desk.modem.stand_by(0, True)
    desk.run(310_000)
    assert desk.tag.turns() == []  # nobody dialled
    desk.chip.registered = True
    desk.run(400_000)
    desk.modem.dial(desk.circuit.now)
    desk.run(1000)
    assert desk.tag.turns() == ["up"]


def test_without_an_ingress_there_is_no_line():
    desk = _desk()
    desk.modem = Modem(desk.line(1), desk.chip.key, {})
    desk.modem.tag = desk.tag
    desk.drivers = [desk.modem]
    desk.modem.stand_by(0, True)
    desk.modem.dial(0)
    desk.run(_DIAL_MS)
    assert desk.tag.turns() == ["down"]
    assert not desk.chip.is_on


def test_standing_by_it_tells_how_well_it_hears():
    desk = _desk()
    desk.modem.stand_by(0, True)
    desk.run(_DIAL_MS)
    desk.chip.hears(-121)  # AT+CSQ would not tell that any more
    desk.run(25_000)
    assert desk.modem.cell_dbm == -121
    desk.modem.dial(desk.circuit.now)
    desk.run(1000)
    desk.modem.hang_up(desk.circuit.now)
    assert desk.tag.turns() == ["up", "down"]
    desk.chip.hears(-140)
    desk.run(25_000)
    assert desk.modem.cell_dbm == -140


def test_short_messages_ring_and_never_fill_its_memory():
    desk = _desk()
    desk.modem.stand_by(0, True)
    desk.run(_DIAL_MS)
    for _ in range(30):
        desk.chip.ring()
        desk.run(25_000)
    assert desk.tag.said == [("ring", None)] * 30
