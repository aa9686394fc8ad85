"""The table of pseudonyms: what it costs to be asked, and how far it looks."""

import time
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strapline_gateway.pseudonyms import PseudonymTable
from strapline_protocol.cipher import HostCipher
from strapline_wire.keys import Slot


class CountingCipher:
    """Counts the AES blocks that it is asked for."""

    def __init__(self, key):
        self._cipher = HostCipher(key.to_bytes(16, "big"))
        self.blocks = 0

    def block(self, data):
        self.blocks += 1
        return self._cipher.block(data)

    def pseudonym(self, index):
        blocks, slot = self.blocks, Slot(self, index)
        self.blocks = blocks
        return slot.pseudonym


def table_of(count):
    table = PseudonymTable()
    ciphers = {f"{index:08x}": CountingCipher(index) for index in range(count)}
    for tag, cipher in ciphers.items():
        table.add(tag, cipher, 0.0)
    return table, ciphers


def found_at(table, cipher, indices, now):
    return [index for index in indices if table.find(cipher.pseudonym(index), now)]


def test_among_ten_thousand_tags_an_answer_is_a_look_up_in_a_dict():
    table, ciphers = table_of(10_000)
    asked = [cipher.pseudonym(1) for cipher in ciphers.values()]
    before = sum(cipher.blocks for cipher in ciphers.values())
    started = time.process_time()
    answers = [table.find(pseudonym, 10.0) for pseudonym in asked]
    elapsed_s = time.process_time() - started
    assert answers == [[tag] for tag in ciphers]
    assert sum(cipher.blocks for cipher in ciphers.values()) == before
    assert elapsed_s < 0.5  # 10,000 look-ups; trying each tag's key would take a hundred times as long


def test_a_tag_that_was_heard_is_ready_for_its_neighbouring_slots_and_no_others():
    table, ciphers = table_of(1)
    (cipher,) = ciphers.values()
    assert found_at(table, cipher, range(10), 1.0) == [0, 1, 2]
    table.heard("00000000", cipher.pseudonym(2), 1.0)
    assert found_at(table, cipher, range(10), 1.0) == [1, 2, 3, 4]
    assert table.newest("00000000") == 2


def test_finding_moves_nothing():
    table, ciphers = table_of(1)
    (cipher,) = ciphers.values()
    for _ in range(100):
        assert table.find(cipher.pseudonym(2), 1.0) == ["00000000"]
    assert found_at(table, cipher, range(10), 1.0) == [0, 1, 2]


def test_an_older_slot_does_not_move_the_window_back():
    table, ciphers = table_of(1)
    (cipher,) = ciphers.values()
    assert table.heard("00000000", cipher.pseudonym(2), 1.0)
    assert not table.heard("00000000", cipher.pseudonym(1), 2.0)
    assert not table.heard("00000000", cipher.pseudonym(2), 3.0)
    assert table.newest("00000000") == 2


def test_a_tag_that_was_made_anew_is_found_at_its_first_slots():
    table, ciphers = table_of(1)
    cipher = ciphers["00000000"]
    table.resume("00000000", 5000)
    minutes = next(m for m in range(1, 60) if table.find(cipher.pseudonym(7), m * 60.0))
    assert minutes <= 30
    assert table.heard("00000000", cipher.pseudonym(7), minutes * 60.0)
    assert found_at(table, cipher, range(5010), minutes * 60.0) == [6, 7, 8, 9]


def test_strangers_can_make_us_search_once_a_minute_and_no_more():
    table, ciphers = table_of(5)
    random = Random(1)
    blocks = []
    for second in range(100, 400):
        before = sum(cipher.blocks for cipher in ciphers.values())
        for _ in range(20):
            table.find(random.getrandbits(32), float(second))
        blocks.append(sum(cipher.blocks for cipher in ciphers.values()) - before)
    assert [second for second, count in enumerate(blocks, 100) if count] == [100, 160, 220, 280, 340]


@pytest.mark.parametrize("count", [1, 100, 10_000])
def test_one_search_costs_the_same_however_many_tags_are_away(count):
    table, ciphers = table_of(count)
    before = sum(cipher.blocks for cipher in ciphers.values())
    table.find(0, 86400.0)
    assert 0 < sum(cipher.blocks for cipher in ciphers.values()) - before <= 8192


def test_memory_stays_bounded_after_a_year_of_silence_among_strangers():
    table, ciphers = table_of(3)
    for minute in range(100):
        table.find(0, 365 * 86400.0 + minute * 60.0)
    assert sum(len(owners) for owners in table._owners.values()) < 3 * 10_000
    assert all(len(known.slots) < 10_000 for known in table._tags.values())
    assert len(ciphers) == 3


def test_tags_that_are_being_heard_are_not_searched_for():
    table, ciphers = table_of(2)
    quiet, heard = ciphers.values()
    table.heard("00000001", heard.pseudonym(0), 95.0)
    before = heard.blocks, quiet.blocks
    table.find(0, 100.0)
    assert heard.blocks == before[0]
    assert quiet.blocks > before[1]


def test_every_one_of_many_silent_tags_is_searched_for_in_turn():
    table, ciphers = table_of(400)
    for minute in range(1, 60):
        table.find(0, minute * 60.0)
    lost = [tag for tag, cipher in ciphers.items() if table.find(cipher.pseudonym(64), 3540.0) != [tag]]
    assert lost == []


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(1.0, 40_000.0), st.sampled_from(["slots", "reboot", "heard"])), min_size=1, max_size=12
    )
)
def test_a_tag_that_comes_back_is_found_by_the_second_minute(steps):
    """However long it was away, and after any few reboots: at worst the second search has it."""
    table, ciphers = table_of(2)
    cipher = ciphers["00000000"]
    now, slot, skipped = 0.0, 0, 0
    for pause_s, what in steps:
        now += pause_s
        if what == "slots":
            slot += int(pause_s // 900)
        elif what == "reboot" and skipped < 3:
            slot, skipped = slot + 64, skipped + 1
        else:
            for waited_s in (0.0, 61.0, 122.0):
                found = table.find(cipher.pseudonym(slot), now + waited_s)
                if found:
                    break
            assert found == ["00000000"]
            now += waited_s
            table.heard("00000000", cipher.pseudonym(slot), now)
            assert table.newest("00000000") == slot
            skipped = 0


def test_after_a_restart_the_table_goes_on_where_it_was():
    table, ciphers = table_of(2)
    cipher = ciphers["00000001"]
    table.resume("00000001", 77_000)
    assert found_at(table, cipher, range(76_990, 77_010), 0.0) == [76_999, 77_000, 77_001, 77_002]
    assert table.find(cipher.pseudonym(0), 0.0) == []


def test_two_tags_under_one_pseudonym_are_both_named():
    shared = CountingCipher(1)
    table = PseudonymTable()
    table.add("0000000a", shared, 0.0)
    table.add("0000000b", shared, 0.0)
    assert table.find(shared.pseudonym(0), 0.0) == ["0000000a", "0000000b"]
    table.heard("0000000a", shared.pseudonym(2), 1.0)
    assert table.find(shared.pseudonym(0), 1.0) == ["0000000b"]
