"""An update from the centre's desk through station and link to the tag, and its word back: over lost power, gateways and lines."""

import random

import pytest

import house as houses
from hand_made_tag import TAG
from house import HOME, House, note_all
from strapline_boot.slots import Slots
from strapline_protocol.codes import EventCode
from strapline_simulator.quick_key import QuickKey
from strapline_tag import outputs
from strapline_tag.tag import Tag
from update_bench import BOARD, Flash, image_of, signed

KEY = QuickKey()
OLD, NEW = image_of("old", 5_000), image_of("new", 20_000)
STREAM = signed(KEY, NEW, 6)


class UpdatedHouse(House):
    """Its tag has slots, and starts again when it asks to."""

    def __init__(self, uses, folder):
        super().__init__(uses, folder)
        self.slot_flash = Flash(capacity=40_000, sector=4096)
        first = signed(KEY, OLD, 5)
        self.slot_flash.areas[0][: len(first)] = first
        self.restarts = False
        self.rough = None
        """A random source: now and then something goes while bytes are on their way to the tag."""
        self.mishaps = 0

    def boot(self):
        slots = Slots(self.slot_flash, [KEY.public], BOARD.encode())
        self.running = slots.start()
        return slots

    def power(self):
        self.restarts = False
        super().power()
        self.tag.feed_skin(0, 3300, 2200)

    def _carry_out(self, kind, *fields):
        if kind == outputs.RESTART:
            self.restarts = True
        super()._carry_out(kind, *fields)

    def to_tag(self, gateway, number, data):
        if self.rough and self.rough.random() < 0.06:
            self.mishaps += 1
            if self.rough.randrange(2):
                self.power()
            else:
                self.hang_up_all(gateway)
        else:
            super().to_tag(gateway, number, data)

    def live(self, seconds):
        """As `run`, with the restarts that the tag asks for."""
        for _ in range(round(seconds)):
            self.run(1)
            if self.restarts:
                self.power()

    def update(self, ident=1):
        delivery = self.centre.desk.update(TAG, HOME, STREAM, ident)
        self._publish()
        return delivery


@pytest.fixture
def house(monkeypatch, tmp_path):
    made = UpdatedHouse(note_all(monkeypatch), tmp_path)
    monkeypatch.setattr(houses, "Tag", lambda *given, **named: Tag(*given, **named, slots=made.boot()))
    made.power()
    yield made
    made.close()


def test_it_comes_through_and_its_word_comes_back(house):
    house.live(30)
    delivery = house.update()
    house.live(120)
    assert delivery.progress.state == "taken"
    assert house.running == 1
    assert house.lives == 2
    assert house.uses.repeated() == []


@pytest.mark.parametrize("seed", range(5))
def test_power_gateways_and_lines_may_go_at_any_time(house, seed):
    house.live(30)
    house.rough = random.Random(seed)
    delivery = house.update()
    for ident in range(2, 40):
        house.live(house.rough.uniform(0, 30))
        if house.rough.random() < 0.1:
            house.gateways[HOME].restart()
        if delivery.progress.state not in ("accepted", "taken"):
            delivery = house.update(ident)  # nothing moves: once more, from where the tag is
    assert house.mishaps > 1
    house.rough = None
    for ident in range(40, 43):
        house.live(120)
        if delivery.progress.state != "taken":
            delivery = house.update(ident)
    assert house.running == 1
    assert house.uses.repeated() == []
    told = [entry.fields["code"] for entry in house.ledger.entries() if entry.kind == "event"]
    before = told[: told.index(EventCode.UPDATE_TAKEN)]
    assert not {EventCode.UPDATE_REFUSED, EventCode.IMAGE_CORRUPT} & set(before)
