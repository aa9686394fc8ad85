"""What the centre tells a tag: through every gateway, again until it is answered; and who judges the wearer's leaving."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from centre.test_centre import EPOCH, HOME, INGRESS, KEYS, START, TAG, Bench
from hand_made_tag import OTHER_TAG, HandMadeTag
from strapline_centre.centre import Person
from strapline_centre.ledger import Ledger
from strapline_centre.orders import LOCATE_LIMIT
from strapline_centre.schedule import Schedule
from strapline_gateway.station import Station
from strapline_protocol import contract
from strapline_protocol.codes import EventCode, Kind, Window
from strapline_protocol.curfews import Once, Weekly
from strapline_wire import documents, frames
from strapline_wire.errors import LocalProtocolError

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def bench():
    it = Bench()
    yield it
    it.close()


def said(bench):
    """(gateway, kind, body) of the commands that wait to be published, or came with the last answer."""
    while (message := bench.centre.next_message()) is not None:
        bench.out.append(decoded(message))
    told = []
    for message in bench.out:
        if message.topic.channel == "command":
            envelope, body = bench.tag.open_command(contract.octets(message.data, "command"))
            told.append((message.topic.gateway, Kind(envelope.kind), body))
    bench.out = []
    return told


def decoded(message):
    return contract.decode(message.topic, message.payload, KEYS[contract.parse_topic(message.topic).gateway])


@pytest.fixture(autouse=True)
def _nothing_said(bench):
    bench.out = []


def answer(bench, code, detail):
    bench.record(bench.tag.event(code, detail=detail))


def later(bench, seconds):
    bench.now += timedelta(seconds=seconds)


def test_a_message_goes_through_every_gateway_and_again_until_the_tag_has_shown_it(bench):
    ident = bench.centre.send_message(TAG, "Return at once.", flags=3, answer_within_s=60)
    first = said(bench)
    assert [(gateway, kind) for gateway, kind, _ in first] == [(HOME, Kind.MESSAGE), (INGRESS, Kind.MESSAGE)]
    assert documents.unpack_message(first[0][2]) == (ident, 3, 60, "", "Return at once.")
    bench.record(bench.tag.event())
    assert said(bench) == []
    later(bench, 121)
    bench.record(bench.tag.event())
    assert [body for *_, body in said(bench)] == [first[0][2]] * 2
    answer(bench, EventCode.MESSAGE_SHOWN, ident)
    later(bench, 1000)
    bench.record(bench.tag.event())
    assert said(bench) == []


@pytest.mark.parametrize(
    ("code", "detail"),
    [
        (EventCode.APPLIED, lambda revision: Kind.CURFEW << 24 | revision & 0xFFFFFF),
        (EventCode.COMMAND_REFUSED, lambda _revision: Kind.CURFEW << 8 | 6),
    ],
)
def test_a_document_that_is_applied_or_refused_does_not_go_again(bench, code, detail):
    revision = bench.centre.send_curfew(TAG)
    assert {kind for _, kind, _ in said(bench)} == {Kind.CURFEW}
    answer(bench, code, detail(revision))
    later(bench, 1000)
    bench.record(bench.tag.event())
    assert said(bench) == []


def test_of_two_documents_of_a_kind_the_newer_goes_again_and_revisions_rise_within_a_second(bench):
    older = bench.centre.send_config(TAG, settings=[(5, 60)])
    newer = bench.centre.send_config(TAG, settings=[(5, 90)])
    assert EPOCH <= older < newer
    said(bench)
    later(bench, 121)
    bench.record(bench.tag.event())
    assert {documents.unpack_config(body).revision for *_, body in said(bench)} == {newer}


def test_the_tags_document_says_what_the_schedule_says(bench):
    schedule = Schedule(
        BERLIN,
        (),
        (Weekly(Window.MUST_LEAVE, 0, time(22, 0), time(6, 0)),),
        (Once(Window.STAY_HOME, START, START + timedelta(hours=1)),),
    )
    bench.centre.send_curfew(TAG, schedule)
    curfew = documents.unpack_curfew(said(bench)[0][2])
    assert curfew.weekly == ((1, 22 * 60, 8 * 60),)
    assert curfew.once == ((2, EPOCH, EPOCH + 3600),)
    assert [offset for _, offset in curfew.changes] == [60, *[120, 60] * 5]


def test_a_wearer_without_a_schedule_has_no_curfew(bench):
    with pytest.raises(LocalProtocolError, match="no schedule"):
        bench.centre.send_curfew(OTHER_TAG)


def test_what_a_tag_would_refuse_is_not_sent_and_not_kept(bench):
    with pytest.raises(LocalProtocolError):
        bench.centre.send_config(TAG, settings=[(5, 1)])
    later(bench, 1000)
    bench.record(bench.tag.event())
    assert said(bench) == []


def test_the_electronic_key_for_the_end_is_made_for_one_tag(bench):
    envelope, body = bench.tag.open_command(bench.centre.issue_disarm(TAG, 0x77))
    assert envelope.kind == frames.DISARM
    assert frames.unpack_disarm(body) == (0x77, EPOCH)


# Who judges. It is 21:00 in Berlin, and leaving is not allowed.

TRUSTED = 2


def event(bench, code, *, flags=0, detail=0):
    body = frames.pack_event((code, flags | int(code in frames.EVENT_ALARMS), 1, 10, 0, 0, detail))
    bench.record(bench.tag.record(frames.EVENT, body))


def test_a_tag_with_a_curfew_and_the_time_judges_itself(bench):
    event(bench, EventCode.APPLIED, detail=Kind.CURFEW << 24 | 1)
    event(bench, EventCode.LEFT_HOME, flags=TRUSTED)
    assert bench.codes == []
    event(bench, EventCode.CURFEW_BROKEN, flags=TRUSTED, detail=1)
    assert bench.codes == ["curfew_broken"]


@pytest.mark.parametrize(("applied", "flags"), [(False, TRUSTED), (True, 0), (False, 0)])
def test_without_the_one_or_the_other_the_centre_does(bench, applied, flags):
    if applied:
        event(bench, EventCode.APPLIED, detail=Kind.CURFEW << 24 | 1)
    event(bench, EventCode.LEFT_HOME, flags=flags)
    assert bench.codes == ["left_home"]


def test_who_left_in_time_and_is_out_for_too_long_is_found_out_without_the_tags_clock(bench):
    bench.now = datetime(2026, 3, 3, 16, 50, tzinfo=UTC)  # 17:50; home by 18:00
    event(bench, EventCode.LEFT_HOME)
    later(bench, 599)
    bench.own("presence", 1, present=False, rssi_dbm=None)
    assert bench.codes == []
    later(bench, 1)
    bench.own("presence", 2, present=False, rssi_dbm=None)
    bench.own("presence", 3, present=False, rssi_dbm=None)
    assert bench.codes == ["left_home"]
    assert "still out" in bench.centre.alerts.alerts[0].text


def test_who_is_back_in_time_is_no_alert(bench):
    bench.now = datetime(2026, 3, 3, 16, 50, tzinfo=UTC)
    event(bench, EventCode.LEFT_HOME)
    later(bench, 300)
    event(bench, EventCode.CAME_HOME)
    later(bench, 3600)
    bench.own("presence", 1, present=True, rssi_dbm=-60)
    assert bench.codes == []


def test_a_position_that_nobody_could_give_in_time_is_asked_for_no_more(bench):
    bench.centre.locate(TAG, 300)
    kept = bench.centre.send_message(TAG, "Call us.")
    said(bench)
    bench.now += LOCATE_LIMIT
    bench.record(bench.tag.event())
    assert Kind.LOCATE in [kind for _, kind, _ in said(bench)]
    again = Bench(bench.ledger, epoch=EPOCH + 60)  # its end stands in the ledger
    again.now = bench.now + timedelta(seconds=300)
    again.centre.sentry.handle_timer()
    assert [(order.kind, order.identity) for order in again.centre.orders.of(TAG)] == [(Kind.MESSAGE, kept)]
    assert [row.kind for row in again.ledger.orders.all()] == [Kind.MESSAGE]


# Gateways that judge by the schedule themselves.


class House:
    """A centre on one ledger, and the real station that it gives its schedules to; both start anew."""

    def __init__(self):
        self.ledger, self.tag = Ledger(), HandMadeTag()
        self.bench, self.starts, self.states, self.refused = None, 0, 0, 0
        self.start_centre((HOME,))
        self.start_gateway()

    def start_centre(self, judged_by, schedule=None, now=START):
        at_work = Schedule(BERLIN, (), weekly=(Weekly(Window.MUST_LEAVE, 0, time(8), time(16)),))
        person = Person(self.tag.centre_keys, schedule or at_work, judged_by=judged_by)
        self.bench = Bench(self.ledger, epoch=EPOCH, persons=[person])
        self.bench.now = now

    def start_gateway(self):
        self.station = Station(int(HOME, 16), [self.tag.gateway_keys], bytes, home=True, utc_s=lambda: EPOCH)
        self.starts += 1
        self.states = 0

    def online(self):
        """The gateway's word; gives the revisions and whether it judges by them, as the station has taken them."""
        self.states += 1
        state = {"state": "online", "start": self.starts, "number": self.states, "connection": 1}
        self.bench.say("state", state, subject="")
        return self.take(self.bench.out)

    def take(self, messages):
        taken = []
        for message in messages:
            if message.topic.channel == "schedule":
                document = contract.octets(message.data, "curfew")
                revision = message.data["revision"]
                assert self.station.set_schedule(message.topic.subject, revision, document, 0.0)
                taken.append((revision, bool(document)))
        return taken


def test_a_gateway_that_starts_anew_is_given_its_schedules_and_a_centre_that_does_gives_them_again():
    house = House()
    ((first, judges),) = house.online()
    assert judges
    assert house.online() == []
    house.start_gateway()
    ((second, _),) = house.online()
    house.start_centre((HOME,), now=START - timedelta(days=3))  # its clock was set back
    ((third, _),) = house.online()
    assert first < second < third
    house.bench.centre.send_curfew(TAG, Schedule(BERLIN, ()))
    ((fourth, _),) = house.take(house.bench.answers())
    assert fourth > third
    house.start_centre(())
    ((_, judges),) = house.online()
    assert not judges
    house.ledger.close()
