"""No (key, nonce) pair is used for two texts, whatever tag, gateways and centre live through: every use is noted and looked at.

A text that is sent again under its old nonce is the same text, and is no repetition.
"""

import itertools
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flash import Flash
from hand_made_tag import SECRET, TAG
from house import HOME, NEIGHBOUR, START, Draw, House, Memory, PowerGoneError, Uses, note_all
from strapline_centre.ledger import Ledger
from strapline_protocol.cipher import HostCipher
from strapline_tag import outputs
from strapline_tag import tag as tag_module
from strapline_tag.journal import Journal
from strapline_tag.timekeeping import Clock
from strapline_wire import frames, link, seal
from strapline_wire.keys import Slot, derive

MEMORY = Path("/dev/shm")

BROADCAST, END_TO_END, HEADER = (derive(SECRET, purpose) for purpose in ("broadcast", "end-to-end", "header"))


def new_keys_twice(house):
    """The second time while the first is still under way in the house, then once it is through."""
    for _ in range(2):
        house.rekey()
        house.run(400)


KEY_CHANGES = {"the keys stay": lambda _house: None, "new keys, twice": new_keys_twice}
"""What may happen to the tag's keys in the middle of a story, while its counters, journal and numbers go on."""


@pytest.fixture
def uses(monkeypatch):
    return note_all(monkeypatch)


@pytest.fixture
def folder(tmp_path):
    """In memory where there is such a place: ledgers and outboxes wait for their disk at each step, and no disk is tested here."""
    if not MEMORY.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="strapline-", dir=MEMORY) as made:
        yield Path(made)


@pytest.fixture
def build(uses, folder):
    """House after house, each in a folder of its own, all noted in one place."""
    built = []

    def make(*, powered=True, **options):
        own = folder / str(len(built))
        own.mkdir()
        every_opening = {"strap_told_openings": 1_000_000}  # a flapping strap makes as many records as it can
        built.append(House(uses, own, config=every_opening | options.pop("config", {}), **options))
        if powered:
            built[-1].power()
        return built[-1]

    yield make
    for house in built:
        house.close()


# The stories.


def a_day(house, change_keys):
    house.arm()
    house.run(12 * 3600)
    change_keys(house)
    house.run(12 * 3600)


def short_lives(house, change_keys):
    """Nobody has put it on, and its power comes and goes."""
    for life in range(20):
        house.run(30)
        house.power()
        if life == 10:
            change_keys(house)


def many_reboots(house, change_keys):
    house.arm()
    for life in range(30):
        house.run(300)
        house.strap(10)
        house.power()
        if life == 15:
            change_keys(house)


def an_hour_of_alarms(house, change_keys):
    house.arm()
    house.strap(600)
    change_keys(house)
    house.strap(600)


def nobody_answers_and_records_are_sent_again(house, change_keys):
    house.arm()
    to_centre, house.to_centre = house.to_centre, lambda _topic, _payload: None
    for _ in range(2):
        house.strap(20)
        house.run(7200)
        change_keys(house)
    house.to_centre = to_centre
    house.run(7200)


def gateways_come_and_go(house, change_keys):
    """Restarted, restored from a backup, and with a random source that begins anew each time."""
    house.arm()
    for _ in range(3):
        for ident in (HOME, NEIGHBOUR):
            gateway = house.gateways[ident]
            gateway.back_up()
            house.run(200)
            house.strap(5)
            gateway.restore()
            house.run(200)
            gateway.restart(Draw("the same again"))
        change_keys(house)


def centres_come_and_go(house, change_keys):
    """Restarted, twice in a second, with the clock set back, on a restored ledger, and all of that at once."""
    house.arm()
    for number, clock_s in enumerate((None, None, 0, 10**6, None, 0)):
        house.start_centre(clock_s)
        house.back_up_ledger()
        house.strap(5)
        house.arm()
        for back_s in (None, 0, 0):
            house.restore_ledger()
            house.start_centre(back_s)
            house.strap(5)
            house.arm()
            house.start_centre(0)
            house.arm()
        if number in (1, 3):  # before and after the clock's great leap
            change_keys(house)
    house.power()
    house.run(600)


