"""An update cannot be abused: everything that is not genuine, newer, in time and for this board is refused, with its reason."""

import hashlib
from datetime import UTC, datetime

import pytest

from strapline_boot.slots import Slots
from strapline_protocol.codes import EventCode, Kind, Refusal
from strapline_simulator.quick_key import QuickKey
from strapline_tag import outputs as out
from strapline_wire import frames, manifest
from update_bench import BOARD, Life, image_of, record_events, signed

KEY, OTHER_KEY = QuickKey(), QuickKey("other")
OLD, NEW = image_of("old", 500), image_of("new", 600)
FIRST = signed(KEY, OLD, 5)
NOON_S = 1_772_452_800


@pytest.fixture
def life():
    made = Life(KEY)
    made.install(0, FIRST)
    assert made.boot() == OLD
    return made


def test_a_genuine_newer_image_is_tried_confirmed_and_told(life):
    stream = signed(KEY, NEW, 6)
    assert life.send(stream)
    assert life.told[-1] == (EventCode.APPLIED, Kind.UPDATE_COMMIT << 24 | 6)
    assert life.boot() == NEW
    assert life.slots.trial
    life.sensed = True
    life.update.handle_timer(1)
    assert life.slots.trial
    life.sensed = False
    life.update.heard()
    life.update.handle_timer(2)
    assert life.slots.trial
    life.sensed = True
    life.update.handle_timer(3)
    assert not life.slots.trial
    assert life.update.next_deadline() is None
    assert record_events(life) == [(EventCode.UPDATE_TAKEN, 6)]
    assert [life.boot() for _ in range(3)] == [NEW] * 3
    assert record_events(life) == [(EventCode.UPDATE_TAKEN, 6)]


def test_one_that_does_not_confirm_itself_is_given_up_and_told(life):
    assert life.send(signed(KEY, NEW, 6))
    assert life.boot() == NEW
    life.update.heard()
    limit = 1800 * 1000
    assert life.update.next_deadline() == limit
    life.update.handle_timer(limit - 1)
    assert life.outputs == []
    life.update.handle_timer(limit)
    assert life.outputs == [(out.RESTART, 0)]
    assert life.boot() == OLD
    assert record_events(life) == [(EventCode.UPDATE_UNDONE, 6)]
    assert [life.boot(), life.boot()] == [OLD, OLD]
    assert len(record_events(life)) == 1


def test_one_that_was_given_up_may_be_tried_again_without_sending_it_again(life):
    stream = signed(KEY, NEW, 6)
    life.send(stream)
    life.boot()
    life.boot()
    assert life.begin(stream, 8) == 0
    assert life.progress() == len(stream)
    life.commit(stream, 8)
    assert life.boot() == NEW
    life.show_all()
    assert life.boot() == NEW


def test_what_runs_already_is_refused_before_the_other_image_is_given_away(life):
    stream = signed(KEY, NEW, 6)
    life.send(stream)
    life.boot()
    life.show_all()
    life.boot()
    before = bytes(life.flash.areas[0])
    assert life.begin(stream, 9) == Refusal.OLD_REVISION
    assert bytes(life.flash.areas[0]) == before


def test_while_one_is_on_trial_the_slot_to_go_back_to_is_left_alone(life):
    life.send(signed(KEY, NEW, 6))
    life.boot()
    stream = signed(KEY, NEW, 7)
    before = bytes(life.flash.areas[0])
    assert life.begin(stream) == Refusal.NOT_NOW
    assert life.chunk(stream, 0) == 0
    assert life.commit(stream) == Refusal.NOT_NOW
    assert bytes(life.flash.areas[0]) == before


def test_between_the_commit_and_the_restart_nothing_is_overwritten(life):
    life.send(signed(KEY, NEW, 6))
    before = bytes(life.flash.areas[1])
    assert life.begin(signed(KEY, NEW, 7)) == Refusal.NOT_NOW
    assert bytes(life.flash.areas[1]) == before


