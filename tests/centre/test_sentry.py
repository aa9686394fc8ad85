"""What the centre finds by itself: silence, gaps, one tag at two places, and whom an alert is told to. On clocks that the tests move."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from centre.test_centre import EPOCH, HOME, INGRESS, KEYS, START, TAG, Bench
from hand_made_tag import SECRET
from strapline_centre.alert_rows import Alert
from strapline_centre.centre import Centre, Person
from strapline_centre.database import LedgerDownError
from strapline_centre.escalation import STEPS, Escalation
from strapline_centre.gaps import GapWatch
from strapline_centre.ledger import Ledger
from strapline_centre.readers import Readers
from strapline_centre.watch import Watch
from strapline_centre.watchdog import LoopWatch
from strapline_protocol import contract
from strapline_protocol.codes import EventCode
from strapline_protocol.contract import Passage
from strapline_protocol.keys import centre_keys
from strapline_protocol.received import Journals
from strapline_wire import frames

ELM, OAK = "6a7e0001", "6a7e0002"


# Silence.


def test_a_gateway_that_was_never_heard_and_one_that_falls_silent_are_found_once_within_the_bound():
    watch = Watch([ELM, OAK], 0.0, silent_after_s=300)
    watch.gateway_heard(ELM, 100.0)
    assert watch.next_deadline() == 300.0
    assert watch.due(299.9) == []
    (never,) = watch.due(300.0)
    watch.told([never])
    assert (never.subject, never.never, watch.next_deadline()) == (OAK, True, 400.0)
    (silent,) = watch.due(400.0)
    watch.told([silent])
    assert (silent.subject, silent.never, watch.due(9e9), watch.next_deadline()) == (ELM, False, [], None)
    assert [watch.gateway_heard(ELM, 500.0), watch.gateway_heard(ELM, 501.0)] == [True, False]
    assert [found.subject for found in watch.due(801.0)] == [ELM]


@given(st.lists(st.tuples(st.sampled_from([ELM, OAK]), st.integers(0, 400)), max_size=30))
def test_silence_is_found_exactly_when_nothing_was_heard_for_the_bound(heard):
    watch, now, last = Watch([ELM, OAK], 0.0, silent_after_s=300), 0.0, {ELM: 0.0, OAK: 0.0}
    for gateway, pause_s in heard:
        now += pause_s
        found = watch.due(now)
        assert {one.subject for one in found} <= {g for g in last if now - last[g] >= 300}
        watch.told(found)
        assert {g for g in last if watch.is_silent(g)} == {g for g in last if now - last[g] >= 300}
        watch.gateway_heard(gateway, now)
        last[gateway] = now


BOUND_S = 1000


def tag_silent_at(end_s, *, goes, returns=None, heard=((0, ELM),)):
    """The second in which the tag is found silent; None: not by then."""
    watch = Watch([ELM, OAK], 0.0, silent_after_s=9e9, tag_silent_after_s=BOUND_S)
    for second in range(end_s):
        for at, by in heard:
            if at == second:
                watch.tag_heard(TAG, second, by)
                watch.watch_tag(TAG, second, by)
        if second == goes:
            watch.gateway_gone(ELM, second)
        if second == returns:
            watch.gateway_heard(ELM, second)
        found = watch.due(second)
        deadline = watch.next_deadline()
        assert bool(found) == (deadline <= second)
        if found:
            return second
    return None


def test_of_a_tag_whose_gateway_is_gone_time_stands_still_and_not_for_ever():
    assert tag_silent_at(1200, goes=None) == BOUND_S
    assert tag_silent_at(1800, goes=100, returns=700) == BOUND_S + 600
    assert tag_silent_at(2500, goes=100) == 2 * BOUND_S
    assert tag_silent_at(2500, goes=100, returns=1500) == 2 * BOUND_S
    assert tag_silent_at(2500, goes=BOUND_S - 1, returns=BOUND_S) == BOUND_S + 1


def test_who_was_heard_elsewhere_meanwhile_is_missed_as_ever():
    assert tag_silent_at(2500, goes=100, heard=((0, ELM), (200, OAK))) == 200 + BOUND_S
    assert tag_silent_at(2500, goes=100, heard=((0, OAK),)) == BOUND_S
    assert tag_silent_at(2500, goes=100, returns=300, heard=((0, ELM), (400, ELM))) == 400 + BOUND_S


def test_while_the_centre_itself_is_cut_off_a_gateway_is_gone_no_longer_than_that():
    watch = Watch([ELM], 0.0, silent_after_s=9e9, tag_silent_after_s=BOUND_S)
    watch.watch_tag(TAG, 0.0, ELM)
    watch.gateway_gone(ELM, 100.0)
    watch.cut_off(200.0)
    assert watch.next_deadline() is None
    watch.restored(5000.0)  # 4,800 s in which nobody could be heard
    watch.gateway_heard(ELM, 5100.0)  # gone for 200 s of the rest
    assert watch.next_deadline() == 4800 + BOUND_S + 200


def test_a_gateway_that_fell_silent_was_gone_since_it_was_last_heard():
    watch = Watch([ELM], 0.0, silent_after_s=300, tag_silent_after_s=BOUND_S)
    watch.gateway_heard(ELM, 50.0)
    watch.watch_tag(TAG, 60.0, ELM)
    watch.told(watch.due(350.0))
    watch.gateway_heard(ELM, 450.0)
    watch.gateway_heard(ELM, 9e8)  # keeps the gateway itself quiet
    assert watch.next_deadline() == 60 + BOUND_S + 390


def bench_with(ledger=None, *, epoch=EPOCH, **options):
    bench = Bench(ledger)
    person = Person(centre_keys(TAG, SECRET))
    bench.centre = Centre([person], KEYS, bench.ledger, utc=lambda: bench.now, epoch=epoch, **options)
    return bench


@pytest.fixture
def bench():
    it = bench_with()
    yield it
    it.close()


def pass_time(bench, seconds):
    """Everything that falls due in this time is done when it does."""
    end = bench.now + timedelta(seconds=seconds)
    told = []
    while True:
        at = bench.now + timedelta(seconds=max(0.0, bench.centre.sentry.next_deadline() - bench.centre.now()))
        if at > end:
            break
        bench.now = at
        bench.centre.sentry.handle_timer()
        while (one := bench.centre.sentry.next_notification()) is not None:
            told.append(((bench.now - START).total_seconds(), one.alert.code, one.step.role))
            bench.centre.sentry.told(one, "told")
    bench.now = end
    return told


def test_each_gateway_hears_the_centre_each_two_minutes(bench):
    pass_time(bench, 600)
    beats = [message for message in bench.answers() if message.topic.channel == "beat"]
    assert {gateway: sum(b.topic.gateway == gateway for b in beats) for gateway in KEYS} == {HOME: 6, INGRESS: 6}


def test_with_a_broker_that_comes_back_no_gateway_waits_for_the_next_beat(bench):
    pass_time(bench, 10)
    bench.answers()
    bench.centre.sentry.beat_soon()
    pass_time(bench, 130)
    beats = [message.topic.gateway for message in bench.answers() if message.topic.channel == "beat"]
    assert beats == [HOME, INGRESS] * 2


def test_a_silent_gateway_is_told_and_its_return_is_noted_and_closes_nothing(bench):
    bench.say("state", {"state": "online", "start": 1, "number": 1}, subject="")
    told = pass_time(bench, 400)
    assert told == [(300.0, "gateway_silent", "primary")] * 2
    bench.say("state", {"state": "online", "start": 1, "number": 1}, subject="")  # repeated by the broker
    assert [alert.over_utc for alert in bench.centre.alerts.open] == [None, None]
    bench.say("state", {"state": "online", "start": 1, "number": 2}, subject="")
    over = {alert.subject: alert.over_utc for alert in bench.centre.alerts.open}
    assert over == {HOME: bench.now, INGRESS: None}


def test_a_centre_that_hears_nobody_tells_of_itself_and_accuses_nobody(bench):
    for gateway in KEYS:
        bench.say("state", {"state": "online", "start": 1, "number": 1}, gateway=gateway, subject="")
    pass_time(bench, 100)
    bench.centre.disconnected()
    assert pass_time(bench, 59) == []
    bench.centre.disconnected()  # a further failure is no further loss
    assert pass_time(bench, 4000) == [
        (160.0, "cut_off", "primary"),
        (1060.0, "cut_off", "secondary"),
        (1960.0, "cut_off", "tertiary"),
    ]
    bench.centre.connected()
    assert pass_time(bench, 199) == []
    assert [(alert.code, alert.over_utc is not None) for alert in bench.centre.alerts.open] == [("cut_off", True)]
    assert {code for _, code, _ in pass_time(bench, 2)} == {"gateway_silent"}  # 300 s of listening are over


def test_a_line_that_comes_back_within_a_minute_is_nothing_to_tell(bench):
    bench.centre.disconnected()
    pass_time(bench, 59)
    bench.centre.connected()
    pass_time(bench, 120)
    assert bench.codes == []


def test_a_monitored_tag_that_is_silent_is_told_over_a_restart_too_and_one_that_is_not_monitored_is_not(bench):
    bench.record(bench.tag.event())
    pass_time(bench, 6 * 3600)
    assert "tag_silent" not in bench.codes
    bench.record(bench.tag.event(EventCode.ARMED))
    pass_time(bench, 4 * 3600)
    again = Centre([Person(centre_keys(TAG, SECRET))], KEYS, bench.ledger, utc=lambda: bench.now, epoch=EPOCH + 60)
    bench.centre = again
    pass_time(bench, 1799)
    assert "tag_silent" not in bench.codes
    pass_time(bench, 1)
    assert bench.codes.count("tag_silent") == 1
    pass_time(bench, 120)
    assert [alert.over_utc for alert in bench.centre.alerts.open if alert.code == "tag_silent"] == [None]
    bench.record(bench.tag.event())
    pass_time(bench, 120)
    (alert,) = [alert for alert in bench.centre.alerts.open if alert.code == "tag_silent"]
    assert alert.over_utc is not None
    bench.record(bench.tag.event(EventCode.DISARMED))
    pass_time(bench, 24 * 3600)
    assert [a.times for a in bench.centre.alerts.open if a.code == "tag_silent"] == [1]


# Gaps.


def test_a_gap_is_judged_once_history_has_stopped_coming_in():
    journals = Journals()
    watch = GapWatch(journals, after_s=100)

    def came(sequence, now):
        journals.add(TAG, 1, sequence)
        watch.came(TAG, 1, now)

    came(20, 0.0)
    for number, sequence in enumerate(range(1, 10)):
        came(sequence, 90.0 * (number + 1))  # slowly, but it comes
        assert watch.due(90.0 * (number + 1) + 89) == []
    (gap,) = watch.due(910.0)
    assert (gap.first, gap.last, gap.missing) == (10, 19, 10)
    watch.told([gap])
    came(15, 920.0)
    assert (watch.due(9e9), watch.is_open(TAG, 1)) == ([], True)
    for sequence in range(10, 20):
        came(sequence, 930.0)
    assert (watch.is_open(TAG, 1), watch.next_deadline()) == (False, None)


def test_what_a_gateway_keeps_back_is_an_alert_with_its_range_until_it_comes(bench):
    bench.own("presence", 1, present=True, rssi_dbm=-60)
    bench.own("presence", 4, present=False, rssi_dbm=None)
    pass_time(bench, 4.5 * 3600)
    (gap,) = [alert for alert in bench.centre.alerts.open if alert.code == "gap"]
    assert (gap.subject, gap.text) == (HOME, "records 2 to 3 of journal 06a7e001 have not come")
    for sequence in (2, 3):
        bench.own("presence", sequence, present=True, rssi_dbm=-60)
    pass_time(bench, 120)
    (gap,) = [alert for alert in bench.centre.alerts.open if alert.code == "gap"]
    assert gap.over_utc is not None


# Dropped on the way (R41).


def online(bench, number, connection=1):
    state = {"state": "online", "start": 1, "number": number, "connection": connection}
    bench.say("state", state, subject="")


def heard_with(bench, number):
    """A record of the tag, as the gateway's publication with this number; what has other numbers was dropped."""
    data = {"record": contract.text_of(bench.tag.event()), "heard": contract.utc_text(bench.now)}
    bench.say("event", data, passage=Passage(False, 1, number))


