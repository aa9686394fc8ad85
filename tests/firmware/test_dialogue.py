"""Messages, motor, button and the call on leaving: each step of a message's life, with losses, repetitions and power cuts."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from firmware.tag_pair import TagPair
from strapline_tag import outputs as out
from strapline_wire import documents, frames

ACK, SHAKE = 1, 2


class Wearer:
    """An armed tag at home; what display and motor do is noted."""

    def __init__(self, config=None, memory=None, seed="tag"):
        self.shown, self.shakes = [], []
        self.pair = pair = TagPair({"home_silence_s": 100_000_000} | (config or {}), memory=memory, seed=seed)
        carry_out = pair._carry_out

        def noting(kind, *fields):
            if kind == out.SHOW:
                self.shown.append(fields[0].decode())
            elif kind == out.VIBRATE:
                self.shakes.append((pair.now, fields[0]))
            else:
                carry_out(kind, *fields)

        pair._carry_out = noting
        pair.drain()
        pair.arm()
        pair.connect()

    def message(self, ident, text="words", flags=ACK | SHAKE, within_s=0):
        body = documents.pack_message((ident, flags, within_s, "de", text))
        self.pair.command(self.pair.centre.seal(frames.MESSAGE, body))
        self.pair.run(0)

    def press(self, seconds=0.5):
        self.pair.tag.feed_button(self.pair.now, True)
        self.pair.drain()
        self.pair.run(seconds)
        self.pair.tag.feed_button(self.pair.now, False)
        self.pair.drain()

    def told(self):
        self.pair.connect()
        quiet = ("started", "armed", "checked")
        return [
            (r.name, r.body.detail) for r in self.pair.unique() if r.name not in quiet and hasattr(r.body, "detail")
        ]


def test_a_message_is_shown_vibrates_until_the_button_and_each_of_it_is_told():
    wearer = Wearer()
    wearer.message(7, "Rufen Sie an: ☎", within_s=60)
    wearer.pair.run(25)
    assert wearer.shown == ["Rufen Sie an: ☎"]
    wearer.press()
    wearer.pair.run(100)
    assert wearer.shown == ["Rufen Sie an: ☎", ""]
    assert [ms for _, ms in wearer.shakes] == [500, 500, 500]
    assert sorted(wearer.told()) == [("button", 500), ("message_answered", 7), ("message_shown", 7), ("vibrated", 1500)]


@pytest.mark.parametrize("within_s", [1, 60, 65535])
def test_no_answer_in_time_is_an_alarm_once_and_a_late_answer_is_told_too(within_s):
    wearer = Wearer({"heartbeat_shortest_ms": 30_000, "heartbeat_longest_ms": 30_000})
    began = wearer.pair.now
    wearer.message(7, within_s=within_s)
    wearer.pair.run(within_s - 0.001)
    assert ("message_unanswered", 7) not in wearer.told()
    wearer.pair.run(3600)
    assert wearer.told().count(("message_unanswered", 7)) == 1
    assert wearer.pair.times("message_unanswered") == [began + within_s * 1000]
    assert all(at < began + within_s * 1000 for at, _ in wearer.shakes)
    wearer.press()
    assert wearer.told().count(("message_answered", 7)) == 1
    wearer.press()
    assert wearer.told().count(("message_answered", 7)) == 1


def test_the_motor_rests_after_ten_minutes_and_what_it_did_is_told_once():
    wearer = Wearer()
    wearer.message(7)
    wearer.pair.run(3600)
    assert len(wearer.shakes) == 60
    assert [detail for name, detail in wearer.told() if name == "vibrated"] == [30_000]


def test_a_message_that_wants_no_answer_is_shown_and_vibrates_once():
    wearer = Wearer()
    wearer.message(1, "one", SHAKE)
    wearer.message(2, "two", 0)
    wearer.pair.run(60)
    assert wearer.shown == ["one", "two"]
    assert len(wearer.shakes) == 1
    wearer.press()
    assert wearer.shown[-1] == ""
    assert [name for name, _ in wearer.told()] == ["message_shown", "vibrated", "message_shown", "button"]


def test_a_message_that_comes_again_is_shown_once_answered_or_not():
    wearer = Wearer()
    wearer.message(7)
    wearer.message(7, "another text")
    wearer.press()
    wearer.message(7)
    wearer.pair.run(60)
    assert wearer.shown == ["words", ""]
    assert [name for name, _ in wearer.told()].count("message_shown") == 1


def test_a_message_is_known_again_after_seven_others():
    wearer = Wearer()
    for ident in range(1, 9):
        wearer.message(ident)
        wearer.press()
    for ident in range(1, 9):
        wearer.message(ident)
    assert [detail for name, detail in wearer.told() if name == "message_shown"] == list(range(1, 9))


def test_the_newest_is_on_top_and_each_press_answers_what_is_seen():
    wearer = Wearer()
    for ident, text in ((1, "a"), (2, "b"), (3, "c")):
        wearer.message(ident, text)
    for _ in range(3):
        wearer.press()
    assert wearer.shown == ["a", "b", "c", "b", "a", ""]
    assert [detail for name, detail in wearer.told() if name == "message_answered"] == [3, 2, 1]


def test_more_than_four_open_ones_are_refused_by_name_and_one_answered_makes_room():
    wearer = Wearer()
    for ident in range(1, 6):
        wearer.message(ident)
    refused = ("command_refused", frames.MESSAGE << 8 | frames.REFUSAL_NOT_NOW)
    assert wearer.told().count(refused) == 1
    wearer.press()
    wearer.message(5)
    assert ("message_shown", 5) in wearer.told()


def test_presses_beyond_one_a_minute_are_not_told_and_answer_all_the_same():
    wearer = Wearer()
    for _ in range(1000):
        wearer.press(0.1)
    assert [name for name, _ in wearer.told()] == ["button"] * 2  # in 100 s
    wearer.message(1)
    wearer.press()
    assert ("message_answered", 1) in wearer.told()


def test_an_open_message_outlives_a_power_cut_and_an_answered_one_does_not_come_back():
    wearer = Wearer()
    wearer.message(1, "open", within_s=60)
    wearer.message(2, "answered")
    wearer.press()
    again = Wearer(memory=wearer.pair.memory, seed="again")
    assert again.shown == ["open"]
    again.pair.run(100)
    assert ("message_unanswered", 1) in again.told()
    third = Wearer(memory=again.pair.memory, seed="third")
    assert third.shown == []  # its alarm is told


def test_a_recorded_message_or_fix_request_does_not_work_again_after_a_reboot_of_the_same_epoch():
    wearer = Wearer()
    body = documents.pack_message((7, ACK, 0, "", "once"))
    sealed = wearer.pair.centre.seal(frames.MESSAGE, body)
    later = wearer.pair.centre.seal(frames.MESSAGE, documents.pack_message((8, 0, 0, "", "later")))
    wearer.pair.command(sealed)
    wearer.press()
    again = Wearer(memory=wearer.pair.memory, seed="again")
    again.pair.command(sealed)
    assert again.shown == []
    assert again.pair.tag.rejected == 2  # it, and the ARM that `Wearer` begins with, whose number the first life had
    again.pair.command(later)
    assert again.shown == ["later"]


@pytest.mark.parametrize(
    "body", [b"", bytes(10), documents.pack_message((1, 0, 0, "", "x"))[:-1], bytes(9) + b"\x00\x01\xff"]
)
def test_a_malformed_message_is_refused_and_shows_nothing(body):
    wearer = Wearer()
    wearer.pair.command(wearer.pair.centre.seal(frames.MESSAGE, body))
    assert wearer.shown == []
    assert [name for name, _ in wearer.told()] == ["command_refused"]


def test_nothing_in_the_firmware_takes_in_sound():
    source = " ".join(path.read_text() for path in Path(str(files("strapline_tag"))).glob("*.py"))
    assert not re.search(r"\b(I2S|PDM|ADCBlock|audio|record_sound|mic)\b", source)
    assert {name for name in vars(out) if name.isupper()} >= {"VIBRATE", "SHOW"}


# R53: the call.


def leaving(config=None):
    wearer = Wearer({"call_in_s": 300, "home_silence_s": 300} | (config or {}))
    wearer.pair.disconnect()
    while not wearer.pair.tag.away:
        wearer.pair.run_to(wearer.pair.tag.next_deadline())
    return wearer


def test_who_leaves_is_reminded_and_has_five_minutes_to_call():
    wearer = leaving()
    wearer.pair.run(1)
    assert len(wearer.shakes) == 1
    assert wearer.shakes[0][0] == wearer.pair.times("left_home")[0]
    wearer.pair.run(100)
    wearer.press()
    wearer.pair.run(600)
    told = dict(wearer.told())
    assert 99 <= told["called_in"] <= 101
    assert "call_in_missed" not in told


def test_no_call_is_an_alarm_after_five_minutes_and_a_late_one_is_told():
    wearer = leaving()
    wearer.pair.run(600)
    [missed] = wearer.pair.times("call_in_missed")
    assert missed == wearer.pair.times("left_home")[0] + 300_000
    wearer.press()
    assert 590 <= dict(wearer.told())["called_in"] <= 601


def test_a_call_since_home_was_last_heard_is_the_one_that_leaving_owes_and_one_before_that_is_none():
    wearer = Wearer({"call_in_s": 300, "home_silence_s": 300})
    wearer.press()  # at home
    wearer.pair.visit()
    wearer.pair.disconnect()
    left = Wearer({"call_in_s": 300, "home_silence_s": 300})
    left.pair.disconnect()
    left.pair.run(200)
    left.press()  # on the doorstep: the tag is not sure of it yet
    for one in (wearer, left):
        one.pair.run(1200)
        assert len(one.pair.times("left_home")) == 1
    assert "call_in_missed" in dict(wearer.told())
    told = dict(left.told())
    assert told["called_in"] == 0
    assert "call_in_missed" not in told
    assert left.shakes == []


def test_who_is_home_again_owes_no_call_and_without_the_setting_nobody_does():
    wearer = leaving()
    wearer.pair.run(60)
    wearer.pair.visit()
    wearer.pair.run(200)
    assert "call_in_missed" not in dict(wearer.told())
    never = leaving({"call_in_s": 0})
    never.pair.run(900)
    assert {"called_in", "call_in_missed", "vibrated"} & set(dict(never.told())) == set()
