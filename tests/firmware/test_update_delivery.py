"""An update from the centre's API to the tag under test, over its link: delivered, tried, confirmed, told; over power cuts and losses."""

import pytest

from firmware.tag_pair import EPOCH, SECRET, Centre, Memory, TagPair
from strapline_boot.slots import Slots
from strapline_protocol.codes import EventCode, Kind, Refusal
from strapline_protocol.commands import CommandSealer
from strapline_protocol.keys import centre_keys
from strapline_protocol.updates import WINDOW, Delivery, Manifest, SignedImage
from strapline_simulator.quick_key import QuickKey
from strapline_wire import frames, manifest
from strapline_wire.errors import LocalProtocolError
from update_bench import BOARD, Flash, image_of, signed

KEY = QuickKey()
OLD, NEW = image_of("old", 5_000), image_of("new", 30_000)
STREAM = signed(KEY, NEW, 6)


class Chain:
    """A tag with slots and a centre that delivers. `start` is a boot, for whatever reason."""

    def __init__(self):
        self.flash = Flash(capacity=40_000, sector=4096)
        first = signed(KEY, OLD, 5)
        self.flash.areas[0][: len(first)] = first
        self.memory = Memory()
        self.centre = Centre()
        self.sealer = CommandSealer(centre_keys("7a900001", SECRET), EPOCH)
        self.sealer._seal = lambda kind, body: (kind, body)  # the pair's own centre numbers and seals
        self.delivery = Delivery(self.sealer, STREAM, 1)
        self.events = []
        self.sent = []
        self.sealed = []
        self.lost = set()
        """Numbers of the commands that no gateway brings, from 1."""
        self.start()

    def start(self, *, answered=True):
        slots = Slots(self.flash, [KEY.public], BOARD.encode())
        self.running = slots.start()
        self.pair = TagPair(memory=self.memory, sampling=True, slots=slots)
        self.pair.centre = self.centre
        self.seen = 0
        if answered:
            self.pair.connect()

    def bring(self, commands=()):
        """Commands to the tag, and what the tag's events call for, until nothing is left to say."""
        waiting = [*commands, *self.take()]
        while waiting:
            kind, body = waiting.pop(0)
            self.sent.append(kind)
            if len(self.sent) not in self.lost:
                self.sealed.append(self.centre.seal(kind, body))
                self.pair.command(self.sealed[-1])
            waiting += self.take()

    def take(self):
        """What the events that have come since call for."""
        answers = []
        for record in self.pair.arrived[self.seen :]:
            code = EventCode[record.name.upper()]
            self.events.append((code, record.body.detail))
            answers += self.delivery.heard(code, record.body.detail)
        self.seen = len(self.pair.arrived)
        return answers

    @property
    def state(self):
        return self.delivery.progress.state

    def told(self, *codes):
        return [event for event in self.events if event[0] in codes]


@pytest.fixture
def chain():
    return Chain()