def dropping(bench):
    return [alert for alert in bench.centre.alerts.open if alert.code == "dropping"]


def test_dropping_that_goes_on_is_one_alert_over_a_restart_too_and_says_when_it_is_over():
    bench = bench_with(Ledger())
    online(bench, 1)
    heard_with(bench, 1)
    for number in (3, 5):
        heard_with(bench, number)
        pass_time(bench, 600)
    assert dropping(bench) == []
    again = bench_with(bench.ledger, epoch=EPOCH + 60)
    again.now, again.tag = bench.now, bench.tag
    online(again, 2)
    for number in (7, 9, 11):  # the first that a centre hears tells it nothing
        heard_with(again, number)
        pass_time(again, 600)
    (alert,) = dropping(again)
    assert (alert.subject, alert.times, alert.over_utc) == (HOME, 2, None)
    pass_time(again, 4000)
    assert dropping(again)[0].over_utc is not None
    assert again.centre.desk.passages.unexplained == {HOME: 2}
    again.close()


def test_two_droppings_or_any_number_with_a_broken_connection_are_no_alert(bench):
    heard_with(bench, 1)
    for number in range(1, 30):
        online(bench, number, connection=number)
        heard_with(bench, 3 * number)
        pass_time(bench, 600)
    for number in range(1, 30):
        bench.centre.connected()
        heard_with(bench, 100 + 3 * number)
        pass_time(bench, 600)
    for number in (200, 202):
        pass_time(bench, 600)
        heard_with(bench, number)
    pass_time(bench, 600)
    assert dropping(bench) == []