def refused(life, stream, **changes):
    """The reason for which a stream is refused; and that the old image still runs."""
    reason = life.begin(stream, **changes)
    if not reason:
        for at in range(0, len(stream), manifest.PAGE):
            life.chunk(stream, at)
        life.commit(stream)
        assert life.update.restart_at is None
        reason = life.refusal()
    assert life.boot() == OLD
    return Refusal(reason)


def test_unsigned_and_signed_by_another(life):
    assert refused(life, signed(OTHER_KEY, NEW, 6)) == Refusal.UNSIGNED
    stream = signed(KEY, NEW, 6)
    assert refused(life, stream[: manifest.MANIFEST] + bytes(manifest.SIGNATURE) + NEW) == Refusal.UNSIGNED
    assert refused(life, bytes(len(stream))) == Refusal.UNSIGNED


def test_a_signature_of_something_else_is_none_of_this(life):
    one, other = signed(KEY, NEW, 6), signed(KEY, NEW, 7)
    assert refused(life, one[: manifest.MANIFEST] + other[manifest.MANIFEST :]) == Refusal.UNSIGNED
    assert refused(life, one[: manifest.HEAD] + image_of("third", 600)) == Refusal.UNSIGNED


@pytest.mark.parametrize("sequence", [1, 4, 5])
def test_older_and_equal(life, sequence):
    assert refused(life, signed(KEY, NEW, sequence)) == Refusal.OLD_REVISION


def test_what_has_once_been_confirmed_is_not_gone_behind_even_after_falling_back(life):
    seven = signed(KEY, NEW, 7)
    life.send(seven)
    life.boot()
    life.show_all()
    life.flash.areas[1][manifest.HEAD] ^= 1
    assert life.boot() == OLD
    assert life.told[-1] == (EventCode.IMAGE_CORRUPT, 1)
    assert refused(life, signed(KEY, image_of("six", 300), 6)) == Refusal.OLD_REVISION
    assert life.send(seven)
    assert life.boot() == NEW


def test_wrong_board(life):
    for board in ("pico-w", "esp32-c", "esp32-c33", "ESP32-C3"):
        assert refused(life, signed(KEY, NEW, 6, board=board)) == Refusal.WRONG_BOARD


def test_wrong_board_is_told_before_the_image_is_paid_for(life):
    stream = signed(KEY, NEW, 6, board="pico-w")
    life.begin(stream)
    for at in range(0, manifest.HEAD, manifest.PAGE):
        life.chunk(stream, at)
    assert life.refusal() == Refusal.WRONG_BOARD


def stamp(utc_s):
    return datetime.fromtimestamp(utc_s, UTC)


def answer_time(life, now, utc_s):
    life.clock.ask(now, 1)
    answer = frames.Time((b"\0\0\0\1" + life.clock._asked.to_bytes(4, "big"), utc_s, 0))
    assert life.clock.answer(now, answer)


def test_expired_by_a_trusted_clock(life):
    stream = signed(KEY, NEW, 6, expires=stamp(NOON_S))
    answer_time(life, 0, NOON_S + 1)
    assert refused(life, stream) == Refusal.EXPIRED


def test_at_the_last_second_it_is_still_taken(life):
    answer_time(life, 0, NOON_S)
    assert life.send(signed(KEY, NEW, 6, expires=stamp(NOON_S)))


def test_without_a_trusted_clock_the_last_authenticated_time_is_the_bound_over_reboots_too(life):
    stream = signed(KEY, NEW, 6, expires=stamp(NOON_S))
    answer_time(life, 0, NOON_S + 1)
    life.update.timed(0)
    life.clock = type(life.clock)()
    life.boot()
    assert life.clock.utc_s(0) == 0
    assert refused(life, stream) == Refusal.EXPIRED