def on_a_new_link(line, sequence):
    """The frame of a line that was recorded, as an attacker writes it on another link."""
    frame = (link.decode(line.strip(b"\0")) or b"")[link.HEADER_SIZE :]
    return link.encode(bytes((77, 0, sequence << 4)) + frame)


def somebody_plays_recordings_back(house, change_keys):
    """Every HELLO to every gateway again, every WELCOME and command to the tag again."""
    house.arm()
    house.run(900)
    change_keys(house)
    for said in house.sent[:200]:
        for gateway in house.gateways.values():
            number = gateway.station.open_link(house.now_s)
            for sequence in range(3):
                gateway.station.receive_data(number, on_a_new_link(said, sequence), house.now_s)
            gateway.station.close_link(number, house.now_s)
            while gateway.station.next_event() is not None:
                pass
    for told in house.told[:200]:
        house.tag.feed_link_up(house.tag_ms, outputs.BLE)
        for sequence, other in enumerate((told, *house.told[:5])):
            house.tag.feed_link(house.tag_ms, outputs.BLE, on_a_new_link(other, sequence))
        house.tag.feed_link_down(house.tag_ms, outputs.BLE)
    house.run(300)


def the_journals_flash_is_put_back(house, change_keys):
    """To what it was in this life, in the last, and when the tag was new; and it is replaced."""
    house.arm()
    house.strap(3)
    held = [bytes(house.flash.held)]
    for life in range(8):
        house.to_centre, to_centre = (
            (lambda _topic, _payload: None),
            house.to_centre,
        )  # what was said once is said again
        house.strap(4)
        house.to_centre = to_centre
        held.append(bytes(house.flash.held))
        house.strap(4)
        house.flash.held[:] = (held[-1], held[-2], held[0], b"\xff" * len(held[0]))[life % 4]
        house.power()
        house.strap(2)
        house.run(100)
    change_keys(house)
    house.strap(4)


STORIES = (
    a_day,
    short_lives,
    many_reboots,
    an_hour_of_alarms,
    nobody_answers_and_records_are_sent_again,
    the_journals_flash_is_put_back,
    gateways_come_and_go,
    centres_come_and_go,
    somebody_plays_recordings_back,
)


@pytest.mark.parametrize("change_keys", KEY_CHANGES.values(), ids=KEY_CHANGES)
@pytest.mark.parametrize("story", STORIES)
def test_no_nonce_is_used_for_two_texts(build, uses, story, change_keys):
    house = build()
    story(house, change_keys)
    assert uses.repeated() == []
    assert len(uses.sealed) > 200


def test_new_keys_are_used_and_the_old_ones_are_not_used_again(build, uses):
    house = build()
    house.arm()
    house.run(600)
    new_keys_twice(house)
    before = Counter(key for key, _ in uses.sealed)
    house.run(600)
    after = Counter(key for key, _ in uses.sealed)
    assert house.centre.rekeyings(TAG)[-1][0] == 2
    assert [proved for *_, proved in house.centre.rekeyings(TAG)] == [True, True]
    grown = {key for key in after if after[key] > before[key]}
    assert not grown & {BROADCAST, END_TO_END}
    assert len(uses.blocks) == 3  # a header key of each generation
    assert uses.repeated() == []


def test_the_stories_use_every_key_and_use_it_much(build, uses):
    memory = Memory()
    for story in (many_reboots, an_hour_of_alarms, centres_come_and_go):
        story(build(memory=memory), KEY_CHANGES["the keys stay"])
    counts = dict.fromkeys(("heartbeat", "record", "question", "command", "session"), 0)
    for key, nonce in uses.sealed:
        if key == BROADCAST:
            counts["heartbeat"] += 1
        elif key == END_TO_END:
            counts["command" if nonce[0] == 3 else "question" if nonce[1] == frames.TIME_REQUEST else "record"] += 1
    counts["session"] = len(uses.keys()) - 2
    assert counts["heartbeat"] > 3000
    assert counts["record"] > 1500
    assert counts["question"] > 30
    assert counts["command"] > 1500
    assert counts["session"] > 100
    assert uses.repeated() == []