def test_a_ledger_that_is_away_loses_no_episode(bench, monkeypatch):
    for number in (1, 3, 5):
        heard_with(bench, number)
        pass_time(bench, 600)

    def away(_work):
        raise LedgerDownError

    heard_with(bench, 7)
    bench.now += timedelta(seconds=600)
    parts = bench.centre.sentry._parts
    monkeypatch.setattr(bench.centre.sentry, "_parts", parts._replace(commit=away))
    with pytest.raises(LedgerDownError):
        bench.centre.sentry.handle_timer()
    monkeypatch.setattr(bench.centre.sentry, "_parts", parts)
    bench.centre.sentry.handle_timer()
    assert len(dropping(bench)) == 1


# Whom an alert is told to.


def test_who_is_told_when_nobody_acknowledges(bench):
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    told = [(at, role) for at, code, role in pass_time(bench, 3 * 3600) if code == "strap_open"]
    assert told == [(0.0, "primary"), (900.0, "secondary"), (1800.0, "tertiary"), (6300.0, "inquiry")]


@pytest.mark.parametrize("restart_s", [0, 600, 900, 901, 5000])
def test_a_restart_takes_up_the_steps_where_they_are(restart_s):
    bench = bench_with(Ledger())
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    told = pass_time(bench, restart_s)
    bench.centre = Centre(
        [Person(centre_keys(TAG, SECRET))], KEYS, bench.ledger, utc=lambda: bench.now, epoch=EPOCH + 60
    )
    told += pass_time(bench, 3 * 3600)
    assert [role for _, code, role in told if code == "strap_open"] == ["primary", "secondary", "tertiary", "inquiry"]
    bench.close()


