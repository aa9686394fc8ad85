"""A change of keys at the reference centre: it is kept before anyone hears of it, and a restart at any moment goes on where it was."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hand_made_tag import SECRET, TAG, HandMadeTag
from strapline_centre.centre import Centre, Person
from strapline_centre.ledger import Ledger
from strapline_protocol import contract, rekeying
from strapline_protocol.cipher import HostCipher
from strapline_protocol.contract import Message, Topic
from strapline_protocol.keys import centre_keys
from strapline_protocol.rekeying import next_generation
from strapline_wire import frames

GATEWAYS = {"6a7e0001": b"h" * 32, "6a7e00ce": b"i" * 32}
NOW = datetime(2026, 3, 2, tzinfo=UTC)


class Bench:
    """A centre on a ledger file, and a tag whose end-to-end key the test changes as the real one would."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder}/ledger.sqlite"
        self.tag = HandMadeTag()
        self.starts = 0
        self._said = 0
        self.ledger = None
        self.start()

    def start(self):
        if self.ledger is not None:
            self.ledger.close()
        self.starts += 1
        self.ledger = Ledger(self.url)
        person = Person(centre_keys(TAG, SECRET))
        self.centre = Centre([person], GATEWAYS, self.ledger, utc=lambda: NOW, epoch=self.starts)

    def out(self):
        said = []
        while (out := self.centre.next_message()) is not None:
            topic = contract.parse_topic(out.topic)
            said.append((topic, contract.decode(out.topic, out.payload, GATEWAYS[topic.gateway]).data))
        return said

    def say(self, gateway, channel, data):
        self._said += 1
        message = Message(Topic(gateway, channel, TAG), str(self._said), NOW, data)
        return self.centre.receive(str(message.topic), contract.encode(message, GATEWAYS[gateway]))

    def shares(self):
        """What the gateways have been given: {gateway: (keys, generation)}."""
        return {
            topic.gateway: rekeying.unwrap(TAG, data, str(topic), GATEWAYS[topic.gateway])
            for topic, data in self.out()
            if topic.channel == "keys"
        }

    def confirm(self, number):
        for gateway in GATEWAYS:
            self.say(gateway, "keyed", {"generation": number})

    def ordered(self):
        """(generation, salt) of the REKEYs that go out now, opened with the key that the tag has."""
        orders = set()
        for topic, data in self.out():
            if topic.channel == "command":
                envelope, body = self.tag.open_command(contract.octets(data, "command"))
                if envelope.kind == frames.REKEY:
                    orders.add(tuple(frames.unpack_rekey(body)))
        return orders

    def obey(self, number, salt):
        before = self.keys if number > 1 else centre_keys(TAG, SECRET)
        self.keys = next_generation(before, number, salt).centre
        self.tag._end_to_end = HostCipher(self.keys.end_to_end)

    def record(self):
        sealed = self.tag.event()
        data = {"record": contract.text_of(sealed), "heard": contract.utc_text(NOW), "alarm": False}
        return self.say("6a7e0001", "event", data | {"source": TAG, "journal": self.tag.journal, "sequence": 1})


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.ledger.close()


@pytest.mark.parametrize(
    "restarts", [(), ("begun",), ("confirmed",), ("obeyed",), ("proved",), ("begun", "obeyed", "proved")]
)
def test_two_changes_one_after_the_other_wherever_the_centre_starts_again(bench, restarts):
    for number in (1, 2):
        assert bench.centre.rekey(TAG) == number
        given = bench.shares()
        if "begun" in restarts:
            bench.start()
            assert bench.shares() == given
        bench.confirm(number)
        [(told, salt)] = bench.ordered()
        assert told == number
        if "confirmed" in restarts:
            bench.start()
            assert bench.shares() == given
            bench.confirm(number)
            assert bench.ordered() == {(number, salt)}
        bench.obey(number, salt)
        if "obeyed" in restarts:
            bench.start()
        assert bench.record() is not None
        assert bench.centre.rekeyings(TAG)[-1] == (number, salt, True)
        if "proved" in restarts:
            bench.start()
            assert bench.shares() == given
        assert bench.record() is not None
        receipts = [data for topic, data in bench.out() if topic.channel == "receipt" and "command" in data]
        envelope, _ = bench.tag.open_command(contract.octets(receipts[-1], "command"))
        assert envelope.kind == frames.RECEIPT
    assert bench.centre.rejected == {}


def test_a_change_that_is_under_way_goes_on_instead_of_a_second_one(bench):
    assert bench.centre.rekey(TAG) == 1
    bench.out()
    assert bench.centre.rekey(TAG) == 1
    assert len(bench.centre.rekeyings(TAG)) == 1


def test_what_comes_late_under_the_old_key_is_still_read(bench):
    late = bench.tag.event()
    bench.centre.rekey(TAG)
    bench.out()
    bench.confirm(1)
    bench.obey(*bench.ordered().pop())
    assert bench.record() is not None
    data = {"record": contract.text_of(late), "heard": contract.utc_text(NOW), "alarm": False}
    assert (
        bench.say("6a7e0001", "event", data | {"source": TAG, "journal": bench.tag.journal, "sequence": 1}) is not None
    )
    assert bench.centre.rejected == {}


def test_no_key_stands_in_the_ledger(bench):
    bench.centre.rekey(TAG)
    bench.out()
    bench.confirm(1)
    bench.obey(*bench.ordered().pop())
    bench.record()
    share = next_generation(centre_keys(TAG, SECRET), *bench.centre.rekeyings(TAG)[0][:2])
    content = Path(bench.url.removeprefix("sqlite:///")).read_bytes()
    for key in (*share.gateways[1:4], share.centre.end_to_end, centre_keys(TAG, SECRET).end_to_end):
        assert key not in content