@pytest.mark.parametrize("by_chance_alone", [False, True])
def test_random_sources_that_give_the_same_again_repeat_nothing(build, uses, monkeypatch, by_chance_alone):
    """HELLO's nonce differs by boot and count. Were it by chance alone, sessions would come back with their keys."""
    if by_chance_alone:
        monkeypatch.setattr(tag_module.Tag, "_hello_nonce", lambda tag: tag._entropy(8))
    house = build(entropy=lambda _life: bytes)
    for gateway in house.gateways.values():
        gateway.restart(bytes)
    many_reboots(house, KEY_CHANGES["the keys stay"])
    somebody_plays_recordings_back(house, KEY_CHANGES["the keys stay"])
    assert bool(uses.repeated()) == by_chance_alone


# Power cuts.


def cut_life(house):
    house.arm()
    house.strap(3)
    house.run(200)
    house.arm()
    house.strap(2)
    house.run(60)


@pytest.mark.parametrize("cut_after", [False, True], ids=["before the write", "after the write"])
def test_power_that_goes_at_any_write_repeats_nothing(build, uses, monkeypatch, cut_after):
    # Small blocks and short slots, so that a short life has many writes; their size is not what is tested.
    monkeypatch.setattr("strapline_tag.broadcast._COUNTER_BLOCK", 4)
    monkeypatch.setattr("strapline_tag.broadcast._SLOT_BLOCK", 1)
    monkeypatch.setattr("strapline_wire.keys._SLOT_SHORTEST_S", 60)
    monkeypatch.setattr("strapline_wire.keys._SLOT_SPREAD_S", 61)
    cuts = 0
    for cut_at in itertools.count():
        memory = Memory()
        memory.cut_at, memory.cut_after = cut_at, cut_after
        uses.sealed.clear()
        if not lived_with_cuts(build, memory):
            break
        cuts += 1
        assert uses.repeated() == []
    assert cuts > 25


def lived_with_cuts(build, memory, **options):
    """Two lives, and a third where power went at the write that `memory` or the journal's flash names; whether it went.

    Only those two are cut: after a cut in the last one nothing would be said that could be a repetition.
    """
    house, gone, lives = build(memory=memory, powered=False, **options), False, 2
    while house.lives < lives:
        try:
            house.power()
            cut_life(house)
        except PowerGoneError:
            gone, lives = True, 3
    return gone