def test_a_step_whose_telling_a_crash_has_cut_is_told_again():
    bench = bench_with(Ledger())
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    bench.centre.sentry.handle_timer()
    assert bench.centre.sentry.next_notification().step.role == "primary"  # and then the process is gone
    bench.centre = Centre(
        [Person(centre_keys(TAG, SECRET))], KEYS, bench.ledger, utc=lambda: bench.now, epoch=EPOCH + 60
    )
    again = bench.centre.sentry.next_notification()
    assert (again.alert.code, again.step.role) == ("strap_open", "primary")
    bench.close()


def test_nobody_further_is_told_once_it_is_acknowledged(bench):
    bench.record(bench.tag.event(frames.EVENT_STRAP_OPEN))
    pass_time(bench, 899)
    bench.centre.acknowledge(1, "the officer is there", "primary")
    assert [told for told in pass_time(bench, 9000) if told[1] == "strap_open"] == []


@given(st.lists(st.integers(0, 9000), min_size=1, max_size=20), st.lists(st.integers(1, 4000), max_size=20))
def test_each_step_is_due_once_and_never_early(raised, looks):
    escalation, taken = Escalation(), []
    for ident, at_s in enumerate(raised, 1):
        escalation.raised(Alert(TAG, "strap_open", "", START + timedelta(seconds=at_s), ident))
    now_s = 0
    for pause_s in [*looks, 20_000]:
        now_s += pause_s
        for due in escalation.due(START + timedelta(seconds=now_s)):
            assert now_s >= raised[due.alert - 1] + STEPS[due.number].after_s
            taken.append((due.alert, due.number))
    assert sorted(taken) == [(ident, number) for ident in range(1, len(raised) + 1) for number in range(len(STEPS))]


