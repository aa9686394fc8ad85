"""An update from the centre's desk through station and link to the tag, and its word back: over lost power, gateways and lines."""

import random

import pytest

import house as houses
from hand_made_tag import TAG
from house import HOME, House, note_all
from strapline_boot.slots import Slots
from strapline_tag import outputs
from strapline_tag.tag import Tag
from update_bench import BOARD, Flash, QuickKey, image_of, signed

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


@pytest.mark.parametrize("seed", range(8))
def test_power_gateways_and_lines_may_go_at_any_time(house, seed):
    draw = random.Random(seed)
    house.live(30)
    delivery = house.update()
    for ident in range(2, 40):
        house.live(draw.uniform(0, 8))
        mishap = draw.choice(["power", "gateway", "lines", "nothing"])
        if mishap == "power":
            house.power()
        elif mishap == "gateway":
            house.gateways[HOME].restart()
        elif mishap == "lines":
            for gateway in house.gateways.values():
                house.hang_up_all(gateway)
        if delivery.progress.state not in ("accepted", "taken"):
            delivery = house.update(ident)
    house.live(30)
    for ident in range(40, 44):
        if delivery.progress.state != "taken":
            delivery = house.update(ident)
            house.live(120)
    assert delivery.progress.state == "taken"
    assert house.running == 1
    assert house.uses.repeated() == []