def test_power_that_goes_in_an_operation_of_the_journals_flash_repeats_nothing(build, uses):
    """In every third of them; what the journal itself makes of each is test_journal_power.py's business."""
    cuts = 0
    for cut_at in itertools.count(step=3):
        flash = Flash(blocks=4, block_size=512)
        flash.cut_at, flash.torn = cut_at, ("none", "part", "all")[cut_at // 3 % 3]
        uses.sealed.clear()
        if not lived_with_cuts(build, Memory(), flash=flash):
            break
        cuts += 1
        assert uses.repeated() == []
    assert cuts > 10


class RefusingMemory(Memory):
    """A flash that is worn out for one name: it says so, and the firmware is asked to go on all the same."""

    def __init__(self, held, name):
        super().__init__(held)
        self._name = name

    def put(self, name, value):
        if name == self._name:
            raise PowerGoneError
        super().put(name, value)


def test_counters_that_the_flash_refuses_to_reserve_are_not_used(uses):
    memory = Memory()
    for life in range(3):
        tag = tag_module.Tag(SECRET, memory, Draw(f"life {life}"), uses.cipher, Flash())
        tag._memory = tag._broadcast._memory = RefusingMemory(memory.held, "counter")
        for _ in range(20):
            with pytest.raises(PowerGoneError):
                tag.handle_timer(tag._broadcast.due)
    assert [use for use in uses.sealed if use[0] == BROADCAST] == []


# What the enumeration is worth: each of these breaks one thing, and is found.


class Forgetful(Memory):
    """A flash that loses what it was given under one name."""

    def __init__(self, name):
        super().__init__()
        self._name = name

    def put(self, name, value):
        super().put(name, value)
        if name == self._name:
            del self.held[name]


class LaggingMemory(Memory):
    """A flash that says yes and writes with the next write: what was reserved last is gone after a reboot."""

    def __init__(self):
        super().__init__()
        self._cached = {}

    def lose_power(self):
        self._cached = {}

    def put(self, name, value):
        self.held.update(self._cached)
        self._cached = {name: value}


def nothing_changes(_monkeypatch):
    return {}


def counters_not_kept(_monkeypatch):
    return {"memory": Forgetful("counter")}


def boots_not_kept(_monkeypatch):
    return {"memory": Forgetful("boot")}


def writes_that_lag(_monkeypatch):
    return {"memory": LaggingMemory()}


def boots_not_in_the_envelope(monkeypatch):
    record = Journal.record

    def without(self, slot):
        (kind, flags, *identity), body = record(self, slot)
        return (kind, flags & 1, *identity), body

    monkeypatch.setattr(Journal, "record", without)
    return {}


def journal_begins_anew_under_its_old_id(monkeypatch):
    boots_not_in_the_envelope(monkeypatch)
    monkeypatch.setattr(
        tag_module, "Journal", lambda _flash, _ident, _noted, reserve: Journal(Flash(), 0x4A0B0001, 0, reserve)
    )
    return {}


def questions_not_counted(monkeypatch):
    count = Clock.ask

    def ask(self, now, origin):
        self._asked = 0
        return count(self, now, 0x4A0B0001)

    monkeypatch.setattr(Clock, "ask", ask)
    return {}


def hello_nonce_constant(monkeypatch):
    monkeypatch.setattr(tag_module.Tag, "_hello_nonce", lambda _self: b"no nonce")
    return {}


def records_change_when_sent_again(monkeypatch):
    record, calls = Journal.record, itertools.count()

    def changed(self, slot):
        envelope, body = record(self, slot)
        return envelope, body[:-1] + bytes((next(calls) & 0xFF,))

    monkeypatch.setattr(Journal, "record", changed)
    return {}


def epochs_not_kept(monkeypatch):
    monkeypatch.setattr(Ledger, "claim_epoch", lambda _self, wanted: wanted)
    return {}


FAILURES = [
    (counters_not_kept, many_reboots, BROADCAST),
    (boots_not_kept, many_reboots, END_TO_END),
    (writes_that_lag, short_lives, BROADCAST),
    (journal_begins_anew_under_its_old_id, many_reboots, END_TO_END),
    (boots_not_in_the_envelope, the_journals_flash_is_put_back, END_TO_END),
    (questions_not_counted, many_reboots, END_TO_END),
    (hello_nonce_constant, somebody_plays_recordings_back, None),
    (records_change_when_sent_again, nobody_answers_and_records_are_sent_again, END_TO_END),
]


@pytest.mark.parametrize(("break_it", "story", "key"), FAILURES, ids=[failure[0].__name__ for failure in FAILURES])
def test_a_repetition_is_found(build, uses, monkeypatch, break_it, story, key):
    house = build(**break_it(monkeypatch))
    story(house, KEY_CHANGES["the keys stay"])
    found = {used for used, _ in uses.repeated()}
    assert key in found if key else found - {BROADCAST, END_TO_END}


@pytest.mark.parametrize("break_it", [nothing_changes, epochs_not_kept])
def test_a_centre_whose_epoch_comes_again_and_that_counts_from_a_fixed_number_is_found(
    build, uses, monkeypatch, break_it
):
    """With `nothing_changes` this is the ledger restored from a backup under a clock that is behind: the epoch does come again there."""
    break_it(monkeypatch)
    house = build()
    start = house.start_centre
    house.start_centre = lambda clock_s=None: start(clock_s, bytes)
    centres_come_and_go(house, KEY_CHANGES["the keys stay"])
    assert {use[0] for use in uses.repeated()} == {END_TO_END}


def test_a_restored_ledger_under_a_clock_that_is_behind_gives_an_epoch_again_and_no_number_with_it(build, uses):
    """What keeps these apart is chance: two runs of m commands overlap with a chance of 2 m / 2³¹."""
    house = build()
    house.back_up_ledger()
    epochs, numbers = [], []
    for run in range(20):
        house.restore_ledger()
        house.start_centre(0, Draw(f"run {run}"))
        uses.sealed.clear()
        for _ in range(100):
            house.arm()
        nonces = [nonce for key, nonce in uses.sealed if key == END_TO_END and nonce[0] == 3]
        epochs.append({nonce[3:7] for nonce in nonces})
        numbers += [nonce[7:11] for nonce in nonces]
    assert all(epoch == epochs[0] and len(epoch) == 1 for epoch in epochs)
    assert int.from_bytes(*epochs[0], "big") == int(START.timestamp()) + 1
    assert len(set(numbers)) == len(numbers) == 2000


# The header key: a block cipher, under which nothing is sealed.


def domain(block):
    """For which of its three purposes a block goes through the header key; a block belongs to one at most."""
    if block[8] >> 6 == seal.VERSION:
        return "mask" if block[13:] == bytes(3) else None
    if block[:12] == b"slot" + bytes(8):
        return "slot"
    return "hello" if block[:4] == b"link" and block[8] == 0 else None


def test_no_key_both_seals_and_masks_and_each_block_has_one_purpose(build, uses):
    house = build()
    many_reboots(house, KEY_CHANGES["the keys stay"])
    assert uses.blocks.keys() & uses.keys() == set()
    assert uses.blocks.keys() == {HEADER}
    purposes = {domain(block) for block in uses.blocks[HEADER]}
    assert purposes == {"mask", "slot", "hello"}


class BlockSpy(HostCipher):
    def __init__(self, key):
        super().__init__(key)
        self.seen = []
        plain = self.block
        self.block = lambda data: self.seen.append(data) or plain(data)


@given(
    kind=st.integers(0, 63),
    pseudonym=st.integers(0, 0xFFFFFFFF),
    counter=st.integers(0, 0xFFFFFFFF),
    body=st.binary(max_size=40),
    index=st.integers(0, 0xFFFFFFFF),
)
def test_a_mask_is_never_a_slot_whatever_is_in_it(kind, pseudonym, counter, body, index):
    """The version's two bits are never zero, and stand where a slot's and a HELLO's block have a zero."""
    header = BlockSpy(HEADER)
    seal.seal_frame(kind, pseudonym, counter, body, HostCipher(BROADCAST), header, seal.UP)
    Slot(header, index)
    assert [domain(block) for block in header.seen] == ["mask", "slot"]


def test_a_hellos_block_is_neither(uses):
    tag = tag_module.Tag(SECRET, Memory({"boot": 2**32 - 2}), Draw("hello"), uses.cipher, Flash())
    before = set(uses.blocks[HEADER])
    for _ in range(300):
        tag.feed_link_up(0, outputs.BLE)
        tag.feed_link_down(0, outputs.BLE)
    new = uses.blocks[HEADER] - before
    assert {domain(block) for block in new} == {"hello"}
    assert len(new) == 300


def test_the_enumeration_takes_the_same_text_again_for_no_repetition():
    uses = Uses()
    cipher = uses.cipher(END_TO_END)
    envelope = frames.Envelope((frames.EVENT, 1, 1, 1))
    for body in (b"one", b"one"):
        seal.seal_envelope(envelope, body, cipher, seal.UP)
    assert uses.repeated() == []
    seal.seal_envelope(envelope, b"two", cipher, seal.UP)
    assert len(uses.repeated()) == 1
    assert len(uses.sealed) == 1