# One tag, several readers.


def hear(readers, gateway, now, *, present=True, rssi=-60, late=timedelta()):
    utc = START + timedelta(seconds=now)
    return readers.presence(TAG, gateway, rssi, now, present=present, heard=utc - late, utc=utc)


def test_the_strongest_reader_of_a_facility_is_named_and_many_readers_are_one_presence():
    readers = Readers({ELM: "prison", OAK: "prison"})
    for number in range(20):
        assert hear(readers, (ELM, OAK)[number % 2], 10.0 * number, rssi=(-70, -50)[number % 2]) is None
    assert (readers.strongest(TAG), readers.is_present(TAG)) == (OAK, True)
    hear(readers, OAK, 300, present=False)
    assert (readers.strongest(TAG), readers.is_present(TAG)) == (ELM, True)
    hear(readers, ELM, 400, present=False)
    assert (readers.strongest(TAG), readers.is_present(TAG)) == (None, False)


def test_a_move_from_one_home_to_another_is_no_clone():
    readers = Readers({ELM: "elm", OAK: "oak"})
    assert hear(readers, ELM, 0) is None
    assert hear(readers, OAK, 1000) is None
    assert hear(readers, ELM, 1300, present=False) is None  # after its debounce
    assert hear(readers, OAK, 9000) is None
    assert hear(readers, ELM, 9700) is None  # and home again, later


def test_a_tag_that_is_at_two_homes_at_once_or_back_at_once_cannot_be_one():
    readers = Readers({ELM: "elm", OAK: "oak"})
    assert hear(readers, ELM, 0) is None
    assert hear(readers, OAK, 100) is None
    assert hear(readers, ELM, 160) == "heard at oak and again at elm within 60 s"
    slow = Readers({ELM: "elm", OAK: "oak"})
    hear(slow, ELM, 0)
    hear(slow, OAK, 5000)
    assert hear(slow, OAK, 5850) is None
    assert hear(slow, OAK, 5901) == "heard at elm and at oak at the same time"
    slow.gone(ELM)  # a gateway that is silent says nothing any more
    assert hear(slow, OAK, 6000) is None


def test_what_was_held_up_on_its_way_accuses_nobody():
    readers = Readers({ELM: "elm", OAK: "oak"})
    for number in range(10):
        assert hear(readers, (ELM, OAK)[number % 2], 10.0 * number, late=timedelta(minutes=3)) is None


# Who watches the watchman.


def test_a_loop_that_stands_still_is_told_once_and_says_for_how_long_when_it_goes_on():
    now, told = [0.0], []
    watch = LoopWatch(told.append, stall_s=20, clock=lambda: now[0])
    for at in (5, 19.9):
        now[0] = at
        watch.look()
    assert told == []
    for at in (20.0, 25.0, 40.0):
        now[0] = at
        watch.look()
    assert told == [20.0]
    assert [watch.beat(), watch.beat()] == [40.0, 0.0]


def test_a_message_that_we_cannot_take_by_a_fault_of_ours_keeps_no_other_from_its_receipt(bench, monkeypatch):
    judge = bench.centre._judge
    bad, good = bench.tag.event(detail=13), [bench.tag.event(), bench.tag.event(frames.EVENT_STRAP_OPEN)]

    def fails(told):
        if told.kind == "event" and told.fields["detail"] == 13:
            raise ZeroDivisionError
        judge(told)

    monkeypatch.setattr(bench.centre, "_judge", fails)
    messages = [bench.message(sealed) for sealed in (good[0], bad, good[1])]
    assert len(bench.centre.receive_all(messages)) == 2
    assert (bench.centre.waiting, bench.rejected, sorted(bench.codes)) == (0, {"fault": 1}, ["fault", "strap_open"])
    bench.centre.desk.say_receipts()
    assert {(r.data["base"], r.data["bitmap"]) for r in bench.answers()} == {(1, 0b11)}  # not of the first
    monkeypatch.undo()
    assert bench.record(bad) is not None
