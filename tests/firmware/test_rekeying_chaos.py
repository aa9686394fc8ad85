"""Keys change while MQTT loses, repeats and reorders, BLE breaks off, and tag, gateways and centre start anew at any moment."""

from random import Random

import pytest

from hand_made_tag import TAG
from house import HOME, INGRESS, NEIGHBOUR, Draw, House, note_all
from strapline_tag import outputs


class RoughHouse(House):
    """A house whose broker loses, repeats and delays what it is given while `rough`."""

    rough = False

    def __init__(self, *arguments, draw, **options):
        self.draw = draw
        self._delayed = []
        super().__init__(*arguments, **options)

    def soon(self, call, *arguments):
        is_message = len(arguments) == 2 and isinstance(arguments[0], str)
        fate = self.draw.random() if self.rough and is_message else 1
        if fate < 0.3:
            return
        if fate < 0.45:
            self._delayed.append((call, arguments))
            return
        super().soon(call, *arguments)
        if fate < 0.6:
            super().soon(call, *arguments)
        while self._delayed and self.draw.random() < 0.3:
            late, what = self._delayed.pop(self.draw.randrange(len(self._delayed)))
            super().soon(late, *what)


def restart_gateway(house, ident):
    house._delayed.clear()  # whom they were for is gone
    house.gateways[ident].restart()


def restart_centre(house):
    house.start_centre()
    for gateway in house.gateways.values():
        gateway.relay.mqtt_connected()  # its retained state is told to whoever subscribes


@pytest.mark.parametrize("seed", range(12))
def test_a_tag_is_reached_again_once_the_line_holds_whatever_befell_while_its_keys_changed(tmp_path, monkeypatch, seed):
    draw = Random(seed)
    uses = note_all(monkeypatch)
    house = RoughHouse(uses, tmp_path, draw=draw, entropy=lambda life: Draw(f"{seed}/{life}"))
    house.power()
    house.run(60)
    house.rough = True
    for _ in range(40):
        match draw.randrange(7):
            case 0 | 1:
                house.rekey()
            case 2:
                restart_gateway(house, draw.choice((HOME, NEIGHBOUR, INGRESS)))
            case 3:
                restart_centre(house)
            case 4:
                house.power()
            case 5:
                for gateway in house.gateways.values():
                    house.hang_up_all(gateway)
            case 6:
                house.strap(1)
        house.run(draw.choice((0, 1, 5, 60, 400)))
    house.rough = False
    house._delayed.clear()
    house.run(4000)
    restart_centre(house)
    house.run(2 * 3600)
    for alone in (HOME, NEIGHBOUR):
        restart_gateway(house, alone)
        house.tag.feed_strap_edge(house.tag_ms, True)
        house.run(600)
        house.tag.feed_strap_edge(house.tag_ms, False)
        assert len(house.tag.journal) == 0
    known = house.centre.rekeyings(TAG)
    assert known
    assert known[-1][2]
    assert house.tag._keys.generation == known[-1][0]
    assert house.ledger.gaps(TAG, house.tag.journal.ident) == []
    house.arm()
    assert house.tag.armed
    house._open(outputs.CELLULAR, house.gateways[INGRESS], None)
    house.settle()
    assert house.tag._bearers._cellular.is_open
    assert {g.station._tags[TAG].keys.generation for g in house.gateways.values()} == {known[-1][0]}
    assert uses.repeated() == []
    house.close()
