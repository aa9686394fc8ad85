"""Commands: only the centre's, only new ones, each once; whichever way they come."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.tag_pair import EPOCH, SECRET, WORN_OHM, Memory, TagPair
from strapline_protocol.cipher import HostCipher
from strapline_tag.commands import Commands
from strapline_tag.keyring import Keyring
from strapline_wire import documents, frames, seal
from strapline_wire.errors import RemoteProtocolError
from strapline_wire.keys import derive
from strapline_wire.parts import PART_LIMIT

ARM = frames.pack_arm((1, 2))


@pytest.fixture
def pair():
    pair = TagPair({"home_silence_s": 100_000_000})
    pair.strap(WORN_OHM)
    pair.connect()
    return pair


def by_key(pair, sealed):
    pair.key(sealed)


def by_link(pair, sealed):
    pair.command(sealed)


@pytest.mark.parametrize("way", [by_key, by_link])
def test_arm_works_by_key_and_by_link(pair, way):
    way(pair, pair.centre.arm(key_id=0x1234))
    assert pair.tag.armed
    (armed,) = [record for record in pair.unique() if record.name == "armed"]
    assert armed.body.detail == 0x1234


@pytest.mark.parametrize("first", [by_key, by_link])
@pytest.mark.parametrize("second", [by_key, by_link])
def test_an_arm_works_once_whichever_way_it_comes_again(pair, first, second):
    sealed = pair.centre.arm()
    first(pair, sealed)
    pair.edge(is_open=True)
    pair.edge(is_open=False)
    before = pair.tag.rejected
    second(pair, sealed)
    assert pair.names().count("armed") == 1
    assert pair.tag.strap.latched
    assert pair.tag.rejected == before + 1


def test_an_arm_that_was_refused_for_an_open_strap_is_used_up(pair):
    sealed = pair.centre.arm()
    pair.edge(is_open=True)
    pair.key(sealed)
    pair.edge(is_open=False)
    pair.key(sealed)
    assert not pair.tag.armed


def test_a_used_arm_stays_used_over_a_reboot(pair):
    sealed = pair.centre.arm()
    pair.key(sealed)
    again = TagPair(memory=pair.memory, seed="again")
    again.strap(WORN_OHM)
    again.edge(is_open=True)
    again.edge(is_open=False)
    again.key(sealed)
    assert again.tag.strap.latched
    assert again.tag.rejected == 1


def test_an_arm_may_wait_behind_any_number_of_other_commands(pair):
    sealed = pair.centre.arm()
    for _ in range(1000):
        pair.command(pair.centre.receipt(1))
    pair.key(sealed)
    assert pair.tag.armed


def test_an_older_arm_is_refused_once_a_newer_one_was_used(pair):
    older, newer = pair.centre.arm(1), pair.centre.arm(2)
    pair.key(newer)
    pair.key(older)
    assert [record.body.detail for record in pair.unique() if record.name == "armed"] == [2]


def test_an_arm_of_an_earlier_epoch_is_refused_and_of_a_later_one_counts_from_its_own_start(pair):
    old = pair.centre.arm()
    for _ in range(5):
        pair.key(pair.centre.arm())
    pair.centre.epoch, pair.centre.number = EPOCH + 1, 0
    pair.key(pair.centre.arm())
    assert pair.names().count("armed") == 6
    pair.key(old)
    assert pair.names().count("armed") == 6


def test_the_epoch_survives_a_reboot(pair):
    pair.command(pair.centre.receipt(1))
    again = TagPair(memory=pair.memory, seed="again")
    again.strap(WORN_OHM)
    again.key(again.centre.seal(frames.ARM, ARM, epoch=EPOCH - 1))
    assert not again.tag.armed
    again.key(again.centre.seal(frames.ARM, ARM, epoch=EPOCH))
    assert again.tag.armed


@settings(deadline=None)
@given(flip=st.integers(0, (seal.ENVELOPE_OVERHEAD + frames.ARM_SIZE) * 8 - 1))
def test_an_arm_with_any_bit_flipped_does_nothing(flip):
    pair = TagPair()
    pair.strap(WORN_OHM)
    sealed = bytearray(pair.centre.arm())
    sealed[flip // 8] ^= 1 << flip % 8
    pair.key(bytes(sealed))
    assert not pair.tag.armed
    assert pair.tag.rejected == 1
    assert "epoch" not in pair.memory.held


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_garbage_on_the_key_does_nothing_but_count(data):
    pair = TagPair()
    pair.strap(WORN_OHM)
    pair.key(data)
    assert not pair.tag.armed
    assert pair.tag.rejected == 1
    pair.key(pair.centre.arm())
    assert pair.tag.armed


def sealed_by(secret, purpose, direction):
    return seal.seal_envelope((frames.ARM, 0, EPOCH, 1), ARM, HostCipher(derive(secret, purpose)), direction)


@pytest.mark.parametrize(
    "sealed",
    [
        sealed_by(bytes(16), "end-to-end", seal.DOWN),
        sealed_by(SECRET, "link", seal.DOWN),
        sealed_by(SECRET, "broadcast", seal.DOWN),
        sealed_by(SECRET, "end-to-end", seal.UP),
    ],
    ids=["another tag's", "with the link key", "with the broadcast key", "in the tag's own direction"],
)
def test_what_the_centre_did_not_seal_for_this_tag_is_forged(pair, sealed):
    pair.key(sealed)
    assert not pair.tag.armed
    assert pair.tag.rejected == 1


def test_a_record_of_the_tags_own_is_no_command(pair):
    pair.key(pair.arrived[0].sealed)
    assert pair.tag.rejected == 1


@pytest.mark.parametrize("kind", [0x00, 0x10, 0x23, 0x3F, 0xFF])
def test_a_genuine_command_of_an_unknown_kind_does_nothing(pair, kind):
    pair.key(pair.centre.seal(kind, b""))
    assert not pair.tag.armed
    pair.key(pair.centre.arm())
    assert pair.tag.armed


@pytest.mark.parametrize("kind", [frames.RECEIPT, frames.TIME, frames.ARM])
def test_a_genuine_command_that_is_cut_short_does_nothing(pair, kind):
    pair.key(pair.centre.seal(kind, b"\x00"))
    assert not pair.tag.armed
    assert pair.tag.rejected == 0
    pair.visit()
    [refused] = [record.body for record in pair.unique() if record.name == "command_refused"]
    assert refused.detail == kind << 8 | frames.REFUSAL_MALFORMED


def refusals(pair):
    pair.visit()
    return [
        (record.body.detail >> 8, record.body.detail & 0xFF)
        for record in pair.unique()
        if record.name == "command_refused"
    ]


def in_parts(pair, kind, body, order=None, transfer=77):
    """The sealed commands that carry a long body."""
    pieces = [body[at : at + PART_LIMIT] for at in range(0, len(body), PART_LIMIT)]
    parts = [documents.pack_part((kind, transfer, at, len(pieces), piece)) for at, piece in enumerate(pieces)]
    return [pair.centre.seal(frames.PART, parts[at]) for at in (order or range(len(parts)))]


def test_what_a_newer_centre_wants_is_refused_by_name_and_does_no_harm(pair):
    pair.key(pair.centre.seal(0x3D, b"of a later version"))
    assert refusals(pair) == [(0x3D, frames.REFUSAL_UNKNOWN_KIND)]
    pair.arm()
    assert pair.tag.armed


def test_trailing_fields_of_a_newer_centre_are_passed_over(pair):
    pair.tag.feed_strap(pair.now, pair.strap_ohm)
    pair.key(pair.centre.seal(frames.ARM, frames.pack_arm((7, 0)) + b"later"))
    assert pair.tag.armed


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 1, 2, 0)])
def test_a_body_in_parts_counts_once_it_is_whole(pair, order):
    sealed = in_parts(pair, 0x3D, bytes(1100), order)
    for part in sealed[:-1]:
        pair.key(part)
    assert refusals(pair) == []
    pair.key(sealed[-1])
    assert refusals(pair) == [(0x3D, frames.REFUSAL_UNKNOWN_KIND)]  # whole, and of no kind that there is


def test_a_document_that_began_anew_does_not_mix_with_the_one_before(pair):
    old, new = (
        in_parts(pair, frames.ZONES, bytes(900), transfer=1),
        in_parts(pair, frames.CURFEW, bytes(900), transfer=2),
    )
    for part in (old[0], new[0], old[1]):
        pair.key(part)
    assert refusals(pair) == []


def test_parts_of_an_earlier_epoch_do_not_mix_with_those_of_a_later_one_that_counts_alike(pair):
    old = in_parts(pair, 0x3D, bytes(1100))
    for part in old[1:]:
        pair.key(part)
    pair.centre.epoch, pair.centre.number = EPOCH + 1, 0
    new = in_parts(pair, 0x3D, bytes(1100))
    pair.key(new[0])
    assert refusals(pair) == []
    for part in new[1:]:
        pair.key(part)
    assert refusals(pair) == [(0x3D, frames.REFUSAL_UNKNOWN_KIND)]


def test_more_than_a_tag_can_hold_is_refused_at_its_first_part(pair):
    pair.key(in_parts(pair, frames.ZONES, bytes(8193 + 480))[0])
    assert refusals(pair) == [(frames.PART, frames.REFUSAL_TOO_LONG)]


@pytest.mark.parametrize(("part", "parts", "size"), [(3, 3, 10), (0, 2, 479), (1, 3, 0)])
def test_a_part_that_fits_no_document_is_refused(pair, part, parts, size):
    pair.key(pair.centre.seal(frames.PART, documents.pack_part((frames.ZONES, 1, part, parts, bytes(size)))))
    assert refusals(pair) == [(frames.PART, frames.REFUSAL_MALFORMED)]


def test_the_centres_word_that_it_cannot_read_a_record_is_counted(pair):
    pair.key(pair.centre.seal(frames.REFUSED, frames.pack_refused((1, 2, frames.REFUSAL_UNKNOWN_KIND))))
    assert pair.tag.unread == 1
    assert refusals(pair) == []


class Failing(Memory):
    """Power goes just before the write with this number."""

    def __init__(self, held, fails_at):
        super().__init__(held)
        self._fails_at = fails_at

    def put(self, name, value):
        if self.writes == self._fails_at:
            raise OSError
        super().put(name, value)


def opens(memory, sealed):
    try:
        Commands(Keyring(SECRET, memory, HostCipher), memory, 8192).open(sealed)
    except (OSError, RemoteProtocolError):
        return False
    return True


@pytest.mark.parametrize("fails_at", range(4))
def test_power_that_goes_while_an_arm_of_a_new_epoch_is_taken_lets_no_old_one_in_and_keeps_no_new_one_out(fails_at):
    centre = TagPair().centre
    old = [centre.arm() for _ in range(9)]
    memory = Memory()
    assert opens(memory, old[7])
    centre.epoch, centre.number = EPOCH + 1, 0
    new = centre.arm()
    failing = Failing(memory.held, fails_at)
    taken = opens(failing, new)
    assert taken == (fails_at == 3)
    after = Memory(failing.held)
    assert not any(opens(after, sealed) for sealed in old[:8])
    assert opens(after, new) != taken
    assert not opens(after, new)
    assert opens(after, centre.arm())
    assert not any(opens(after, sealed) for sealed in [*old, new])


def test_in_a_new_epoch_all_commands_count_from_its_own_start(pair):
    for _ in range(500):
        pair.command(pair.centre.receipt(1))
    pair.centre.epoch, pair.centre.number = EPOCH + 1, 0
    pair.command(pair.centre.receipt(1))
    assert pair.tag.rejected == 0


# The rule itself, over any history.


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.integers(0, 150),
            st.sampled_from([frames.RECEIPT, frames.ARM]),
            st.booleans(),
        ),
        max_size=80,
    )
)
def test_each_number_counts_once_in_its_epoch_and_epochs_only_rise(history):
    cipher = HostCipher(derive(SECRET, "end-to-end"))
    memory = Memory()
    commands = Commands(Keyring(SECRET, memory, HostCipher), memory, 8192)
    accepted = []
    for epoch, number, kind, reboot in history:
        if reboot:
            commands = Commands(Keyring(SECRET, memory, HostCipher), memory, 8192)
        sealed = seal.seal_envelope((kind, 0, epoch, number), bytes(12), cipher, seal.DOWN)
        try:
            commands.open(sealed)
        except RemoteProtocolError:
            continue
        accepted.append((epoch, number, kind, reboot))
    epochs = [epoch for epoch, *_ in accepted]
    assert epochs == sorted(epochs)
    arms = [(epoch, number) for epoch, number, kind, _ in accepted if kind == frames.ARM]
    assert arms == sorted(set(arms))
    if not any(reboot for *_, reboot in history):
        others = [(epoch, number) for epoch, number, kind, _ in accepted if kind != frames.ARM]
        assert len(set(others)) == len(others)


def test_flash_is_written_for_arms_and_new_epochs_and_not_for_receipts(pair):
    pair.command(pair.centre.receipt(1))
    writes = pair.memory.writes
    for _ in range(500):
        pair.command(pair.centre.receipt(1))
    assert pair.memory.writes == writes