def test_a_tag_that_was_never_told_the_time_takes_it(life):
    assert life.send(signed(KEY, NEW, 6, expires=stamp(NOON_S)))


def test_what_has_expired_goes_on_running(life):
    life.send(signed(KEY, NEW, 6, expires=stamp(NOON_S)))
    life.boot()
    life.show_all()
    answer_time(life, 0, NOON_S + 86400)
    life.update.timed(0)
    assert life.boot() == NEW


def test_the_time_is_kept_once_a_day(life):
    writes = []
    put = life.memory.put
    life.memory.put = lambda name, value: (writes.append(name), put(name, value))
    for second in range(0, 3 * 86400, 3600):
        answer_time(life, 0, NOON_S + second)
        life.update.timed(0)
    assert writes == ["utc"] * 3
    assert life.memory.held["utc"] == NOON_S + 2 * 86400
    answer_time(life, 0, NOON_S)
    life.update.timed(0)
    assert life.memory.held["utc"] == NOON_S + 2 * 86400


@pytest.mark.parametrize("size", [1, manifest.PAGE, 599])
def test_truncated(life, size):
    stream = signed(KEY, NEW, 6)
    assert refused(life, stream[: manifest.HEAD + size]) == Refusal.MALFORMED


def test_truncated_so_far_that_no_image_is_left(life):
    stream = signed(KEY, NEW, 6)
    for size in (1, 68, manifest.MANIFEST, manifest.HEAD):
        assert life.begin(stream[:size]) == Refusal.MALFORMED


@pytest.mark.parametrize("more", [b"\0", b"\xff", bytes(90)])
def test_extended(life, more):
    # An erased byte behind it cannot be told from the end in the slot; the size of the stream tells.
    assert refused(life, signed(KEY, NEW, 6) + more) == Refusal.MALFORMED


def test_too_long_for_the_slot(life):
    assert refused(life, signed(KEY, image_of("long", 701), 6)) == Refusal.TOO_LONG
    assert life.send(signed(KEY, image_of("full", 700), 6))


def test_a_manifest_of_another_size_or_form(life):
    stream = signed(KEY, NEW, 6)
    assert life.begin(stream, manifest_size=manifest.HEAD - 1) == Refusal.MALFORMED
    packed = b"SLF2" + stream[4 : manifest.MANIFEST]
    assert refused(life, packed + KEY.sign(packed) + NEW) == Refusal.MALFORMED


@pytest.mark.slow
def test_every_flipped_bit_of_manifest_signature_and_image(life):
    stream = signed(KEY, image_of("small", 40), 6)
    life.install(1, stream)
    assert life.slots.examine(1) == 0
    area = life.flash.areas[1]
    reasons = set()
    for bit in range(8 * len(stream)):
        area[bit >> 3] ^= 1 << (bit & 7)
        reasons.add(life.slots.examine(1))
        area[bit >> 3] ^= 1 << (bit & 7)
    assert reasons == {Refusal.UNSIGNED}
    assert life.slots.examine(1) == 0


@pytest.mark.parametrize(
    "at", [0, 25, 60, manifest.MANIFEST - 1, manifest.MANIFEST, 1500, manifest.HEAD - 1, manifest.HEAD, 3415]
)
def test_a_flipped_bit_on_the_way_is_refused_and_another_delivery_heals_it(life, at):
    stream = signed(KEY, NEW, 6)
    flipped = bytearray(stream)
    flipped[at] ^= 0x10
    assert refused(life, bytes(flipped)) == Refusal.UNSIGNED
    assert life.send(stream)