def test_it_is_delivered_tried_confirmed_and_told(chain):
    chain.bring(chain.delivery.begin())
    assert chain.state == "accepted"
    assert chain.sent.count(Kind.UPDATE_CHUNK) == -(-len(STREAM) // manifest.PAGE)
    chain.pair.run(4)
    assert chain.pair.restarts == []
    chain.pair.run(2)
    assert len(chain.pair.restarts) == 1
    chain.start()
    assert chain.running == 1
    chain.pair.run(30)
    chain.bring()
    assert chain.state == "taken"
    assert chain.told(EventCode.UPDATE_TAKEN, EventCode.UPDATE_UNDONE) == [(EventCode.UPDATE_TAKEN, 6)]
    chain.start()
    assert chain.running == 1
    chain.pair.run(3600)
    assert chain.pair.restarts == []


def test_a_new_image_that_nobody_answers_asks_to_restart_after_its_time_and_is_given_up(chain):
    chain.bring(chain.delivery.begin())
    chain.start(answered=False)
    assert chain.running == 1
    chain.pair.run(1799)
    assert chain.pair.restarts == []
    chain.pair.run(2)
    assert chain.pair.restarts == [1_800_000]
    chain.start()
    assert chain.running == 0
    chain.bring()
    assert chain.state == "undone"


def test_a_recording_of_an_update_that_was_given_up_does_not_try_it_again(chain):
    chain.bring(chain.delivery.begin())
    begin, commit = chain.sealed[0], chain.sealed[-1]
    chain.start()
    chain.start(answered=False)
    assert chain.running == 0
    chain.pair.receipting = chain.pair.telling_time = False  # a gateway that brings nothing but what it has recorded
    chain.pair.connect()
    chain.pair.command(begin)
    chain.pair.command(commit)
    chain.pair.run(10)
    assert chain.pair.restarts == []
    again = Delivery(chain.sealer, STREAM, 2)
    chain.delivery = again
    chain.pair.receipting = True
    chain.bring(again.begin())
    assert chain.state == "accepted"


def test_lost_pages_are_sent_again_from_where_the_tag_is(chain):
    chain.lost = {3, 20, 21, WINDOW + 30}
    chain.bring(chain.delivery.begin())
    assert chain.state == "accepted"
    assert len(chain.sent) > -(-len(STREAM) // manifest.PAGE) + 4


def test_where_the_question_itself_is_lost_beginning_again_goes_on(chain):
    chain.lost = {1 + WINDOW + 1}
    chain.bring(chain.delivery.begin())
    assert chain.state == "sending"
    assert chain.sent[-1] == Kind.UPDATE_COMMIT
    chain.bring(chain.delivery.begin())
    assert chain.state == "accepted"
    assert chain.sent.count(Kind.UPDATE_CHUNK) == -(-len(STREAM) // manifest.PAGE)


def test_a_power_cut_in_the_middle_goes_on_at_the_last_whole_block(chain):
    begin = chain.delivery.begin()
    chain.pair.command(chain.pair.centre.seal(*begin[0]))
    for kind, body in chain.take()[:20]:  # five of 4 KiB and more
        chain.pair.command(chain.pair.centre.seal(kind, body))
    chain.start()  # the power was cut
    chain.bring()  # STARTED comes, and the delivery begins again by itself
    assert chain.state == "accepted"
    first = [detail & 0xFFFFFF for code, detail in chain.events if code == EventCode.APPLIED][:2]
    assert first == [0, 4096]


def test_a_refusal_ends_it_with_its_reason(chain):
    chain.delivery = Delivery(chain.delivery._sealer, signed(KEY, NEW, 5), 1)
    chain.bring(chain.delivery.begin())
    assert chain.state == "refused"
    assert chain.delivery.progress.reason is Refusal.OLD_REVISION
    chain.delivery = Delivery(chain.delivery._sealer, signed(KEY, image_of("large", 40_001), 6), 2)
    chain.bring(chain.delivery.begin())
    assert chain.delivery.progress.reason is Refusal.TOO_LONG


def test_a_tag_without_slots_knows_no_updates():
    pair = TagPair()
    pair.connect()
    body = frames.pack_update_begin((1, len(STREAM), manifest.HEAD, bytes(32)))
    pair.command(pair.centre.seal(frames.UPDATE_BEGIN, body))
    assert pair.arrived[-1].body.detail == Kind.UPDATE_BEGIN << 8 | Refusal.UNKNOWN_KIND


def test_an_update_takes_little_of_what_a_line_carries():
    # What the envelopes and the questions cost on top of the stream's bytes.
    chain = Chain()
    chain.bring(chain.delivery.begin())
    assert len(chain.sent) <= -(-len(STREAM) // manifest.PAGE) * 1.1


# The signed image itself.


def test_a_signed_image_says_what_is_in_it():
    about = SignedImage.parse(STREAM)
    assert about.manifest == Manifest.of(NEW, BOARD, 6)
    assert about.image == NEW
    assert about.stream == STREAM
    assert len(about.manifest.pack()) == manifest.MANIFEST


@pytest.mark.parametrize(
    "spoilt",
    [
        b"",
        STREAM[:100],
        STREAM[: manifest.HEAD],
        STREAM[:-1],
        STREAM + b"\0",
        b"x" + STREAM[1:],
        STREAM[:-1] + b"?",
        STREAM[:100] + b"?" + STREAM[101:],
    ],
)
def test_what_is_no_whole_signed_image_is_never_sent(spoilt):
    with pytest.raises(LocalProtocolError):
        SignedImage.parse(spoilt)