@pytest.mark.parametrize("at", [5, manifest.MANIFEST + 7, manifest.HEAD, manifest.HEAD + 599])
def test_a_flipped_bit_of_an_installed_image_falls_back_is_told_once_and_can_be_repaired(life, at):
    stream = signed(KEY, NEW, 6)
    life.send(stream)
    life.boot()
    life.show_all()
    life.flash.areas[1][at] ^= 4
    assert [life.boot(), life.boot()] == [OLD, OLD]
    assert record_events(life) == [(EventCode.UPDATE_TAKEN, 6), (EventCode.IMAGE_CORRUPT, 1)]
    assert life.send(stream) or life.send(stream)  # the first finds that what it takes for complete is not
    assert life.boot() == NEW
    life.show_all()
    assert life.boot() == NEW


def test_with_both_images_corrupt_nothing_runs(life):
    life.flash.areas[0][manifest.HEAD] ^= 1
    assert life.boot() is None


def test_an_image_that_became_corrupt_before_its_first_start_is_not_started(life):
    life.send(signed(KEY, NEW, 6))
    life.flash.areas[1][manifest.HEAD + 3] ^= 1
    assert life.boot() == OLD
    assert record_events(life) == [(EventCode.IMAGE_CORRUPT, 1)]


def test_bytes_behind_an_image_in_its_slot_are_no_part_of_it_and_refused(life):
    life.flash.areas[0][len(FIRST)] = 0
    assert life.boot() is None


def test_an_older_image_is_not_tried_though_the_record_says_so(life):
    life.send(signed(KEY, NEW, 6))
    life.boot()
    life.show_all()
    life.boot()
    older = signed(KEY, image_of("five", 300), 5)
    life.flash.areas[0][:] = older + b"\xff" * (len(life.flash.areas[0]) - len(older))
    assert life.slots.examine(0) == 0
    life.slots.ready()
    assert life.boot() == NEW


def test_nor_one_older_than_what_the_factory_put_there(life):
    older = signed(KEY, image_of("four", 300), 4)
    life.install(1, older)
    assert life.slots.examine(1) == 0
    life.slots.ready()
    assert life.boot() == OLD


def test_an_image_that_says_it_is_longer_than_a_slot_is_not_read_to_its_end(life):
    life.slots.capacity = 499
    assert life.slots.examine(0) == Refusal.TOO_LONG
    life.slots.capacity = 500
    assert life.slots.examine(0) == 0


def test_either_of_two_keys_signs_and_no_third(life):
    both = Life(KEY, keys=[KEY.public, OTHER_KEY.public])
    both.install(0, FIRST)
    both.boot()
    assert both.send(signed(OTHER_KEY, NEW, 6))
    assert both.boot() == NEW
    both.show_all()
    assert not both.send(signed(QuickKey("third"), NEW, 7))
    assert both.refusal() == Refusal.UNSIGNED


@pytest.mark.parametrize("key", [b"", KEY.public[:-1], KEY.public + b"\0", bytes(56), b"\0\0\0\5" + KEY.public[4:]])
def test_a_public_key_of_another_kind_verifies_nothing(key):
    life = Life(KEY, keys=[key])
    life.install(0, FIRST)
    assert life.boot() is None


def test_a_tag_without_a_record_runs_what_the_factory_put_into_either_slot():
    for slot in (0, 1):
        life = Life(KEY)
        life.install(slot, FIRST)
        assert life.boot() == OLD
        assert Slots(life.flash, life.keys, BOARD.encode()).start() == slot


# Delivery.


def test_pages_may_come_in_any_order_and_again(life):
    stream = signed(KEY, NEW, 6)
    offsets = list(range(0, len(stream), manifest.PAGE))
    life.begin(stream)
    for at in offsets[::-2] + offsets[::-1] + offsets:
        assert life.chunk(stream, at) == 0
    life.commit(stream)
    assert life.boot() == NEW


def test_a_commit_before_all_is_there_tells_how_far_it_is_and_does_nothing(life):
    stream = signed(KEY, NEW, 6)
    life.begin(stream)
    assert life.progress() == 0
    for at in (0, 256, 768):
        life.chunk(stream, at)
    assert life.commit(stream) == 0
    assert life.progress() == 512
    assert life.update.restart_at is None
    assert life.boot() == OLD


@pytest.mark.parametrize(
    ("at", "size"),
    [(1, 256), (255, 256), (0, 255), (0, 1), (256, 448), (4096, 256), (2816 + 512, 88), (2816 + 512, 87)],
)
def test_what_is_no_page_of_the_stream_is_refused_and_not_written(life, at, size):
    stream = signed(KEY, NEW, 6)
    life.begin(stream)
    before = bytes(life.flash.areas[1])
    whole = at == 2816 + 512 and size == 88
    assert life.chunk(stream, at, size=size) == (0 if whole else Refusal.MALFORMED)
    assert (bytes(life.flash.areas[1]) == before) is not whole


def test_chunks_of_no_transfer_or_of_another_are_silent_and_their_commit_is_not(life):
    stream = signed(KEY, NEW, 6)
    assert life.chunk(stream, 0) == 0
    assert life.commit(stream) == Refusal.NOT_NOW
    life.begin(stream, 7)
    before = bytes(life.flash.areas[1])
    assert life.chunk(stream, 0, ident=8) == 0
    assert life.commit(stream, ident=8) == Refusal.NOT_NOW
    assert bytes(life.flash.areas[1]) == before


def test_a_commit_of_another_digest_commits_nothing(life):
    stream = signed(KEY, NEW, 6)
    life.begin(stream)
    for at in range(0, len(stream), manifest.PAGE):
        life.chunk(stream, at)
    body = frames.UpdateCommit((7, hashlib.sha256(b"another").digest()))
    assert life.obey(frames.UPDATE_COMMIT, body) == Refusal.MALFORMED
    assert life.boot() == OLD


def test_another_update_makes_room_for_itself(life):
    one, other = signed(KEY, NEW, 6), signed(KEY, image_of("other", 650), 7)
    life.begin(one)
    for at in range(0, 1024, manifest.PAGE):
        life.chunk(one, at)
    assert life.send(other)
    assert life.boot() == image_of("other", 650)


def test_after_a_restart_it_goes_on_at_the_last_whole_block(life):
    big = Life(KEY, capacity=20_000, sector=4096)
    big.install(0, FIRST)
    big.boot()
    image = image_of("big", 20_000)
    stream = signed(KEY, image, 6)
    big.begin(stream)
    for at in range(0, 10_000, manifest.PAGE):
        big.chunk(stream, at)
    big.boot()
    big.begin(stream, 8)
    assert big.progress() == 8192
    for at in range(0, 8192, manifest.PAGE):  # programmed twice they would be spoilt
        assert big.chunk(stream, at, 8) == 0
    assert big.send(stream, 8)
    assert big.boot() == image


def test_a_gap_that_closes_late_counts_whole_blocks_too():
    big = Life(KEY, capacity=20_000, sector=4096)
    big.install(0, FIRST)
    big.boot()
    stream = signed(KEY, image_of("big", 20_000), 6)
    big.begin(stream)
    for at in [*range(256, 5_000, manifest.PAGE), 0]:
        big.chunk(stream, at)
    big.commit(stream)
    assert big.progress() == 5_120
    big.boot()
    big.begin(stream)
    assert big.progress() == 4_096
    assert big.send(stream)


def test_flash_that_refuses_is_told_and_does_not_stop_the_tag(life, monkeypatch):
    stream = signed(KEY, NEW, 6)
    life.begin(stream)

    def worn(area, at, data):
        raise OSError(5)

    with monkeypatch.context() as broken:
        broken.setattr(life.flash, "write", worn)
        assert life.chunk(stream, 0) == Refusal.NOT_NOW
    assert life.send(stream)


def test_refusals_are_the_protocols():
    for name in ("MALFORMED", "TOO_LONG", "OLD_REVISION", "UNSIGNED", "WRONG_BOARD"):
        assert getattr(manifest, name) == Refusal[name]
